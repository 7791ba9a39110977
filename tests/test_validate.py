"""Environments over targets over the project, and all problems of a spec at once."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from generator.diagnostics import Diagnostic, Rejected
from generator.selection import EVERYTHING, Selection
from generator.source import load
from generator.validate import Deployment, validate
from generator.views import named_targets

BASE = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: s3://bucket/models}
"""
TRITON = "targets: {triton: {}}\n"


def deployments(
    more: str = TRITON, selection: Selection = EVERYTHING, folder: Path = Path()
) -> list[Deployment]:
    found, warnings = validate(load("spec.yaml", BASE + dedent(more), folder), selection)
    assert warnings == ()
    return found


def deployment(more: str = TRITON, folder: Path = Path()) -> Deployment:
    [found] = deployments(more, folder=folder)
    return found


def rejected(more: str, base: str = BASE, folder: Path = Path()) -> tuple[Diagnostic, ...]:
    with pytest.raises(Rejected) as caught:
        validate(load("spec.yaml", base + dedent(more), folder))
    return caught.value.diagnostics


def by_environment(more: str) -> dict[str | None, Any]:
    return {found.project.environment: found.project for found in deployments(more)}


# Which deployments there are


def test_a_spec_without_environments_has_one_deployment_a_target() -> None:
    found = deployment()

    assert (found.project.name, found.project.target) == ("one", "triton")
    assert found.project.environment is None


def test_with_environments_the_base_alone_is_none() -> None:
    found = by_environment(TRITON + "environments: {staging: {}, production: }\n")

    assert list(found) == ["staging", "production"]


def test_a_bare_target_has_all_defaults() -> None:
    assert deployment("targets:\n  triton:\n").options == deployment().options


OTHER = """\
spec_version: 1
name: two
model:
  program: other.pt
  version: 3
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
images: {registry: docker.io/acme, tag: "1"}
accepted_warnings: {torchserve/end-of-life: known}
targets: {torchserve: {platform: docker, names: {model: second}}}
"""
BOTH = """\
accepted_warnings: {torchserve/end-of-life: known, torchserve/no-effect: shared}
images: {registry: docker.io/acme, tag: "1"}
hardware: {cpu: 2}
targets: {torchserve: {platform: docker, also_serves: [more/two.yaml]}}
"""


def test_another_specs_model_is_served_beside(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/two.yaml").write_text(OTHER)

    [served] = deployment(BOTH, folder=tmp_path).project.also_serves

    assert (served.project.name, served.project.model.version) == ("two", 3)
    assert served.project.folder == tmp_path / "more"
    assert served.options.names.model == "second"


def test_a_spec_served_beside_is_seen_in_the_same_environment(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    environments = "environments: {a: {model: {version: 7}}, b: {}}\n"
    (tmp_path / "more/two.yaml").write_text(OTHER + environments)

    found = deployments(BOTH + "environments: {a: {}, b: {}}\n", folder=tmp_path)

    versions = [each.project.also_serves[0].project.model.version for each in found]
    assert versions == [7, 3]


def test_a_spec_served_beside_brings_its_warnings(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    accepted = "accepted_warnings: {torchserve/end-of-life: known}\n"
    (tmp_path / "more/two.yaml").write_text(OTHER.replace(accepted, ""))

    _, told = validate(load("spec.yaml", BASE + BOTH, tmp_path))

    assert [warning.path for warning in told] == [str(tmp_path / "more/two.yaml")]


def test_a_spec_served_beside_without_that_environment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/two.yaml").write_text(OTHER + "environments: {b: {}}\n")

    [diagnostic] = rejected(BOTH + "environments: {a: {}}\n", folder=tmp_path)

    assert "environment `a`" in diagnostic.message


def test_a_warning_that_is_accepted_is_not_told() -> None:
    accepted = "accepted_warnings: {torchserve/end-of-life: known}\n"
    text = "targets: {torchserve: {}}\n"

    _, told = validate(load("spec.yaml", BASE + text, Path()))
    _, left = validate(load("spec.yaml", BASE + text + accepted, Path()))

    assert [warning.rule for warning in told] == ["torchserve/end-of-life"]
    assert left == ()


def test_an_error_cannot_be_accepted() -> None:
    accepted = "accepted_warnings: {serving/replicas-reversed: known}\n"

    told = rejected(TRITON + "serving: {replicas: {min: 3}}\n" + accepted)

    assert [error.rule for error in told] == ["serving/replicas-reversed"]


def test_an_environment_removes_a_target_with_null_and_keeps_the_other_environments() -> None:
    [diagnostic] = rejected(
        "targets: {triton: {}}\nenvironments: {a: {targets: {triton: }}, b: }\n"
    )

    assert diagnostic.message == "environment `a` leaves no target"


def test_an_environment_adds_a_target() -> None:
    found = by_environment("environments: {a: {targets: {triton: {deployment_mode: Standard}}}}\n")

    assert list(found) == ["a"]


def test_a_spec_whose_target_stands_in_one_environment_only_is_told_of_the_other() -> None:
    [diagnostic] = rejected("environments: {a: {targets: {triton: {}}}, b: {}}\n")

    assert diagnostic.rule == "predictor/transforms-missing"
    assert "name a server" in diagnostic.hint


IN_THE_PROGRAM = """\
transforms:
  run_in: model
  preprocess: [decode, {resize: {size: [32, 32]}}, to_tensor]
"""


def targets_of(more: str, selection: Selection = EVERYTHING) -> list[tuple[str | None, str]]:
    storage = "storage: {uri: s3://bucket/models}\n"  # which only servers have
    base = BASE if "targets" in more else BASE.replace(storage, "")
    found, _ = validate(load("spec.yaml", base + IN_THE_PROGRAM + more, Path()), selection)
    return [(each.project.environment, each.target.name) for each in found]


def test_a_spec_without_targets_is_for_the_predictor() -> None:
    assert targets_of("") == [(None, "predictor")]


def test_the_predictor_stands_beside_others_where_it_is_named() -> None:
    assert targets_of("targets: {triton: {}}\n") == [(None, "triton")]
    assert targets_of("targets: {triton: {}, predictor: }\n") == [
        (None, "triton"),
        (None, "predictor"),
    ]


def test_environments_of_a_spec_without_targets_are_for_the_predictor_too() -> None:
    more = "environments: {a: {targets: {triton: {}}}, b: , c: {model: {version: 2}}}\n"

    assert targets_of(more) == [("a", "triton"), ("b", "predictor"), ("c", "predictor")]


def test_the_predictor_of_a_spec_without_targets_can_be_selected() -> None:
    assert targets_of("", Selection(targets=("predictor",))) == [(None, "predictor")]
    assert targets_of("", Selection(targets=("triton",))) == []


def test_an_option_of_the_predictor_is_told_as_of_any_target() -> None:
    [diagnostic] = rejected(IN_THE_PROGRAM + "targets: {predictor: {program: x.pt}}\n")

    assert (diagnostic.rule, diagnostic.message) == ("schema", "unknown key `program`")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("", ["predictor"]),
        ("environments: {a: , b: {hardware: {cpu: 2}}}\n", ["predictor"]),
        ("environments: {a: {targets: {triton: {}}}}\n", ["triton"]),
        ("environments: {a: {targets: {triton: {}}}, b: {}}\n", ["triton", "predictor"]),
        ("targets: {triton: {}}\nenvironments: {a: {}}\n", ["triton"]),
        ("targets: [triton]\n", []),
        ("targets:\n", []),
    ],
)
def test_knows_the_targets_that_a_spec_names_anywhere(more: str, named: list[str]) -> None:
    assert named_targets(load("spec.yaml", BASE + more, Path())) == named


@pytest.mark.parametrize(
    ("selection", "environments"),
    [
        (Selection(), ["a", "b"]),
        (Selection(environments=("b",)), ["b"]),
        (Selection(targets=("triton",)), ["a", "b"]),
        (Selection(targets=("seldon",)), []),
        (Selection(environments=("c",)), []),
    ],
)
def test_selects_targets_and_environments(selection: Selection, environments: list[str]) -> None:
    found = deployments(TRITON + "environments: {a: {}, b: {}}\n", selection)

    assert [each.project.environment for each in found] == environments


def test_what_is_not_selected_is_not_checked() -> None:
    more = TRITON + "environments: {a: {}, b: {hardware: {gpus: 1}}}\n"

    assert deployments(more, Selection(environments=("a",)))


# What wins


@pytest.mark.parametrize(
    ("project", "target", "environment", "own", "winner"),
    [
        (2, None, None, None, 2),
        (2, 3, None, None, 3),
        (2, 3, 4, None, 4),
        (2, 3, 4, 5, 5),
        (2, None, 4, None, 4),
        (2, 3, None, 5, 5),
        (None, None, None, 5, 5),
    ],
)
def test_environments_win_over_targets_over_the_project(
    project: int | None,
    target: int | None,
    environment: int | None,
    own: int | None,
    winner: int,
) -> None:
    def cpu(number: int | None) -> str:
        return f"hardware: {{cpu: {number}}}" if number else ""

    found = deployment(
        f"{cpu(project)}\n"
        f"targets: {{triton: {{{cpu(target)}}}}}\n"
        f"environments: {{e: {{{cpu(environment)}{',' if environment else ''} "
        f"targets: {{triton: {{{cpu(own)}}}}}}}}}\n"
    )

    assert found.project.hardware.cpu == winner


def test_maps_merge_and_lists_replace_through_all_layers() -> None:
    found = deployment("""\
        kubernetes: {namespace: base, labels: {a: base, b: base}}
        serving: {batching: {max_size: 8, preferred: [2, 4]}}
        targets: {triton: {kubernetes: {labels: {b: target}}}}
        environments: {e: {kubernetes: {labels: {c: e}}, serving: {batching: {preferred: [8]}}}}
    """)

    assert found.project.kubernetes.labels == {"a": "base", "b": "target", "c": "e"}
    assert found.project.kubernetes.namespace == "base"
    assert found.project.serving.batching.preferred == (8,)
    assert found.project.serving.batching.max_size == 8


def test_null_removes_a_key_or_a_section() -> None:
    found = by_environment("""\
        kubernetes: {namespace: base, labels: {a: base}}
        targets: {triton: {}}
        environments:
          a: {kubernetes: {namespace: null, labels: {a: }}}
          b: {kubernetes: null}
    """)

    assert found["a"].kubernetes.namespace is None
    assert found["a"].kubernetes.labels == {}
    assert found["b"].kubernetes.namespace is None


def test_a_layer_puts_back_what_a_lower_one_removed() -> None:
    found = deployment("""\
        kubernetes: {namespace: base}
        targets: {triton: {kubernetes: {namespace: null}}}
        environments: {e: {kubernetes: {namespace: back}}}
    """)

    assert found.project.kubernetes.namespace == "back"


def test_options_of_a_target_merge_too() -> None:
    found = deployment("""\
        targets: {triton: {deployment_mode: Standard, names: {service: base, model: base}}}
        environments: {e: {targets: {triton: {names: {service: own}}}}}
    """)

    assert found.options.deployment_mode == "Standard"
    assert (found.options.names.service, found.options.names.model) == ("own", "base")


def test_patches_of_an_environment_replace_the_targets() -> None:
    patch = "{manifest: %s.yaml, merge: {a: 1}}"
    found = deployment(f"""\
        targets: {{triton: {{patches: [{patch % "a"}, {patch % "b"}]}}}}
        environments: {{e: {{targets: {{triton: {{patches: [{patch % "c"}]}}}}}}}}
    """)

    assert [each.manifest for each in found.options.patches] == ["c.yaml"]


def test_null_in_a_merge_patch_stays_null() -> None:
    found = deployment("targets: {triton: {patches: [{manifest: a.yaml, merge: {a: {b: }}}]}}\n")

    assert found.options.patches[0].merge == {"a": {"b": None}}


def test_an_anchor_shared_by_environments_is_merged_into_each() -> None:
    found = by_environment("""\
        targets: {triton: {}}
        environments:
          a: &common {hardware: {cpu: 2}}
          b: {<<: *common, serving: {timeout: 5s}}
    """)

    assert (found["a"].hardware.cpu, found["b"].hardware.cpu) == (2, 2)
    assert (found["a"].serving.timeout, found["b"].serving.timeout) == ("60s", "5s")


# Storage


@pytest.mark.parametrize(
    ("more", "uri"),
    [
        (TRITON, "s3://bucket/models/triton"),
        (TRITON + "environments: {e: }\n", "s3://bucket/models/e/triton"),
        (TRITON + "environments: {e: {storage: {uri: s3://e/}}}\n", "s3://e/e/triton"),
        ("targets: {triton: {storage: {uri: s3://own/}}}\n", "s3://own/"),
        ("targets: {triton: {storage: {uri: s3://own}}}\nenvironments: {e: }\n", "s3://own"),
        (
            "targets: {triton: {storage: {uri: s3://own}}}\n"
            "environments: {e: {storage: {uri: s3://e}}}\n",
            "s3://e/e/triton",
        ),
        (
            "targets: {triton: {storage: {uri: s3://own}}}\n"
            "environments: {e: {storage: {secret: s}}}\n",
            "s3://own",
        ),
        (
            TRITON + "environments: {e: {targets: {triton: {storage: {uri: s3://own}}}}}\n",
            "s3://own",
        ),
        ("targets: {triton: {storage: {secret: s}}}\n", "s3://bucket/models/triton"),
    ],
)
def test_only_a_uri_of_the_targets_own_is_taken_verbatim(more: str, uri: str) -> None:
    storage = deployment(more).project.storage

    assert storage is not None
    assert storage.bundle_uri == uri


# Where problems are


def test_a_problem_points_at_the_line_that_won() -> None:
    [diagnostic] = rejected("""\
        serving: {batching: {max_size: 16, preferred: [16]}}
        targets: {triton: {}}
        environments:
          a: {serving: {batching: {max_size: 16}}}
          b:
            serving: {batching: {max_size: 8, preferred: [12]}}
    """)

    assert diagnostic.message == "preferred batch 12 exceeds max_size 8"
    assert (diagnostic.span.line, diagnostic.source.strip()) == (
        13,
        "serving: {batching: {max_size: 8, preferred: [12]}}",
    )


def test_a_problem_in_several_environments_is_told_once() -> None:
    found = rejected("""\
        hardware: {gpus: 2}
        targets: {triton: {}}
        environments: {a: {}, b: {}, c: {}}
    """)

    assert [diagnostic.rule for diagnostic in found] == ["resources/gpus-on-cpu"]


def test_a_problem_that_differs_by_environment_is_told_for_each() -> None:
    found = rejected("""\
        serving: {batching: {max_size: 8, preferred: [4]}}
        targets: {triton: {}}
        environments:
          a: {serving: {batching: {max_size: 2}}}
          b: {serving: {batching: {max_size: 3}}}
    """)

    assert [diagnostic.message for diagnostic in found] == [
        "preferred batch 4 exceeds max_size 2",
        "preferred batch 4 exceeds max_size 3",
    ]


def test_what_an_environment_mends_is_no_problem() -> None:
    found = by_environment("""\
        serving: {batching: {max_size: 2, preferred: [4]}}
        targets: {triton: {}}
        environments: {a: {serving: {batching: {max_size: 4}}}}
    """)

    assert list(found) == ["a"]


def test_all_of_shape_is_told_at_once() -> None:
    found = rejected(
        """\
        class_names: x
        targets: {triton: {mode: Standard}, seldom: {}}
        environments:
          Bad_Name: {name: other, hardwre: {}}
          good: {serving: {timeout: 5}}
    """,
        BASE.replace("name: one", "name: One").replace("[N, 2]", "[N, two]"),
    )

    assert [diagnostic.message.split("`")[1] for diagnostic in found] == [
        "One",
        "two",
        "class_names",
        "mode",
        "seldom",
        "Bad_Name",
        "name",
        "hardwre",
        "5",
    ]


def test_rules_run_only_on_a_good_shape() -> None:
    found = rejected("hardware: {gpus: 2, memroy: 2Gi}\n" + TRITON)

    assert [diagnostic.rule for diagnostic in found] == ["schema"]


def test_all_rules_are_told_at_once_in_file_order() -> None:
    found = rejected("""\
        hardware: {cpu: 1, model_instances: 4, gpus: 1}
        serving: {replicas: {min: 3, max: 2}, timeout: 1500ms}
        targets: {triton: {deployment_mode: Standard}}
    """)

    assert [(diagnostic.span.line, diagnostic.rule) for diagnostic in found] == [
        (8, "resources/more-threads-than-cpus"),
        (8, "resources/gpus-on-cpu"),
        (9, "serving/replicas-reversed"),
        (9, "serving/not-whole-seconds"),
    ]


# The typed image


def test_an_operation_is_a_step_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("")
    found = deployment(
        """\
        images: {registry: docker.io/acme, tag: a}
        transforms:
          preprocess: [decode, {resize: {size: [32, 32]}}, {to_tensor: {}}]
          postprocess: [softmax, {top_k: 2}]
        targets: {triton: {}}
    """,
        tmp_path,
    )

    steps = [*found.project.transforms.preprocess, *found.project.transforms.postprocess]
    assert [(step.operation, dict(step.arguments)) for step in steps] == [
        ("decode", {}),
        ("resize", {"size": [32, 32]}),
        ("to_tensor", {}),
        ("softmax", {}),
        ("top_k", {"top_k": 2}),
    ]


def test_class_names_are_read_from_a_file_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")

    found = deployment("targets: {triton: {model: {class_names: names.txt}}}\n", tmp_path)

    assert found.project.model.class_names == ("cat", "dog")


def test_a_class_name_file_that_is_missing_is_told_with_the_other_mistakes(tmp_path: Path) -> None:
    found = rejected(
        "targets: {triton: {model: {class_names: names.txt}}}\nhardware: {gpu: 1}\n",
        folder=tmp_path,
    )

    assert [diagnostic.rule for diagnostic in found] == ["model/class-names-unreadable", "schema"]


def test_numbers_keep_what_was_written() -> None:
    found = deployment("hardware: {cpu: 0.5, memory: 512Mi}\n" + TRITON)

    assert (found.project.hardware.cpu, found.project.hardware.memory) == (0.5, "512Mi")


def test_arguments_are_passed_on_as_they_are() -> None:
    data = """\
        targets:
          triton: {model: {program: null, source: a.b:c, arguments: {x: , y: [1, {z: a}]}}}
    """

    assert deployment(data).project.model.arguments == {"y": [1, {"z": "a"}]}


def test_one_spec_can_be_validated_again_and_again() -> None:
    document = load("spec.yaml", BASE + TRITON, Path())
    before = repr(document.data)

    first, second = validate(document)[0], validate(document)[0]

    assert first[0].project == second[0].project
    assert repr(document.data) == before
