"""gen explain: what it prints, its exit status, and how it fails."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ran import Ran
from test_imports import ROOT

from generator import cli
from generator.catalogue import all_documented

CIFAR10 = str(ROOT / "specs" / "cifar10.yaml")
CONFIG = "rendered/cifar10/triton/models/cifar10/config.pbtxt"
Gen = Callable[..., Ran]
WriteSpec = Callable[..., Path]


def test_a_rule_is_told_with_its_source(gen: Gen) -> None:
    ran = gen("explain", "torchserve/end-of-life")

    assert ran.status == 0
    assert ran.out.startswith("torchserve/end-of-life\n")
    assert "  source:   https://github.com/pytorch/serve\n" in ran.out
    assert "  accept:   accepted_warnings: {torchserve/end-of-life: " in ran.out
    assert ran.err == ""


@pytest.mark.parametrize("name", ["schema", "yaml/tag", "kubernetes/schema", "config-pbtxt/syntax"])
def test_a_rule_that_is_no_function_is_told(gen: Gen, name: str) -> None:
    ran = gen("explain", name)

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"{name}\n  ")


def test_a_mistake_is_not_said_to_be_acceptable(gen: Gen) -> None:
    assert (
        "ignore:   gen lint --ignore pods/port-out-of-range"
        in gen("explain", "pods/port-out-of-range").out
    )
    assert "accept:" not in gen("explain", "serving/delay-without-batch").out


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("torchserve/end-of-lif", "there is no rule `torchserve/end-of-lif`; did you mean"),
        ("end-of-life", "did you mean `torchserve/end-of-life`?"),
        ("serving.bathing", "`serving` has no field `bathing`; did you mean `batching`?"),
        ("serving..x", "serving..x: this is no path of a spec"),
        ("servin", "nothing is called `servin`; did you mean `serving`?"),
        ("", "nothing is called ``; name a rule, a field such as serving.batching"),
        ("rendered/one/triton/none.yaml:3", "no spec found here renders it"),
        ("a" * 10_000, "nothing is called `aaa"),
    ],
)
def test_what_nothing_is_called_cannot_be_explained(gen: Gen, what: str, told: str) -> None:
    ran = gen("explain", what)

    assert ran.status == 2
    assert told in ran.err
    assert len(ran.err) < 1000
    assert ran.out == ""


def test_a_field_is_told_with_the_lines_it_makes(gen: Gen) -> None:
    ran = gen("explain", "serving.batching.max_size", CIFAR10)

    assert (ran.status, ran.err) == (0, "")
    assert "  type:     a whole number from 1 to 65536\n" in ran.out
    assert "  used by:  triton, torchserve, seldon\n" in ran.out
    assert f"{CIFAR10}:27:24: serving.batching.max_size: 8 (triton)\n" in ran.out
    assert f"  {CONFIG}:6: max_batch_size: 8\n" in ran.out


def test_the_line_that_is_named_is_the_one_on_disk(gen: Gen) -> None:
    assert gen("render", CIFAR10).status == 0

    for line in gen("explain", "hardware.memory", CIFAR10).out.splitlines():
        if line.startswith("  rendered/"):
            path, number, text = line.strip().split(":", 2)
            assert Path(path).read_text("utf-8").splitlines()[int(number) - 1].strip() in text


def test_a_default_is_told(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("specs/one.yaml")
    ran = gen("explain", "targets.triton.runtime_version")

    assert "specs/one.yaml: targets.triton.runtime_version: 26.11-py3 by default" in ran.out


def test_a_section_lists_its_fields(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("specs/one.yaml")
    ran = gen("explain", "serving.batching")

    assert "  fields:\n    max_size   The largest batch, in samples" in ran.out
    assert "rendered/" not in ran.out


def test_specs_are_found_here(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("deep/one.yaml")
    write_spec("rendered/copied.yaml", name="copied")
    write_spec(".hidden/two.yaml", name="two")
    write_spec("broken.yaml", more="serving: 3\n")
    Path("other.yaml").write_text("kind: Service\n", encoding="utf-8")

    ran = gen("explain", "name")

    assert ran.status == 0
    assert "deep/one.yaml:2:7: name: one (triton)" in ran.out
    assert "copied" not in ran.out
    assert "two" not in ran.out


def test_a_pipe_or_a_large_file_among_the_specs_is_passed_over(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("specs/one.yaml")
    os.mkfifo("specs/pipe.yaml")
    write_spec("specs/large.yaml", name="large", more="#" * 1_000_000)

    ran = gen("explain", "name")

    assert "specs/one.yaml:2:7: name: one (triton)" in ran.out
    assert "large" not in ran.out


def test_the_specs_beside_a_rendered_file_come_before_those_here(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("copy/one.yaml")
    write_spec("project/specs/one.yaml")
    gen("render", "project/specs", "-o", "project/rendered")

    ran = gen("explain", "project/rendered/one/triton/manifests/inferenceservice.yaml:4")

    assert "project/specs/one.yaml:2:7: name: one\n" in ran.out


def test_a_field_is_told_without_any_spec(gen: Gen) -> None:
    ran = gen("explain", "serving.timeout")

    assert (ran.status, ran.err) == (0, "")
    assert "  default:  60s\n  example:  serving: {timeout: 60s}\n" in ran.out


def test_a_spec_with_the_environment_is_found(gen: Gen, write_spec: WriteSpec) -> None:
    for number in range(12):
        write_spec(f"specs/{number:02}.yaml", name=f"other-{number}")
    write_spec("specs/live.yaml", more="environments: {live: }\n")

    ran = gen("explain", "environments.live.hardware.memory")

    assert "specs/live.yaml: hardware.memory: 2Gi by default (triton in live)\n" in ran.out


def test_a_broken_spec_that_is_asked_for_is_refused(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml", more="serving: {timeout: soon}\n")
    ran = gen("explain", "serving.timeout", "one.yaml")

    assert ran.status == 1
    assert "one.yaml:9:20: error: `soon` is not a whole number with its unit" in ran.err


def test_a_spec_that_is_not_there_cannot_be_explained(gen: Gen) -> None:
    assert gen("explain", "serving.timeout", "none.yaml").status == 2


def test_a_line_is_told_with_what_made_it(gen: Gen) -> None:
    ran = gen("explain", f"{CONFIG}:25", CIFAR10)

    assert ran.status == 0
    first, second, *_, last = ran.out.splitlines()
    assert first == f"{CONFIG}:25: preferred_batch_size: [4, 8]"
    assert second == f"  {CIFAR10}:27:27: serving.batching.preferred: [4, 8]"
    assert last == "  template: templates/triton/models/config.pbtxt.j2"


def test_a_line_of_the_template_is_told_as_such(gen: Gen) -> None:
    ran = gen("explain", f"{CONFIG}:1", CIFAR10)

    assert "  no single value of the spec changes it\n" in ran.out


def test_the_template_that_is_told_is_there(gen: Gen) -> None:
    ran = gen("explain", f"{CONFIG}:1", CIFAR10)

    assert (ROOT / ran.out.split("template: ")[1].strip()).is_file()


def test_a_whole_file_is_told_line_by_line(gen: Gen) -> None:
    ran = gen("explain", CONFIG, CIFAR10)
    lines = ran.out.splitlines()

    assert lines[0] == f"{CONFIG}: templates/triton/models/config.pbtxt.j2"
    assert "  the path: left out: targets.triton.names.model" in lines
    assert any(
        line.startswith("serving.batching.max_size") and line.endswith(" 6 | max_batch_size: 8")
        for line in lines
    )


@pytest.mark.parametrize("form", ["{0}", "./{0}", "{1}/{0}"])
def test_a_rendered_file_is_found_by_any_path(gen: Gen, write_spec: WriteSpec, form: str) -> None:
    write_spec("specs/one.yaml")
    gen("render", "specs")
    path = form.format("rendered/one/triton/manifests/inferenceservice.yaml", Path.cwd())

    ran = gen("explain", f"{path}:4")

    assert (ran.status, ran.err) == (0, "")
    assert "specs/one.yaml:2:7: name: one\n" in ran.out


def test_a_file_of_an_environment_is_told(
    gen: Gen, write_spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spec(
        "specs/one.yaml",
        more="environments: {live: {serving: {timeout: 30s}}, test: {serving: {timeout: 40s}}}\n",
    )
    gen("render", "specs")
    file = Path("rendered/one/live/triton/manifests/inferenceservice.yaml")
    number = 1 + file.read_text("utf-8").splitlines().index("    timeout: 30")
    monkeypatch.chdir(file.parent)

    ran = gen("explain", f"{file.name}:{number}")

    assert ran.status == 0
    assert f"{file.name}:{number}: timeout: 30\n" in ran.out
    assert "specs/one.yaml:9:42: environments.live.serving.timeout: 30s\n" in ran.out
    assert "40s" not in ran.out


def test_an_edited_line_is_told_as_such(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("specs/one.yaml")
    gen("render", "specs")
    file = Path("rendered/one/triton/manifests/inferenceservice.yaml")
    file.write_text("# mine\n" + file.read_text("utf-8"), encoding="utf-8")

    mine, moved = gen("explain", f"{file}:1"), gen("explain", f"{file}:5")

    assert mine.status == 1
    assert "no spec makes line 1: # mine" in mine.err
    assert moved.status == 0
    assert "is not what its spec renders" in moved.err
    assert moved.out.startswith(f"{file}:4: name: one\n")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("rendered/one/triton/README.md:9999", "README.md has "),
        ("rendered/one/triton/README.md:0", "README.md has "),
        ("rendered/one/triton", "is a folder; name a file in it"),
        ("rendered/one/triton/none.yaml", "specs/one.yaml renders no such file"),
        ("rendered/one/.serving-generator:3", "gen's own list of what it has rendered"),
        ("specs/one.yaml:3", "specs/one.yaml is a spec; name a field of it"),
        ("build/one/triton/models/one/1/model.pt", "gen export makes what lies under build/"),
    ],
)
def test_what_is_no_rendered_line_cannot_be_explained(
    gen: Gen, write_spec: WriteSpec, what: str, told: str
) -> None:
    write_spec("specs/one.yaml")
    gen("render", "specs")

    ran = gen("explain", what)

    assert ran.status == 2
    assert told in ran.err


def test_nothing_is_written(gen: Gen, write_spec: WriteSpec) -> None:
    spec = write_spec("specs/one.yaml")

    gen("explain", "name")
    gen("explain", "rendered/one/triton/README.md:1")

    assert [path for path in Path().rglob("*") if path.is_file()] == [spec.relative_to(Path.cwd())]


def test_json_of_each(gen: Gen) -> None:
    rule = json.loads(gen("explain", "--json", "torchserve/end-of-life").out)["rule"]
    field = json.loads(gen("explain", "--json", "serving.batching.max_size", CIFAR10).out)
    line = json.loads(gen("explain", "--json", f"{CONFIG}:6", CIFAR10).out)["rendered"]

    assert (rule["name"], rule["warns"]) == ("torchserve/end-of-life", True)
    assert field["field"]["type"] == "a whole number from 1 to 65536"
    assert (CONFIG, 6) in {(end["path"], end["line"]) for end in field["values"][0]["ends"]}
    assert [each["number"] for each in line["lines"]] == [6]
    assert line["lines"][0]["causes"][0]["path"] == "serving.batching.max_size"


def test_json_of_every_rule(gen: Gen) -> None:
    for name in list(all_documented())[::40]:
        assert json.loads(gen("explain", name, "--json").out)["rule"]["text"]


WORDS = st.sampled_from(["serving", "name", "rendered", "one", "triton", "schema", "x", "targets"])
SIGNS = st.sampled_from([".", "/", ":", "[0]", "[", "]", "\0", "-", " ", "1", "\n", '"', "..", "é"])
WHAT = st.lists(WORDS | SIGNS, max_size=8).map("".join) | st.text(max_size=30)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(what=WHAT)
def test_any_words_are_explained_or_refused(what: str, gen: Gen) -> None:
    status = cli.main(["explain", "--", what])

    assert status in (0, 1, 2)


EXAMPLE = re.compile(r"```\n\$ gen (?P<command>[^\n]+)\n(?P<printed>.*?)```", re.S)
EXAMPLES = EXAMPLE.findall((ROOT / "docs" / "explain.md").read_text("utf-8"))


@pytest.mark.parametrize(("command", "printed"), EXAMPLES)
def test_the_document_shows_what_is_printed(
    gen: Gen, monkeypatch: pytest.MonkeyPatch, command: str, printed: str
) -> None:
    monkeypatch.chdir(ROOT)

    assert gen(*command.split()).out == printed


def test_the_document_has_examples_of_a_field_and_a_line() -> None:
    assert len(EXAMPLES) == 2
