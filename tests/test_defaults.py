"""What a team file says for all specs, and how it is merged under each, key by key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator import defaults, pipeline, source
from generator.defaults.counting import counting
from generator.defaults.under import under
from generator.diagnostics import CannotRun, Diagnostic, Rejected
from generator.document import Document
from generator.specs import TEAM_FILE

Data = dict[str, Any]  # Any: YAML
SPEC = """\
spec_version: 1
name: one
model:
  source: package.module:Net
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
"""
TEAM = "defaults_version: 1\n"
READY = """\
export: {method: script}
transforms:
  run_in: model
  preprocess: [decode, {resize: {size: [32, 32]}}, to_tensor]
"""
PREDICTOR = SPEC + READY
TRITON = "targets: {triton: {}}\n"


def document(text: str, name: str) -> Document:
    return source.load(name, text or "{}", Path())


def merged(spec: str, team: str) -> Data:
    """A spec over a team file, as data."""
    one = document(spec, "spec.yaml")
    return under(one, counting(document(team, TEAM_FILE), one)).data


@pytest.mark.parametrize(
    ("spec", "team", "result"),
    [
        # what the spec says stays, what it does not say is filled in
        ("a: {x: 1}", "a: {x: 2, y: 3}", "a: {x: 1, y: 3}"),
        ("{}", "a: {x: 1}", "a: {x: 1}"),
        ("a: {}", "a: {x: 1}", "a: {x: 1}"),
        # lists and scalars are whole; a map beside a scalar too
        ("a: [1]", "a: [2, 3]", "a: [1]"),
        ("a: 1", "a: {x: 2}", "a: 1"),
        ("a: {x: 2}", "a: 1", "a: {x: 2}"),
        # null takes away what is there to be taken, and else is what it is without a team file
        ("a: {x: null}", "a: {x: 1, y: 2}", "a: {y: 2}"),
        ("a: null", "a: {x: 1}", "{}"),
        ("a: {x: null}", "a: {y: 2}", "a: {x: null, y: 2}"),
        ("a: {x: null}", "a: {x: null}", "a: {x: null}"),
        # a target that the spec names
        ("targets: {t: {x: 1}}", "targets: {t: {x: 2, y: 3}}", "targets: {t: {x: 1, y: 3}}"),
        ("targets: {t: }", "targets: {t: {y: 3}}", "targets: {t: {y: 3}}"),
        ("targets: {t: {x: null}}", "targets: {t: {x: 2}}", "targets: {t: {}}"),
        # a target's own values are merged again, where null removes the project's
        (
            "targets: {t: {serving: {x: null}}}",
            "targets: {t: {serving: {x: 1}}}",
            "targets: {t: {serving: {x: null}}}",
        ),
        # no target is added, in any layer
        ("targets: {t: {}}", "targets: {u: {x: 1}}", "targets: {t: {}}"),
        ("{}", "targets: {t: {x: 1}}", "{}"),
        (
            "targets: {t: {}}\nenvironments: {e: }",
            "environments: {e: {targets: {u: {x: 1}}}}",
            "targets: {t: {}}\nenvironments: {e: }",
        ),
        # no environment is added; a bare name is enough
        ("environments: {e: }", "environments: {e: {a: 1}, f: {}}", "environments: {e: {a: 1}}"),
        ("{}", "environments: {e: {a: 1}}", "{}"),
        # an environment's null removes from the base, later
        (
            "environments: {e: {a: {x: null}}}",
            "environments: {e: {a: {x: 1}}}",
            "environments: {e: {a: {x: null}}}",
        ),
        ("environments: {e: {a: null}}", "a: {x: 1}", "a: {x: 1}\nenvironments: {e: {a: null}}"),
        # what an environment says for a target that the base names
        (
            "targets: {t: {}}\nenvironments: {e: }",
            "environments: {e: {targets: {t: {x: 1}}}}",
            "targets: {t: {}}\nenvironments: {e: {targets: {t: {x: 1}}}}",
        ),
        # null removes the target there, whatever the team says of it
        (
            "targets: {t: {}, u: {}}\nenvironments: {e: {targets: {t: null}}}",
            "environments: {e: {targets: {t: {x: 1}}}}",
            "targets: {t: {}, u: {}}\nenvironments: {e: {targets: {t: null}}}",
        ),
        # a target that only an environment names gets the base's values there
        (
            "targets: {t: {}}\nenvironments: {e: {targets: {u: {x: 1}}}, f: }",
            "targets: {u: {x: 2, y: 3}}",
            "targets: {t: {}}\nenvironments: {e: {targets: {u: {x: 1, y: 3}}}, f: }",
        ),
        # below what the environment says for all targets, as they would be in the base
        (
            "environments: {e: {serving: {x: 1, z: null}, targets: {u: {}}}}",
            "targets: {u: {serving: {x: 2, y: 3, z: 4}}}",
            "environments: {e: {serving: {x: 1, z: null}, targets: {u: {serving: {y: 3}}}}}",
        ),
        (
            "environments: {e: {targets: {u: {}}}}",
            "targets: {u: {serving: {x: 2}}}\nenvironments: {e: {serving: {x: 1}, targets: "
            "{u: {serving: {y: 4}}}}}",
            "environments: {e: {serving: {x: 1}, targets: {u: {serving: {y: 4}}}}}",
        ),
        # many projects share a storage
        (
            "name: one\ntargets: {t: {}}\nenvironments: {e: }",
            "storage: {uri: s3://a}\ntargets: {t: {storage: {uri: s3://b/}}}\n"
            "environments: {e: {storage: {uri: s3://c}, targets: {t: {storage: {uri: s3://d}}}}}",
            "name: one\nstorage: {uri: s3://a/one}\n"
            "targets: {t: {storage: {uri: s3://b/one}}}\nenvironments: {e: {storage: "
            "{uri: s3://c/one}, targets: {t: {storage: {uri: s3://d/one}}}}}",
        ),
        ("name: one\nstorage: {uri: s3://x}", "storage: {uri: s3://a}", "name: one\nstorage: {uri: s3://x}"),
        ("name: 1\n", "storage: {uri: s3://a}", "name: 1\nstorage: {uri: s3://a}"),
    ],
)  # fmt: skip
def test_a_team_file_counts_where_the_spec_says_nothing(spec: str, team: str, result: str) -> None:
    assert merged(spec, team) == yaml.safe_load(result)


@pytest.mark.parametrize(
    ("near", "far", "both"),
    [
        ("a: {x: 1}", "a: {x: 2, y: 3}", "a: {x: 1, y: 3}"),
        ("a: {x: null}", "a: {x: 2, y: 3}", "a: {y: 3}"),
        ("targets: {t: }", "targets: {t: {x: 1}, u: {x: 1}}", "targets: {t: {x: 1}, u: {x: 1}}"),
        ("environments: {e: }", "environments: {e: {a: 1}}", "environments: {e: {a: 1}}"),
    ],
)
def test_of_two_team_files_the_nearer_wins(near: str, far: str, both: str) -> None:
    assert under(document(near, "a"), document(far, "b")).data == yaml.safe_load(both)


def test_every_value_keeps_the_place_that_it_came_from() -> None:
    spec = document("a: {x: 1}\ntargets: {t: {}}\nenvironments: {e: {targets: {u: {}}}}", "spec")
    team = document("\na: {x: 2, y: [3]}\ntargets: {t: {x: 1}, u: {x: 2}}\n", "team")

    both = under(spec, counting(team, spec))

    told = {at: (p.text.path, p.span.line) for at, p in both.places.items()}
    assert told == {
        (): ("spec", 1),
        ("a",): ("spec", 1),
        ("a", "x"): ("spec", 1),
        ("a", "y"): ("team", 2),
        ("a", "y", 0): ("team", 2),
        ("targets",): ("spec", 2),
        ("targets", "t"): ("spec", 2),
        ("targets", "t", "x"): ("team", 3),
        ("environments",): ("spec", 3),
        ("environments", "e"): ("spec", 3),
        ("environments", "e", "targets"): ("spec", 3),
        ("environments", "e", "targets", "u"): ("spec", 3),
        ("environments", "e", "targets", "u", "x"): ("team", 3),
    }


_KEYS = st.sampled_from(["a", "serving", "storage", "targets", "environments"])
_TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda below: st.dictionaries(_KEYS, below, max_size=3),
    max_leaves=12,
)
_DATA = st.dictionaries(_KEYS, _TREES, max_size=4)


def loaded(data: Data, name: str) -> Document:
    return document(yaml.safe_dump(data), name)


@given(_DATA)
def test_without_a_word_from_the_team_a_spec_is_what_it_is(data: Data) -> None:
    spec = loaded(data, "spec")

    both = under(spec, counting(loaded({"defaults_version": 1}, "team"), spec))

    assert both.data == spec.data
    assert both.places == spec.places


@given(_DATA)
def test_a_spec_that_says_everything_is_unaffected(data: Data) -> None:
    spec = loaded(data, "spec")

    both = under(spec, counting(loaded(data, "team"), spec))

    assert both.data == spec.data
    assert {place.text.path for place in both.places.values()} == {"spec"}


@given(_DATA, _DATA)
def test_no_target_and_no_environment_is_ever_added(one: Data, other: Data) -> None:
    spec, team = loaded(one, "spec"), loaded(other, "team")

    both = under(spec, counting(team, spec))

    assert names(both.data, "environments") == names(one, "environments")
    assert names(both.data, "targets") == names(one, "targets")
    layers = both.data.get("environments")
    for name in names(one, "environments"):
        layer = layers[name] if isinstance(layers, dict) else None
        own = one["environments"][name]
        known = names(one, "targets") | names(own, "targets")
        assert names(layer, "targets") <= known or not isinstance(own, dict | None)


def names(data: object, key: str) -> set[str]:
    held = data.get(key) if isinstance(data, dict) else None
    return set(held) if isinstance(held, dict) else set()


@given(_DATA, _DATA)
def test_all_that_is_merged_has_its_place(one: Data, other: Data) -> None:
    spec, team = loaded(one, "spec"), loaded(other, "team")

    both = under(spec, counting(team, spec))

    assert set(pointers(both.data, ())) <= set(both.places)


def pointers(data: object, at: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    items: Any = data.items() if isinstance(data, dict) else ()
    items = enumerate(data) if isinstance(data, list) else items
    return [at, *(each for key, value in items for each in pointers(value, (*at, key)))]


Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file in the test's folder, where the process works too."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return written


def load(path: Path) -> Document:
    return defaults.load(str(path), path.read_bytes(), path.parent)


def flaws(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(Rejected) as rejected:
        pipeline.build_document(load(path))
    return rejected.value.diagnostics


def test_it_is_found_upward_and_shown_as_specs_are(write: Write) -> None:
    write(TEAM_FILE, TEAM + "serving: {timeout: 30s}\n")
    spec = write("specs/deep/one.yaml", SPEC)

    relative, absolute = load(spec), load(spec.absolute())

    at = ("serving", "timeout")
    assert relative.data["serving"] == {"timeout": "30s"}
    assert relative.place(at).text.path == TEAM_FILE
    assert absolute.place(at).text.path == TEAM_FILE


def test_of_a_spec_elsewhere_it_is_shown_whole(write: Write, tmp_path: Path) -> None:
    write("far/" + TEAM_FILE, TEAM + "serving: {timeout: 30s}\n")
    spec = write("far/one.yaml", SPEC).absolute()
    Path("near").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("near")

        shown = load(spec).place(("serving", "timeout")).text.path

    assert shown == str(tmp_path / "far" / TEAM_FILE)


def test_the_search_ends_at_the_top_of_the_repository(write: Write) -> None:
    write(TEAM_FILE, TEAM + "serving: {timeout: 30s}\n")
    spec = write("clone/specs/one.yaml", SPEC)

    without_git = load(spec)
    Path("clone/.git").mkdir()
    with_git = load(spec)

    assert "serving" in without_git.data
    assert "serving" not in with_git.data


def test_of_two_levels_each_says_its_part(write: Write) -> None:
    write(TEAM_FILE, TEAM + "kubernetes: {namespace: all, service_account: all}\n")
    write("specs/" + TEAM_FILE, TEAM + "kubernetes: {namespace: vision, labels: {a: b}}\n")
    spec = write("specs/one.yaml", SPEC + "kubernetes: {labels: {a: c}}\n")

    both = load(spec)

    held = {"namespace": "vision", "service_account": "all", "labels": {"a": "c"}}
    assert both.data["kubernetes"] == held
    assert both.place(("kubernetes", "service_account")).text.path == TEAM_FILE


def test_a_link_to_a_shared_file_is_followed(write: Write) -> None:
    write("shared/team.yaml", TEAM + "serving: {timeout: 30s}\n")
    spec = write("specs/one.yaml", SPEC)
    Path("specs", TEAM_FILE).symlink_to("../shared/team.yaml")

    assert load(spec).data["serving"] == {"timeout": "30s"}


def test_a_spec_that_is_a_link_has_the_defaults_of_where_it_is_named(write: Write) -> None:
    write("there/" + TEAM_FILE, TEAM + "serving: {timeout: 30s}\n")
    write("here/" + TEAM_FILE, TEAM + "serving: {timeout: 20s}\n")
    write("there/one.yaml", SPEC)
    Path("here/one.yaml").symlink_to("../there/one.yaml")

    assert load(Path("here/one.yaml")).data["serving"] == {"timeout": "20s"}


def test_paths_of_the_file_start_at_its_folder(write: Write) -> None:
    write(TEAM_FILE, TEAM + "kubernetes: {crds: crds}\n")
    write("specs/" + TEAM_FILE, TEAM + "targets: {triton: {kubernetes: {crds: own/crds}}}\n")
    spec = write("specs/a/one.yaml", SPEC + TRITON)

    both: Any = load(spec).data  # Any: YAML

    assert both["kubernetes"] == {"crds": "../../crds"}
    assert both["targets"]["triton"]["kubernetes"] == {"crds": "../own/crds"}


def test_a_folder_of_crds_is_read_from_there(write: Write) -> None:
    write(TEAM_FILE, TEAM + "kubernetes: {crds: crds}\n")
    spec = write("specs/one.yaml", SPEC + TRITON + "storage: {uri: s3://a}\n")

    [told] = flaws(spec)

    assert told.rule == "cluster/crds-missing"
    assert (told.path, told.span.line) == (TEAM_FILE, 2)


def test_a_changed_file_is_read_anew(write: Write) -> None:
    spec = write("one.yaml", SPEC)
    write(TEAM_FILE, TEAM + "serving: {timeout: 30s}\n")
    before = load(spec)

    write(TEAM_FILE, TEAM + "serving: {timeout: 40s}\n")

    assert before.data["serving"] == {"timeout": "30s"}
    assert load(spec).data["serving"] == {"timeout": "40s"}


def test_specs_do_not_share_what_they_are_given(write: Write) -> None:
    write(TEAM_FILE, TEAM + "storage: {uri: s3://a}\n")
    one, two = write("one.yaml", SPEC), write("two.yaml", SPEC.replace("one", "two"))

    uris = [load(each).data["storage"] for each in (one, two, one)]

    assert uris == [{"uri": "s3://a/one"}, {"uri": "s3://a/two"}, {"uri": "s3://a/one"}]


def test_a_file_that_cannot_be_read_is_told(write: Write) -> None:
    spec = write("one.yaml", SPEC)
    Path(TEAM_FILE).symlink_to("nowhere")

    with pytest.raises(CannotRun, match=r"cannot read serving-defaults.yaml: its link leads"):
        load(spec)


def test_a_folder_that_cannot_be_searched_is_told(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    spec = write("one.yaml", SPEC)
    monkeypatch.setattr("pathlib.Path.is_file", refuse)

    with pytest.raises(CannotRun, match=r"cannot look for .*serving-defaults.ya?ml: Permission"):
        load(spec)


@pytest.mark.parametrize(
    ("text", "line", "rule", "message"),
    [
        ("", 1, "yaml/empty", "the team file is empty"),
        ("[]", 1, "yaml/not-a-map", "a team file is a map of keys, not a list or a scalar"),
        ("a: !x 1", 1, "yaml/tag", "tag `!x` is not used in team files"),
        ("a: 1\n---\nb: 1\n", 3, "yaml/several-documents",
         "a second YAML document starts here; a team file is one document"),
        ("serving: {}\n", 1, "schema", "`defaults_version` is missing"),
        ("defaults_version: 2\n", 1, "schema", "`2` is not 1"),
        (TEAM + "registry: a\n", 2, "schema", "unknown key `registry`"),
        (TEAM + "images: {registy: a}\n", 2, "schema", "unknown key `registy`"),
        (TEAM + "targets: {tritn: {}}\n", 2, "schema", "unknown target `tritn`"),
        (TEAM + "targets: {triton: {mode: x}}\n", 2, "schema", "unknown key `mode`"),
        (TEAM + "environments: {e: {name: x}}\n", 2, "defaults/of-one-spec",
         "`name` is of one spec, and no default of all"),
        (TEAM + "name: one\n", 2, "defaults/of-one-spec",
         "`name` is of one spec, and no default of all"),
        (TEAM + "targets: {triton: {model: {version: 2}}}\n", 2, "defaults/of-one-spec",
         "`model` is of one spec, and no default of all"),
        (TEAM + "environments: {unnamed: {serving: {timeout: 3}}}\n", 2, "schema",
         "`3` is not a whole number with its unit us, ms, s, m or h, such as 60s"),
        (TEAM + "environments: {model: {serving: {timeout: 3}}}\n", 2, "schema",
         "`3` is not a whole number with its unit us, ms, s, m or h, such as 60s"),
        (TEAM + "kubernetes: {labels: {a: 010}}\n", 2, "yaml/surprising-scalar",
         "`010` is an octal number in YAML 1.1"),
        (TEAM + "hardware: {accelerator: gpu}\n", 2, "schema", "unknown value `gpu`"),
    ],
)  # fmt: skip
def test_its_own_mistakes_are_told_at_the_file(
    write: Write, text: str, line: int, rule: str, message: str
) -> None:
    write(TEAM_FILE, text)
    spec = write("one.yaml", SPEC)

    [told] = flaws(spec)

    assert (told.path, told.span.line, told.rule, told.message) == (TEAM_FILE, line, rule, message)
    assert told.related == ()


def test_a_credential_in_it_is_not_told_with_it(write: Write) -> None:
    secret = "AKIA" + "Q3EGIZ7JXW5OYT2P"
    write(TEAM_FILE, TEAM + f"kubernetes: {{annotations: {{a: {secret}, b: 3}}}}\n")
    spec = write("one.yaml", SPEC)

    told = flaws(spec)

    assert [each.rule for each in told] == ["credentials/spec-holds-a-credential"]
    assert secret not in repr(told)


def test_a_rule_points_at_the_line_that_won_and_names_the_spec(write: Write) -> None:
    write(TEAM_FILE, TEAM + "storage: {uri: s3://a}\nserving: {batching: {preferred: [16]}}\n")
    spec = write("one.yaml", SPEC + TRITON + "serving: {batching: {max_size: 8}}\n")

    [told] = flaws(spec)

    assert (told.path, told.span.line) == (TEAM_FILE, 3)
    assert told.rule == "triton/preferred-batch-too-large"
    notes = [(note.path, note.span.line, note.message) for note in told.related]
    assert notes == [
        (str(spec), 8, "max_size is 8"),
        (str(spec), 2, "it counts for this spec"),
    ]


def test_a_fix_in_it_is_offered_to_nobody(write: Write) -> None:
    write(TEAM_FILE, TEAM + "kubernetes: {labels: {a: 1}}\n")
    spec = write("one.yaml", SPEC)

    [told] = flaws(spec)

    assert (told.path, told.message) == (TEAM_FILE, "`1` is a number in YAML")
    assert told.fix is None


@pytest.mark.parametrize(
    "team",
    [
        "images: {registry: docker.io/acme}\n",
        "perf: {slo: {p99: 50ms}}\n",
        "storage: {secret: keys}\n",
        "serving: {autoscaling: {metric: cpu}}\n",
        "environments: {staging: {images: {registry: docker.io/staging}}}\n",
    ],
)
def test_what_the_team_only_begins_a_spec_need_not_complete(write: Write, team: str) -> None:
    write(TEAM_FILE, TEAM + team)
    spec = write("one.yaml", PREDICTOR + "environments: {staging: }\n")

    assert pipeline.build_document(load(spec)).warnings == ()


def test_what_the_team_begins_and_the_spec_goes_on_with_is_to_be_complete(write: Write) -> None:
    write(TEAM_FILE, TEAM + "perf: {slo: {p99: 50ms}}\nstorage: {uri: s3://a}\n")
    spec = write("one.yaml", SPEC + TRITON + "perf: {duration: 5s}\n")

    told = flaws(spec)

    assert [(each.path, each.message) for each in told] == [(str(spec), "`rate` is missing")]


def test_what_a_target_has_no_use_for_is_no_mistake_of_the_spec(write: Write) -> None:
    everything = "storage: {uri: s3://a}\nserving: {timeout: 3s}\nkubernetes: {namespace: a}\n"
    alone, named = (
        write("one.yaml", PREDICTOR),
        write("two.yaml", PREDICTOR + "targets: {predictor: {}}\n"),
    )
    before = [pipeline.build_document(load(each)) for each in (alone, named)]

    write(TEAM_FILE, TEAM + everything + 'images: {registry: docker.io/acme, tag: "1"}\n')

    assert [pipeline.build_document(load(each)).files for each in (alone, named)] == [
        each.files for each in before
    ]
    assert [pipeline.build_document(load(each)).warnings for each in (alone, named)] == [(), ()]


def test_a_spec_also_served_has_defaults_of_its_own(write: Write) -> None:
    write("a/" + TEAM_FILE, TEAM + "serving: {batching: {max_size: 8}}\n")
    write("b/" + TEAM_FILE, TEAM + "serving: {batching: {max_size: 4}}\n")
    storage = "storage: {uri: s3://models}\n"
    write("b/two.yaml", SPEC.replace("one", "two") + "targets: {torchserve: {}}\n" + storage)
    also = "targets: {torchserve: {also_serves: [../b/two.yaml]}}\n"
    spec = write("a/one.yaml", SPEC + also + storage)

    [deployment] = pipeline.build_document(load(spec)).deployments

    [served] = deployment.project.also_serves
    assert deployment.project.serving.batching.max_size == 8
    assert served.project.serving.batching.max_size == 4


DOCS = (Path(__file__).parents[1] / "docs/defaults.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the table of merging, without code marks."""
    lines = [line for line in DOCS.splitlines() if line.startswith("| `") and "`: " not in line]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]
    return [each for each in cells if each[0] != TEAM_FILE]


@pytest.mark.parametrize(("team", "spec", "together"), rows())
def test_specs_are_merged_as_the_docs_say(team: str, spec: str, together: str) -> None:
    assert merged(spec, team) == yaml.safe_load(together)
