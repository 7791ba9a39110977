"""What the command line does with a serving-defaults.yaml above the specs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from test_defaults import SPEC, TEAM, TRITON

from generator.editor_schema import defaults_schema
from generator.runs.builds import environments
from generator.specs import TEAM_FILE

Gen = Callable[..., Any]  # of conftest.py: status, out, err
STORAGE = "storage: {uri: s3://models}\n"


@pytest.fixture
def three(gen: Gen, tmp_path: Path) -> Path:
    """A folder with three specs, which name two environments and say no more of them."""
    (tmp_path / "specs").mkdir()
    for name in ("one", "three", "two"):
        text = SPEC.replace("one", name) + TRITON + "environments: {production: , staging: }\n"
        (tmp_path / "specs" / f"{name}.yaml").write_text(text)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / TEAM_FILE).write_text(TEAM + text)


def test_environments_differ_by_what_the_team_says(gen: Gen, three: Path) -> None:
    write(
        three,
        STORAGE + "environments:\n"
        "  staging: {kubernetes: {namespace: staging}}\n"
        "  production: {kubernetes: {namespace: production}, storage: {uri: s3://safe}}\n",
    )

    ran = gen("render", "specs")

    assert (ran.status, ran.err) == (0, "")
    [staging, production] = [
        (three / "rendered/two" / name / "triton/manifests/inferenceservice.yaml").read_text()
        for name in ("staging", "production")
    ]
    assert "namespace: staging\n" in staging
    assert "s3://models/two/staging/triton" in staging
    assert "namespace: production\n" in production
    assert "s3://safe/two/production/triton" in production


def test_check_finds_that_the_team_file_has_changed(gen: Gen, three: Path) -> None:
    write(three, STORAGE)
    gen("render", "specs")
    unchanged = gen("render", "specs", "--check")

    write(three, STORAGE.replace("models", "others"))

    changed = gen("render", "specs", "--check", "--environment", "staging")
    assert unchanged.status == 0
    assert changed.status == 1
    assert changed.out.count("+") > 3


def test_a_mistake_of_the_file_is_told_once_and_fails_every_spec(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "images: {registy: a}\n")

    ran = gen("validate", "specs")

    assert ran.status == 1
    assert ran.err.count("unknown key `registy`") == 1
    assert f"{TEAM_FILE}:3:10: error:" in ran.err
    assert "0 specs valid, 3 not" in ran.err


def test_what_does_not_fit_is_told_of_the_first_spec_that_it_does_not_fit(
    gen: Gen, three: Path
) -> None:
    write(three, STORAGE + "serving: {batching: {preferred: [16], max_size: 8}}\n")

    ran = gen("validate", "specs", "-f", "json")

    told = json.loads(ran.out)["diagnostics"]
    assert ran.status == 1
    assert [(each["path"], each["line"]) for each in told] == [(TEAM_FILE, 3)]
    assert [note["path"] for note in told[0]["related"]] == [TEAM_FILE, "specs/one.yaml"]


def test_specs_that_fail_by_the_file_fail_in_junit_too(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "images: {registy: a}\n")

    ran = gen("validate", "specs", "-f", "junit")

    suites = ElementTree.fromstring(ran.out)
    failed = {
        case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None
    }
    assert failed == {TEAM_FILE, "specs/one.yaml", "specs/three.yaml", "specs/two.yaml"}
    assert (suites.get("tests"), suites.get("failures")) == ("4", "4")


def test_a_warning_is_told_once_and_may_be_accepted_by_the_team(gen: Gen, three: Path) -> None:
    write(three, STORAGE)
    for spec in (three / "specs").iterdir():
        spec.write_text(spec.read_text().replace("triton", "torchserve"))
    warned = gen("validate", "specs")

    write(three, STORAGE + "accepted_warnings: {torchserve/end-of-life: known}\n")

    assert warned.err.count("torchserve/end-of-life") > 2
    assert "end-of-life" not in gen("validate", "specs", "--strict").err


def test_the_file_is_no_spec(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "model: {version: 2}\n")

    named, of_folder = gen("validate", TEAM_FILE), gen("validate", ".")

    assert named.status == 1
    assert "holds the defaults of specs and is no spec itself [defaults/is-no-spec]" in named.err
    assert "name specs or their folder: gen validate ." in named.err
    assert "[defaults/of-one-spec]" in named.err
    assert "3 not" in of_folder.err


def test_a_file_that_is_called_almost_so_is_not_passed_over(gen: Gen, three: Path) -> None:
    (three / "serving-defaults.yml").write_text(TEAM + STORAGE)

    ran = gen("validate", "specs")

    assert ran.status == 1
    assert ran.err.count("serving-defaults.yml:1:1: error: serving-defaults.yml is not read") == 1
    assert "help: rename it to serving-defaults.yaml" in ran.err


def test_a_folder_of_specs_is_searched_without_it(gen: Gen, three: Path) -> None:
    write(three, STORAGE)
    (three / "specs" / TEAM_FILE).write_text(TEAM + "# spec_version: 1\n")

    ran = gen("validate", ".")

    assert (ran.status, ran.err) == (0, "3 specs valid\n")


def test_lint_leaves_it_to_validate(gen: Gen, three: Path) -> None:
    write(three, STORAGE)

    ran = gen("lint", ".")

    assert ran.status == 0
    assert "passed over: 3 spec (gen validate checks it), 1 team file" in ran.err


def test_a_spec_on_stdin_has_the_defaults_of_the_working_directory(
    gen: Gen, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(three, STORAGE + "serving: {timeout: 3}\n")
    with (three / "specs/one.yaml").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        ran = gen("validate", "-")

    assert ran.status == 1
    assert f"{TEAM_FILE}:3:20: error:" in ran.err


def test_a_file_that_cannot_be_read_stops_no_other_spec(gen: Gen, three: Path) -> None:
    write(three, STORAGE)
    (three / "specs/deep").mkdir()
    (three / "specs/two.yaml").rename(three / "specs/deep/two.yaml")
    (three / "specs/deep" / TEAM_FILE).symlink_to("nowhere")

    ran = gen("validate", "specs")

    assert ran.status == 2
    assert f"gen: cannot read specs/deep/{TEAM_FILE}: its link leads nowhere" in ran.err
    assert "2 specs valid, 1 not" in ran.err


def test_fix_changes_the_specs_and_never_what_they_share(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "serving: {TimeOut: 3s}\n")
    before = (three / TEAM_FILE).read_bytes()
    spec = three / "specs/one.yaml"
    right = spec.read_bytes()

    told, ran = gen("validate", "specs"), gen("validate", "specs", "--fix")

    assert ran.status == 1
    assert "unknown key `TimeOut`" in ran.err
    assert "can be fixed" not in told.err
    assert (three / TEAM_FILE).read_bytes() == before
    assert spec.read_bytes() == right


def test_fix_of_a_spec_sees_the_team_file_too(gen: Gen, three: Path) -> None:
    write(three, STORAGE)
    spec = three / "specs/one.yaml"
    right = spec.read_text() + "serving: {transport: http}\n"
    spec.write_text(right.replace("transport", "Transport"))

    shown = gen("validate", "specs", "--fix", "--diff")
    ran = gen("validate", "specs", "--fix")

    assert "+serving: {transport: http}" in shown.out
    assert TEAM_FILE not in shown.out
    assert ran.status == 0
    assert spec.read_text() == right


def test_explain_names_the_line_of_the_team_file(gen: Gen, three: Path) -> None:
    write(
        three,
        STORAGE + "kubernetes: {namespace: all}\n"
        "environments: {staging: {kubernetes: {namespace: staging}}}\n",
    )
    spec = three / "specs/one.yaml"
    named = "production: {kubernetes: {namespace: own}}"
    spec.write_text(spec.read_text().replace("production: ", named))

    ran = gen("explain", "kubernetes.namespace", "specs/one.yaml", "specs/two.yaml")

    places = [line for line in ran.out.splitlines() if "namespace: " in line[:90] and "(" in line]
    assert [line.split(": ")[0] + line[line.index(" (") :] for line in places] == [
        "specs/one.yaml:8:53 (triton in production)",
        f"{TEAM_FILE}:4:50 (triton in staging)",
        f"{TEAM_FILE}:3:25 (triton in production)",
        f"{TEAM_FILE}:4:50 (triton in staging)",
    ]


def test_explain_tells_in_json_who_says_it(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "targets: {triton: {serving: {timeout: 30s}}}\n")

    ran = gen("explain", "serving.timeout", "specs/one.yaml", "--json")

    [told] = json.loads(ran.out)["values"]
    assert told["origin"] == "team file"
    assert told["place"] == f"{TEAM_FILE}:3:39"
    assert told["path"] == "targets.triton.serving.timeout"


def test_explain_of_a_rendered_line_names_the_line_of_the_team_file(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "kubernetes: {labels: {team: vision}}\n")
    gen("render", "specs")
    path = "rendered/one/staging/triton/manifests/inferenceservice.yaml"
    lines = (three / path).read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "team: vision" in line)

    ran = gen("explain", f"{path}:{number}")

    assert f"  {TEAM_FILE}:3:29: kubernetes.labels.team: vision\n" in ran.out


def test_explain_of_the_file_says_what_to_ask(gen: Gen, three: Path) -> None:
    write(three, STORAGE)

    ran = gen("explain", f"{TEAM_FILE}:2")

    assert ran.status == 2
    assert "holds defaults of specs; name a field, such as images.registry" in ran.err


def test_completion_knows_the_environments_of_specs_alone(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "environments: {canary: {serving: {timeout: 3s}}}\n")

    assert environments(["specs"]) == ["production", "staging"]


def test_editors_have_a_schema_of_the_file(gen: Gen) -> None:
    printed = json.loads(gen("schema", "--defaults").out)

    jsonschema.Draft7Validator.check_schema(printed)
    assert printed == json.loads(json.dumps(defaults_schema()))
    assert "model" not in printed["properties"]
    assert printed["required"] == ["defaults_version"]


@pytest.mark.parametrize(
    ("data", "is_valid"),
    [
        ({"defaults_version": 1}, True),
        ({"defaults_version": 1, "images": {"registry": "docker.io/acme"}}, True),
        ({"defaults_version": 1, "kubernetes": {"namespace": None}}, True),
        ({"defaults_version": 1, "targets": {"triton": None}}, True),
        ({"defaults_version": 1, "environments": {"e": {"perf": {"slo": {}}}}}, True),
        ({"defaults_version": 1, "name": "one"}, False),
        ({"defaults_version": 1, "environments": {"e": {"model": {}}}}, False),
        ({"defaults_version": 1, "targets": {"other": {}}}, False),
        ({"images": {}}, False),
    ],
)
def test_the_schema_takes_what_a_team_may_say(data: dict[str, Any], *, is_valid: bool) -> None:
    assert jsonschema.Draft7Validator(defaults_schema()).is_valid(data) == is_valid


def test_each_key_of_a_map_is_told_where_it_stands(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "kubernetes: {labels: {team: vision, tier: a}}\n")
    spec = three / "specs/one.yaml"
    spec.write_text(spec.read_text() + "kubernetes: {labels: {tier: b}}\n")

    ran = gen("explain", "kubernetes.labels", "specs/one.yaml")
    told = json.loads(gen("explain", "kubernetes.labels", "specs/one.yaml", "--json").out)

    assert f"{TEAM_FILE}:3:29: kubernetes.labels.team: vision" in ran.out
    assert "specs/one.yaml:9:29: kubernetes.labels.tier: b" in ran.out
    assert {each["path"]: each["origin"] for each in told["values"]} == {
        "kubernetes.labels.team": "team file",
        "kubernetes.labels.tier": "spec",
    }


def test_what_the_team_only_begins_is_told_as_such(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "images: {registry: docker.io/acme}\n")

    ran = gen("explain", "images.registry", "specs/one.yaml")

    assert f"{TEAM_FILE}:3:20: images.registry: docker.io/acme" in ran.out
    assert "does not count: specs/one.yaml says nothing of the section" in ran.out
    assert "left out" not in ran.out
    tag = gen("explain", "images.tag", "specs/one.yaml")
    assert "images.tag is left out" in tag.out


def test_a_spec_without_what_its_target_needs_is_told_and_not_tripped_over(
    gen: Gen, three: Path
) -> None:
    for text in ("", "storage: null\n"):
        spec = three / "specs/two.yaml"
        spec.write_text(SPEC + TRITON + text)
        write(three, STORAGE if text else "")

        ran = gen("explain", "kubernetes.namespace", "specs/two.yaml")

        assert ran.status == 1
        assert "triton needs a storage uri to download the bundle from" in ran.err


@pytest.mark.parametrize("uri", ["oci://ghcr.io/acme/models:1", "hf://acme/models"])
@pytest.mark.parametrize(
    "place", ["storage: {{uri: {}}}", "targets: {{triton: {{storage: {{uri: {}}}}}}}"]
)
def test_a_storage_of_one_model_is_no_default(gen: Gen, three: Path, uri: str, place: str) -> None:
    write(three, place.format(f"'{uri}'") + "\n")

    ran = gen("validate", "specs")

    assert ran.status == 1
    assert f"`{uri}` holds one model, and has no folder for each project" in ran.err
    assert ran.err.count("error:") == 1


def test_a_folder_of_the_team_is_told_in_its_words(gen: Gen, three: Path) -> None:
    write(three, STORAGE + "kubernetes: {crds: schemas}\n")

    ran = gen("validate", "specs/one.yaml")

    assert "there is no folder `schemas`" in ran.err
    assert "../schemas" not in ran.err


def test_a_file_beside_one_of_the_right_name_is_not_to_be_renamed_over_it(
    gen: Gen, three: Path
) -> None:
    write(three, STORAGE)
    (three / "serving-defaults.yml").write_text(TEAM)

    ran = gen("validate", "specs")

    assert "rename" not in ran.err
    assert f"move what it says to the {TEAM_FILE} beside it" in ran.err


def test_on_stdin_or_by_another_name_it_is_no_spec_either(gen: Gen, three: Path) -> None:
    (three / "team.yaml").write_text(TEAM + STORAGE)

    ran = gen("validate", "team.yaml")

    assert f"{TEAM_FILE} holds the defaults of specs" in ran.err
    assert "gen validate ." in ran.err
    assert ran.err.count("error:") == 1


def test_lint_tells_what_it_is(gen: Gen, three: Path) -> None:
    write(three, STORAGE)

    ran = gen("lint", TEAM_FILE)

    assert "1 team file (gen validate checks it with each spec)" in ran.out + ran.err


@pytest.mark.parametrize("name", [TEAM_FILE, "specs/one.yaml", "images.lock"])
def test_a_merge_that_is_not_finished_is_told(gen: Gen, three: Path, name: str) -> None:
    write(three, STORAGE)
    with (three / name).open("a") as file:
        file.write("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n")

    ran = gen("validate", "specs/one.yaml")

    assert ran.status == 1
    assert "a merge of git's has left two versions here [yaml/merge-conflict]" in ran.err


def test_a_line_by_its_digest_names_the_lock(gen: Gen, three: Path) -> None:
    write(three, STORAGE)
    server = "nvcr.io/nvidia/tritonserver:26.11-py3"
    digest = f"sha256:{'a' * 64}"
    (three / "images.lock").write_text(f"lock_version: 1\nimages:\n  {server}: {digest}\n")
    gen("render", "specs")
    path = "rendered/one/staging/triton/manifests/servingruntime.yaml"
    lines = (three / path).read_text().splitlines()
    [number] = [n for n, line in enumerate(lines, 1) if "tritonserver" in line and digest in line]

    ran = gen("explain", f"{path}:{number}")

    assert f"images.lock:3: {server}: {digest}" in ran.out


DOCS = (Path(__file__).parents[1] / "docs/defaults.md").read_text(encoding="utf-8")


def test_the_docs_show_what_gen_explain_prints(gen: Gen, tmp_path: Path) -> None:
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", DOCS, re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n{text}")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/digits.py").write_text("class Digits: ...\n")
    [(command, printed)] = re.findall(r"```\n\$ gen (.*?)\n(.*?)```", DOCS, re.DOTALL)

    ran = gen(*command.split())

    assert gen("validate", "specs").status == 0
    assert without_lines(ran.out) == without_lines(printed)


def without_lines(printed: str) -> str:
    """What is printed, without the numbers of rendered lines, which are others' affair."""
    return re.sub(r"^(  rendered/.*?):\d+:", r"\1:", printed, flags=re.MULTILINE)
