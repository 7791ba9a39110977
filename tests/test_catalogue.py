"""The catalogue holds every rule that can be told, each with sentences and what it looks at."""

import ast
import re
from pathlib import Path

import pytest
from test_imports import ROOT, loaded_by
from test_invalid import all_rules

from generator import catalogue, model_config_rules, webhook_rules
from generator.catalogue import all_documented, documented

NAMES = sorted(all_documented())


def test_every_rule_that_a_spec_can_break_is_documented() -> None:
    assert all_rules() - set(NAMES) == set()


def test_every_rule_on_manifests_and_configs_is_documented() -> None:
    named = {**webhook_rules.all_rules(), "config-pbtxt": model_config_rules.RULES}
    rules = {f"{area}/{rule.__name__.replace('_', '-')}" for area in named for rule in named[area]}

    assert rules - set(NAMES) == set()


def test_words_that_no_function_stands_for_are_used_in_the_code() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "generator").rglob("*.py")]
    own = Path(catalogue.__file__).read_text("utf-8")
    others = "\n".join(text for text in texts if text != own)

    unused = [name for name in catalogue._OF_NO_FUNCTION if f'"{name}"' not in others]

    assert unused == []


def test_every_diagnostic_that_the_code_makes_names_a_rule() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "generator").rglob("*.py")]
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    made = [call for call in calls if getattr(call.func, "id", "") == "Diagnostic"]
    rules = {call.args[3].value for call in made if isinstance(call.args[3], ast.Constant)}

    assert "render/drift" in rules
    assert rules - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_says_something(name: str) -> None:
    rule = all_documented()[name]

    assert re.fullmatch(r"[a-z0-9-]+(/[a-z0-9-]+)?", rule.name)
    assert rule.area == name.partition("/")[0]
    assert len(rule.summary) > 15
    assert rule.summary[-1] in ".]`:" or rule.summary in " ".join(rule.text.split())
    assert rule.judges


def test_words_in_brackets_are_explained_by_the_sources() -> None:
    rule = documented("kserve/two-predictors")

    assert rule
    assert "[validation]" in rule.text
    assert any(source.startswith("[validation] pkg/apis/serving") for source in rule.sources)


def test_every_word_in_brackets_has_its_meaning() -> None:
    silent = {
        rule.name: word
        for rule in all_documented().values()
        for word in re.findall(r"\[([a-z][a-z0-9 .-]*)\]", rule.text)
        if not any(source.startswith(f"[{word}]") for source in rule.sources)
    }

    assert silent == {}


def test_sources_lead_to_a_file_by_themselves() -> None:
    leading_nowhere = {
        rule.name: source
        for rule in all_documented().values()
        for source in rule.sources
        if re.search(r"\b(beside|below) (it\b|\[)|\bof that name\b", source)
        or (source.count(".go") and "/" not in source.partition(" (")[0])
    }

    assert leading_nowhere == {}


def test_links_are_sources() -> None:
    rule = documented("torchserve/end-of-life")

    assert rule
    assert rule.sources == ("https://github.com/pytorch/serve",)


def test_tells_which_rules_warn() -> None:
    end_of_life, mistake = (
        documented("torchserve/end-of-life"),
        documented("serving/delay-without-batch"),
    )

    assert end_of_life
    assert mistake
    assert not mistake.warns


def test_an_unknown_rule_is_not_documented() -> None:
    assert documented("triton/no-such-rule") is None


def test_validating_does_not_load_the_catalogue(tmp_path: Path) -> None:
    spec = str(ROOT / "specs" / "cifar10.yaml")
    modules = loaded_by(f"from generator import cli; cli.main(['validate', {spec!r}])", tmp_path)

    assert "generator.validate" in modules
    assert not {name for name in modules if name.startswith("generator.explain")}
