"""A rule that is left out because none of its words stands anywhere would have said nothing."""

import copy
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import test_network_policy
import test_pod_security
import test_webhook_kinds
import test_webhook_rules
import test_webhook_seldon
import test_webhook_seldon_v2
import yaml
from test_imports import loaded_by

from generator import webhook_rules
from generator.webhook_rules.nodes import Found, Rendered, Rule

ROOT = Path(__file__).resolve().parent.parent
Manifests = Mapping[PurePosixPath, dict[str, Any]]
NO_FILES = frozenset[PurePosixPath]()


def numbered(manifests: Any) -> Manifests:
    return {PurePosixPath(f"all.yaml#{n}"): each for n, each in enumerate(manifests, 1)}


def rendered_folder(target: Path) -> Manifests:
    return {
        PurePosixPath(path.relative_to(target)): yaml.safe_load(path.read_text("utf-8"))
        for path in sorted(target.rglob("*.yaml"))
    }


def examples() -> Iterator[Manifests]:
    """What is taken and refused in the tests of the rules, and what is rendered."""
    kinds, rules, seldon = test_webhook_kinds, test_webhook_rules, test_webhook_seldon
    yield from (numbered(each) for each in kinds.TAKEN.values())
    yield from (numbered(kinds.changed(name, c)) for name, c, _ in kinds.REFUSED.values())
    yield from (rules.changed(changes) for changes, _ in rules.REFUSED.values())
    yield from (numbered(seldon.changed(changes)) for changes, _ in seldon.REFUSED.values())
    v2 = test_webhook_seldon_v2
    yield from (numbered([one]) for one, _ in [*v2.REFUSED.values(), *v2.WHOLE.values()])
    yield numbered(v2.resource("Experiment", "{default: both}", name) for name in "ab")
    security = test_pod_security
    yield from (numbered([security.pod(own, changes)]) for own, changes, *_ in security.BAD)
    yield numbered([security.pod({}, security.context(readOnlyRootFilesystem=False))])
    yield numbered([kinds.changed("objects", {"3:data a.txt": "x" * 1_100_000})[2]])
    policies = test_network_policy
    for spec in (
        {"podSelector": {}, "ingress": [{"ports": [{"port": 0}]}]},
        {"podSelector": {"matchLabels": {"component": "none"}}},
    ):
        yield numbered([policies.policy(spec), policies.DEPLOYMENT, policies.SERVICE])
    for target in sorted((ROOT / "rendered").glob("**/manifests/kustomization.yaml")):
        yield rendered_folder(target.parents[1])


EXAMPLES = list(examples())


def words_of_rules() -> Iterator[tuple[Rule, frozenset[str]]]:
    """Each rule that waits for words, with those of its module and with its own."""
    for modules in webhook_rules.AREAS.values():
        for module, words in modules.items():
            loaded = import_module(f"generator.webhook_rules.{module}")
            for rule in loaded.RULES:
                if words:
                    yield rule, frozenset(words)
            for rule, own in getattr(loaded, "ONLY_WITH", {}).items():
                assert rule in loaded.RULES
                yield rule, frozenset(own)


WORDS = list(words_of_rules())


def rendered(manifests: Manifests, *, whole: bool) -> Rendered:
    nodes = tuple(webhook_rules.nodes(manifests, whole=whole))
    return Rendered(nodes, NO_FILES, whole, "restricted")


def said(rule: Rule, manifests: Manifests, *, whole: bool) -> list[Found]:
    return list(rule(rendered(manifests, whole=whole)))


def without(value: Any, words: frozenset[str]) -> Any:
    """A value in which some words stand neither as keys nor as texts."""
    if isinstance(value, dict):
        return {key: without(held, words) for key, held in value.items() if key not in words}
    if isinstance(value, list):
        return [without(held, words) for held in value]
    return "another" if isinstance(value, str) and value in words else value


def with_one_value_gone(manifests: Manifests) -> Iterator[Manifests]:
    """The manifests, each time with other values of them empty."""

    def places(value: Any) -> Iterator[tuple[Any, Any]]:
        for key, held in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            if isinstance(held, dict | list):
                yield from places(held)

    number = sum(1 for manifest in manifests.values() for _ in places(manifest))
    for index in range(0, number, 5):
        left: Any = (None, {}, [], "x")[index // 5 % 4]
        changed = copy.deepcopy(dict(manifests))
        every = (place for manifest in changed.values() for place in places(manifest))
        holder, key = next(islice(every, index, None))
        holder[key] = left
        yield changed


def of_every_rule(manifests: Manifests, *, whole: bool) -> list[str]:
    return [
        repr(found)
        for rules in webhook_rules.all_rules().values()
        for rule in rules
        for found in said(rule, manifests, whole=whole)
    ]


def of_those_asked(manifests: Manifests, *, whole: bool) -> list[str]:
    found = webhook_rules.refusals(manifests, NO_FILES, whole=whole, standard="restricted")
    return [
        repr((file, refusal)).replace(f"rule={refusal.rule!r}", "rule=''")
        for file, refusal in found
    ]


@pytest.mark.parametrize("whole", [True, False])
def test_all_that_every_rule_says_is_told(whole: bool) -> None:
    told = 0
    for manifests in EXAMPLES:
        expected = of_every_rule(manifests, whole=whole)
        told += len(expected)

        assert of_those_asked(manifests, whole=whole) == expected
    assert told > len(EXAMPLES) / 2


@pytest.mark.parametrize("name", test_webhook_kinds.TAKEN)
def test_all_is_told_of_manifests_with_a_value_gone(name: str) -> None:
    for manifests in with_one_value_gone(numbered(test_webhook_kinds.TAKEN[name])):
        expected = of_every_rule(manifests, whole=False)

        assert of_those_asked(manifests, whole=False) == expected


def test_each_rule_that_waits_for_words_is_heard() -> None:
    unheard = {rule for rule, _ in WORDS}
    for manifests in EXAMPLES:
        unheard -= {rule for rule in unheard if said(rule, manifests, whole=True)}

    assert {rule.__name__ for rule in unheard} == set()


@pytest.mark.parametrize("whole", [True, False])
def test_a_rule_says_nothing_where_none_of_its_words_stands(whole: bool) -> None:
    for manifests in EXAMPLES:
        for words in {words for _, words in WORDS}:
            silent = rendered({p: without(m, words) for p, m in manifests.items()}, whole=whole)
            for rule in (rule for rule, own in WORDS if own == words):
                assert list(rule(silent)) == [], (rule.__name__, words)


def test_each_word_is_one_that_a_rule_is_heard_with() -> None:
    found = [rendered(manifests, whole=True).words for manifests in EXAMPLES]
    unheard = [words for _, words in WORDS if all(words.isdisjoint(each) for each in found)]

    assert unheard == []


def test_modules_of_kinds_that_are_not_there_are_not_imported(tmp_path: Path) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}
    code = "from pathlib import PurePosixPath; from generator import webhook_rules; "
    code += f"list(webhook_rules.refusals({{PurePosixPath('a.yaml'): {manifest}}}))"

    loaded = loaded_by(code, tmp_path)

    assert "generator.webhook_rules.objects" in loaded
    for name in ("seldon", "kserve", "pod_security", "keda", "argo_cd"):
        assert f"generator.webhook_rules.{name}" not in loaded
