"""Every format tells the same result, is what its readers take, and bears any text."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from generator.diagnostics import Diagnostic, Fix, Related, Span
from generator.reports import FORMATS, NAMES
from generator.result import COULD_NOT_RUN, DONE, REFUSED, Result

Gen = Callable[..., Any]  # of conftest.py: status, out, err
WriteSpec = Callable[..., Path]

CONTRADICTION = Diagnostic(
    "specs/a.yaml",
    Span(14, 7, 16),
    "preferred batch 16 exceeds max_size 8",
    "triton/preferred-batch-too-large",
    "drop 16",
    "      preferred: [4, 16]",
    related=(Related("specs/a.yaml", Span(12, 5, 13), "8 here", "    max_size: 8"),),
)
FIXABLE = Diagnostic(
    "specs/b.yaml",
    Span(3, 6, 10),
    "`1.10` is a number in YAML",
    "schema",
    'quote it: "1.10"',
    "tag: 1.10",
    fix=Fix(Span(3, 6, 10), '"1.10"'),
)
WARNING = Diagnostic(
    "specs/c.yaml", Span(1, 1, 5), "it is old", "torchserve/end-of-life", severity="warning"
)


def result(*diagnostics: Diagnostic, **more: Any) -> Result:
    """A result of three files, of which some have mistakes."""
    made = Result(**more)
    for path in ("specs/a.yaml", "specs/b.yaml", "specs/c.yaml"):
        made.check(path)
    made.add(diagnostics)
    return made


def test_the_status_is_that_of_the_worst() -> None:
    could_not = result(CONTRADICTION)
    could_not.failures.append("cannot read d.yaml: Permission denied")

    assert result().status == DONE
    assert result(WARNING).status == DONE
    assert result(WARNING, strict=True).status == REFUSED
    assert result(CONTRADICTION).status == REFUSED
    assert could_not.status == COULD_NOT_RUN


def test_concise_is_a_line_for_each() -> None:
    assert FORMATS["concise"](result(CONTRADICTION, WARNING)) == (
        "specs/a.yaml:14:7: error: preferred batch 16 exceeds max_size 8"
        " [triton/preferred-batch-too-large]\n"
        "specs/c.yaml:1:1: warning: it is old [torchserve/end-of-life]\n"
    )


def test_json_holds_all_there_is() -> None:
    told = json.loads(FORMATS["json"](result(CONTRADICTION, FIXABLE)))

    assert told["version"] == 1
    assert told["diagnostics"][0] == {
        "path": "specs/a.yaml",
        "line": 14,
        "column": 7,
        "end_column": 16,
        "severity": "error",
        "rule": "triton/preferred-batch-too-large",
        "message": "preferred batch 16 exceeds max_size 8",
        "hint": "drop 16",
        "related": [
            {"path": "specs/a.yaml", "line": 12, "column": 5, "end_column": 13, "message": "8 here"}
        ],
        "fix": None,
    }
    assert told["diagnostics"][1]["fix"] == {
        "line": 3,
        "column": 6,
        "end_column": 10,
        "text": '"1.10"',
    }
    assert told["summary"] == {
        "checked": 3,
        "errors": 2,
        "warnings": 0,
        "fixed": 0,
        "passed_over": {},
        "status": 1,
    }


def unescaped(line: str) -> tuple[dict[str, str], str]:
    """The properties and the message of a workflow command, as GitHub's runner reads them."""
    found = re.fullmatch(r"::(?:error|warning)(?: (.*?))?::(.*)", line)
    assert found, line

    def plain(text: str) -> str:
        for character, escape in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
            text = text.replace(escape, character)
        return text.replace("%25", "%")

    pairs = (pair.split("=", 1) for pair in (found[1] or "").split(",") if pair)
    return {name: plain(value) for name, value in pairs}, plain(found[2])


def test_github_points_at_the_place_and_says_the_rule() -> None:
    [line] = FORMATS["github"](result(CONTRADICTION)).splitlines()

    assert line.startswith("::error file=specs/a.yaml,line=14,col=7,endColumn=16,title=triton/")
    assert unescaped(line)[1] == (
        "preferred batch 16 exceeds max_size 8\nhelp: drop 16\nspecs/a.yaml:12:5: 8 here"
    )


def test_github_escapes_what_its_commands_are_made_of() -> None:
    odd = Diagnostic("a:b,c%.yaml", Span(1, 1, 2), "100 % :: of %0A, all", "schema")

    [line] = FORMATS["github"](result(odd)).splitlines()

    assert line == (
        "::error file=a%3Ab%2Cc%25.yaml,line=1,col=1,endColumn=2,title=schema"
        "::100 %25 :: of %250A, all"
    )


def test_github_has_no_file_for_standard_input() -> None:
    [line] = FORMATS["github"](
        result(Diagnostic("<stdin>", Span(1, 1, 2), "it is wrong", "schema"))
    ).splitlines()

    assert line == "::error title=schema::it is wrong"


TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"minLength": 1}}}
REGION = {
    "type": "object",
    "required": ["startLine", "startColumn", "endColumn"],
    "additionalProperties": {"type": "integer", "minimum": 1},
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "message": TEXT,
        "physicalLocation": {
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "required": ["uri"],
                    "properties": {"uri": {"pattern": r"^[A-Za-z0-9\-._~/%:!$&'()*+,;=@]+$"}},
                    "additionalProperties": False,
                },
                "region": REGION,
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results", "columnKind", "invocations"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "version", "rules"],
                                "properties": {
                                    "rules": {
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "fullDescription": TEXT,
                                                "help": TEXT,
                                            },
                                            "additionalProperties": False,
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "invocations": {
                        "items": {
                            "required": ["executionSuccessful"],
                            "properties": {
                                "toolExecutionNotifications": {
                                    "items": {
                                        "required": ["message"],
                                        "properties": {"message": TEXT},
                                    }
                                }
                            },
                        }
                    },
                    "results": {
                        "items": {
                            "required": ["message", "ruleId", "level", "locations"],
                            "properties": {
                                "message": TEXT,
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "locations": {"items": LOCATION},
                                "relatedLocations": {"items": LOCATION, "uniqueItems": True},
                                "fixes": {"items": {"required": ["artifactChanges"]}},
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                            },
                        }
                    },
                },
            }
        },
    },
}
"""What the standard asks of the parts that are written here: OASIS, SARIF 2.1.0, section 3."""


def sarif(made: Result) -> Any:
    """The only run of a SARIF log that is well made."""
    log = json.loads(FORMATS["sarif"](made))
    jsonschema.Draft7Validator(SARIF).validate(log)
    [run] = log["runs"]
    for found in run["results"]:
        assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == found["ruleId"]
    return run


def test_sarif_tells_places_rules_and_fixes() -> None:
    run = sarif(result(CONTRADICTION, FIXABLE, WARNING))

    first, second, third = run["results"]
    assert first["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 12
    assert first["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "specs/a.yaml"}
    [replacement] = second["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement == {
        "deletedRegion": {"startLine": 3, "startColumn": 6, "endColumn": 10},
        "insertedContent": {"text": '"1.10"'},
    }
    assert [found["level"] for found in (first, second, third)] == ["error", "error", "warning"]
    assert [place["location"]["uri"] for place in run["artifacts"]][1:] == [
        "specs/b.yaml",
        "specs/c.yaml",
    ]


def test_sarif_has_the_documentation_of_a_rule() -> None:
    told = sarif(result(CONTRADICTION))["tool"]["driver"]["rules"][0]

    assert told["id"] == "triton/preferred-batch-too-large"
    assert "batch" in told["fullDescription"]["text"]


def fingerprints(*diagnostics: Diagnostic) -> list[str]:
    results = sarif(result(*diagnostics))["results"]
    return [value for found in results for value in found["partialFingerprints"].values()]


def test_fingerprints_stay_when_lines_above_come_and_go() -> None:
    moved = replace(CONTRADICTION, span=Span(20, 7, 16))

    assert fingerprints(CONTRADICTION) == fingerprints(moved)


def test_fingerprints_of_two_like_mistakes_differ() -> None:
    again = replace(CONTRADICTION, span=Span(20, 7, 16))

    assert len(set(fingerprints(CONTRADICTION, again, FIXABLE))) == 3


def test_sarif_escapes_what_no_uri_holds() -> None:
    odd = Diagnostic("a b/ü%#?\udcff.yaml", Span(1, 1, 2), "it is wrong", "schema")

    [found] = sarif(result(odd))["results"]

    uri = found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%20b/%C3%BC%25%23%3F%FF.yaml"


def test_sarif_tells_what_could_not_run() -> None:
    made = result()
    made.failures.append("cannot read d.yaml: Permission denied")

    [invocation] = sarif(made)["invocations"]

    assert invocation["executionSuccessful"] is False
    [told] = invocation["toolExecutionNotifications"]
    assert told["message"]["text"] == "cannot read d.yaml: Permission denied"


def test_junit_has_a_test_for_each_file() -> None:
    made = result(CONTRADICTION, WARNING)
    made.failures.append("cannot read d.yaml: Permission denied")

    root = ElementTree.fromstring(FORMATS["junit"](made))

    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert list(cases) == ["specs/a.yaml", "specs/b.yaml", "specs/c.yaml", "could not run"]
    failure = cases["specs/a.yaml"].find("failure")
    assert failure is not None
    assert failure.get("type") == "triton/preferred-batch-too-large"
    assert "14 |       preferred: [4, 16]" in (failure.text or "")
    assert list(cases["specs/b.yaml"]) == []
    assert [child.tag for child in cases["specs/c.yaml"]] == ["system-out"]


ANY_TEXT = st.text(st.characters(), max_size=60) | st.sampled_from(
    ["::error::", "a\nb", "%0A", "\x00\x1b[31m", "]]>", "&<\"'", "\ud800", "\u2028", "x" * 5000]
)
SPANS = st.builds(Span, *[st.integers(1, 10_000)] * 3)
DIAGNOSTICS = st.builds(
    Diagnostic,
    path=ANY_TEXT.filter(bool),
    span=SPANS,
    message=ANY_TEXT,
    rule=st.sampled_from(["schema", "yaml/syntax", "area/rule"]),
    hint=ANY_TEXT,
    source=ANY_TEXT,
    severity=st.sampled_from(["error", "warning"]),
    related=st.lists(st.builds(Related, ANY_TEXT.filter(bool), SPANS, ANY_TEXT, ANY_TEXT)).map(
        tuple
    ),
    fix=st.none() | st.builds(Fix, SPANS, ANY_TEXT),
)
RESULTS = st.builds(
    Result,
    diagnostics=st.lists(DIAGNOSTICS, max_size=4),
    failures=st.lists(ANY_TEXT, max_size=2),
    checked=st.lists(ANY_TEXT.filter(bool), max_size=3),
)
HOSTILE = Diagnostic("a\n::error::%", Span(1, 1, 2), "\x00\x1b\ud800\r\n]]>", "schema", "\u2028")


@given(RESULTS)
@example(Result(diagnostics=[HOSTILE], failures=["\x00\ud800"]))
def test_json_is_json_whatever_it_tells(made: Result) -> None:
    told = json.loads(FORMATS["json"](made).encode("utf-8"))

    assert len(told["diagnostics"]) == len(made.diagnostics)


@given(RESULTS)
@example(Result(diagnostics=[HOSTILE], failures=["\x00\ud800"]))
def test_sarif_is_sarif_whatever_it_tells(made: Result) -> None:
    assert len(sarif(made)["results"]) == len(made.diagnostics)


@given(RESULTS)
@example(Result(diagnostics=[HOSTILE], failures=["\x00\ud800"]))
def test_junit_is_xml_whatever_it_tells(made: Result) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](made).encode("utf-8"))

    assert len(list(root.iter("testcase"))) == int(root.get("tests", ""))


@given(RESULTS)
@example(Result(diagnostics=[HOSTILE], failures=["\x00\ud800"]))
def test_concise_and_github_have_a_line_for_each_whatever_they_tell(made: Result) -> None:
    concise = FORMATS["concise"](made).encode("utf-8", "backslashreplace").decode()
    github = FORMATS["github"](made).encode("utf-8").decode()

    assert len(concise.splitlines()) == len(made.diagnostics)
    assert len(github.splitlines()) == len(made.diagnostics) + len(made.failures)
    for line, diagnostic in zip(github.splitlines(), made.diagnostics, strict=False):
        assert unescaped(line)[0]["title"] == diagnostic.rule


# On the command line


BROKEN = "hardware: {cpu: -1}\n"


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_has_stdout_and_people_have_stderr(
    gen: Gen, write_spec: WriteSpec, form: str
) -> None:
    write_spec("one.yaml", more=BROKEN)

    ran = gen("validate", "one.yaml", "--format", form)

    assert ran.status == 1
    assert "one.yaml" in ran.out
    assert "-1 is not above 0" in ran.out
    assert ran.err == "0 specs valid, 1 not\n"


def test_a_format_goes_to_a_file_and_leaves_stdout(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("one.yaml")

    ran = gen("render", "one.yaml", "-f", "json", "--output-file", "found.json", "-o", "-")

    assert ran.status == 0
    assert ran.out.startswith("---\n# one/triton/manifests/")
    assert json.loads((tmp_path / "found.json").read_text())["summary"]["checked"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["validate", "one.yaml", "--output-file", "x"], "--output-file takes a --format of"),
        (["render", "one.yaml", "-o", "-", "-f", "sarif"], "manifests take stdout"),
        (["validate", "one.yaml", "-f", "xml"], "'xml' is not one of"),
        (
            ["validate", "one.yaml", "-f", "json", "--output-file", "no/such/folder"],
            "gen: cannot write no/such/folder: No such file or directory",
        ),
        (["validate", "one.yaml", "--diff"], "--diff shows what --fix would change"),
        (["validate", "one.yaml", "-f", "json", "--output-file", ""], "the name is empty"),
        (["validate", "-", "--fix", "-f", "json"], "fixed text takes stdout"),
        (["validate", "one.yaml", "--fix", "--diff", "-f", "json"], "fixed text takes stdout"),
    ],
)
def test_what_cannot_be_told_exits_2(
    gen: Gen, write_spec: WriteSpec, arguments: list[str], told: str
) -> None:
    write_spec("one.yaml")

    ran = gen(*arguments)

    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err


def test_what_could_not_run_stands_in_the_document_too(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml")

    ran = gen("validate", "one.yaml", "missing.yaml", "--format", "json")

    assert ran.status == 2
    told = json.loads(ran.out)
    assert told["failures"] == ["cannot read missing.yaml: No such file or directory"]
    assert told["summary"]["status"] == 2
    assert "gen: cannot read missing.yaml" in ran.err


@pytest.mark.parametrize("wrong", [("--crds", "nothere"), ("--release", "foo=1")])
def test_a_cluster_that_is_not_known_stands_in_the_document_of_lint(
    gen: Gen, wrong: tuple[str, str]
) -> None:
    ran = gen("lint", ".", *wrong, "--format", "json")

    assert ran.status == 2
    assert json.loads(ran.out)["summary"]["status"] == 2
    assert len(json.loads(ran.out)["failures"]) == 1


def test_what_stops_a_run_stands_in_the_document_too(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml")

    ran = gen("validate", "one.yaml", "--target", "tritn", "--format", "junit")

    assert ran.status == 2
    [error] = ElementTree.fromstring(ran.out).iter("error")
    assert (error.get("message") or "").startswith("unknown target tritn")


def test_drift_stands_in_the_document_file_by_file(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("one.yaml")
    gen("render", ".")
    (tmp_path / "rendered/one/triton/models/one/config.pbtxt").write_text("edited\n")

    ran = gen("render", ".", "--check", "--format", "concise")

    assert ran.status == 1
    assert ran.out == (
        "rendered/one/triton/models/one/config.pbtxt:1:1: error: is not what its spec renders"
        " [render/drift]\n"
    )
    assert "-edited\n" in ran.err


DOUBTFUL = "serving: {timeout: 20m}\n"  # longer than Knative lets a request take by default


@pytest.mark.parametrize("command", [["validate"], ["render"], ["render", "--check"]])
def test_strict_makes_errors_of_warnings_and_writes_nothing(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path, command: list[str]
) -> None:
    write_spec("one.yaml", more=DOUBTFUL)

    ran = gen(*command, "one.yaml", "--strict")

    assert (ran.status, ran.out) == (1, "")
    assert " error: " in ran.err
    assert " warning: " not in ran.err
    assert not (tmp_path / "rendered").exists()


def test_without_strict_a_warning_is_no_failure(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml", more=DOUBTFUL)

    ran = gen("validate", "one.yaml")

    assert ran.status == 0
    assert " warning: " in ran.err


def test_strict_leaves_accepted_warnings_quiet(gen: Gen, write_spec: WriteSpec) -> None:
    accepted = "accepted_warnings: {triton/timeout-over-knatives: the cluster allows more}\n"
    write_spec("one.yaml", more=DOUBTFUL + accepted)

    assert gen("validate", "one.yaml", "--strict") == (0, "", "1 spec valid\n")


def test_text_tells_the_other_place_of_a_contradiction(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("a.yaml")
    write_spec("b.yaml")

    ran = gen("validate", "a.yaml", "b.yaml")

    assert (
        "   = help: each project of a run has a name of its own\n"
        "b.yaml:2:7: note: the same name\n"
        "  |\n"
        "2 | name: one\n"
        "  |       ^^^\n"
    ).replace("   = help", "  = help") in ran.err


# docs/diagnostics.md

DOCUMENT = (Path(__file__).parents[1] / "docs/diagnostics.md").read_text(encoding="utf-8")


def test_the_document_shows_what_gen_prints(tmp_path: Path) -> None:
    [(path, spec)] = re.findall(r"```yaml\n# (specs/\S+)\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(spec)
    (tmp_path / "specs/digits.pt").touch()
    [result_shown] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    examples = re.findall(r"```console\n\$ gen ([^\n]*)\n(.*?)```", DOCUMENT, re.DOTALL)

    log = json.loads(printed(["validate", "specs", "-f", "sarif"], tmp_path).partition("\n")[2])

    assert json.loads(result_shown) == log["runs"][0]["results"][0]
    assert len(examples) > 5
    for arguments, shown in examples:  # in their order: --fix changes the spec
        assert printed(arguments.split(), tmp_path) == shown


def printed(arguments: list[str], folder: Path) -> str:
    """What a reader sees on a terminal, without its colours."""
    command = [sys.executable, "-m", "generator", *arguments]
    variables = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    ran = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ran.stdout


def test_the_document_tells_every_format() -> None:
    assert [name for name in NAMES if f"| `{name}` |" not in DOCUMENT] == []


@pytest.mark.parametrize("name", ["a\tb\nc.yaml", "\"<&>'.yaml"])
def test_junit_gives_back_the_name_that_it_was_given(name: str) -> None:
    made = Result(checked=[name])

    [case] = ElementTree.fromstring(FORMATS["junit"](made)).iter("testcase")

    assert case.get("name") == name
