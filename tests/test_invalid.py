"""Broken and doubtful specs and the exact text that `gen validate` prints of each.

`tests/invalid/<area>-<rule>.yaml` has the text beside it as `.txt`. After a change of messages,
`REWRITE=1 pytest tests/test_invalid.py` writes the texts anew; read every line of the diff as a
user would before it is committed.
"""

import ast
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from generator import image_rules
from generator.cli import main
from generator.rules import RULES
from generator.targets import TARGETS

FOLDER = Path(__file__).parent / "invalid"
PACKAGE = Path(__file__).parents[1] / "generator"
SPECS = sorted(path.name for path in FOLDER.glob("*.yaml"))
TOLD = re.compile(
    r"(?:error|warning): (?P<message>.+) \[(?P<rule>[a-z-]+(?:/[a-z0-9-]+)?)\]$", re.M
)
HELP = re.compile(r" = help: (.+)$", re.M)
NOT_FROM_A_SPEC = {
    "compose/schema": "no text of a user's reaches a key of compose.yaml",
    "images/not-locked": "takes a lock beside it: tests/test_image_lock.py",
    "images/of-the-cluster": "takes a lock beside it: tests/test_image_lock.py",
    "json/syntax": "no text of a user's reaches JSON but through its encoder",
    "python/syntax": "users' files are held against Python by a rule of transforms",
    "config-pbtxt/syntax": "the rules on triton refuse earlier what this twin of Triton refuses",
    "specs/application-used-twice": "takes two specs: tests/test_argo_cd_repository.py",
    "specs/name-used-twice": "takes two specs: tests of the command line",
    "yaml/too-large": "takes a file of a megabyte: tests/test_source.py",
}


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    status = main(["validate", name])
    told = capsys.readouterr()
    assert told.out == ""
    assert status == (1 if " error: " in told.err else 0)  # a warning alone is no failure
    return told.err


@pytest.mark.parametrize("name", SPECS)
def test_says_what_is_wrong(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    expected = (FOLDER / name).with_suffix(".txt")

    text = printed(name, capsys)

    if os.environ.get("REWRITE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_examples_are_named_after_their_rules() -> None:
    misnamed = [
        name
        for name in SPECS
        if not any(name.startswith(rule.replace("/", "-")) for _, rule in told(name))
    ]

    assert misnamed == []


def test_every_rule_has_an_example() -> None:
    shown = {rule for name in SPECS for _, rule in told(name)}

    assert all_rules() - set(NOT_FROM_A_SPEC) - shown == set()


def test_exceptions_are_rules_without_an_example() -> None:
    shown = {rule for name in SPECS for _, rule in told(name)}

    assert set(NOT_FROM_A_SPEC) <= all_rules() - shown


def test_messages_are_lower_case_lines_without_a_full_stop() -> None:
    messages = [message for name in SPECS for message, _ in told(name)]

    for message in messages:
        assert not message[0].isupper() or message.split()[0] in PROPER_NAMES, message
        assert not message.endswith((".", "!", ":")) or message.endswith("and ."), message
        assert len(message) <= 200, message


PROPER_NAMES = {
    "Knative",
    "N",
    "Python",
    "Seldon",
    "Seldon's",
    "Standard",
    "TORCH_SERVER",
    "TRITON_SERVER",
    "TorchServe",
}


def test_hints_say_more_than_messages() -> None:
    for name in SPECS:
        messages = {message for message, _ in told(name)}
        hints = HELP.findall((FOLDER / name).with_suffix(".txt").read_text(encoding="utf-8"))

        assert not messages & set(hints)
        assert not any(hint.endswith((".", "!")) for hint in hints)


def test_every_text_has_its_spec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {Path(name).stem for name in SPECS}


def told(name: str) -> list[tuple[str, str]]:
    """The messages of an expected text, each with its rule."""
    text = (FOLDER / name).with_suffix(".txt").read_text(encoding="utf-8")
    return [(found["message"], found["rule"]) for found in TOLD.finditer(text)]


def all_rules() -> set[str]:
    """The name of every rule: of functions in RULES, and of words in the code."""
    named = {**RULES} | {target.name: target.rules for target in TARGETS.values()}
    named |= {image_rules.AREA: image_rules.RULES}
    # Of a rule that several targets adopt, the first one's example is enough.
    adopted = {rule.__wrapped__: area for area, rule in reversed(_wrapped(named))}
    functions = {
        f"{adopted.get(getattr(rule, '__wrapped__', rule), area)}/{rule.__name__.replace('_', '-')}"
        for area, rules in named.items()
        for rule in rules
    }
    # Rules on manifests and server configs have tests of their own; here is that they are told.
    twins = {"compose/schema", "config-pbtxt/syntax", "json/syntax", "kubernetes/schema"}
    twins |= {"python/syntax", "kserve/replicas-reversed"}
    return functions | twins | {"schema"} | set(_words(*WITH_RULES))


def _wrapped(named: Mapping[str, Iterable[Any]]) -> list[tuple[str, Any]]:
    return [
        (area, rule)
        for area, rules in named.items()
        for rule in rules
        if hasattr(rule, "__wrapped__")
    ]


def _words(*modules: str) -> list[str]:
    trees = [ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8")) for name in modules]
    texts = [
        node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)
    ]
    return [text for text in texts if isinstance(text, str) and RULE.fullmatch(text)]


WITH_RULES = ("source", "yaml_nodes", "validate", "pipeline", "runs/conflicts")
RULE = re.compile(r"(yaml|model|specs|patches|also-serves|accepted-warnings|names)/[a-z0-9-]+")
