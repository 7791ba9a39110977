"""Which changes need a second look before they are merged: one function per reason.

A rule yields findings; its name is what stands in brackets (`attention/scale-to-zero`), the first
paragraph of its docstring says why, what follows is where that is from.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from inspect import cleandoc

from generator.changes.attention import (
    applications,
    doors,
    network,
    objects,
    permissions,
    pods,
    scaling,
    served,
)
from generator.changes.attention.sides import Finding, Sides

Rule = Callable[[Sides], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    *objects.RULES,
    *scaling.RULES,
    *doors.RULES,
    *served.RULES,
    *pods.RULES,
    *permissions.RULES,
    *network.RULES,
    *applications.RULES,
)


def named() -> Mapping[str, str]:
    """Every rule's name, and why it is told."""
    return {_name(rule): _why(rule) for rule in RULES}


def findings(sides: Sides) -> Iterator[Finding]:
    """What needs attention, rule by rule; the same of one item once."""
    seen: set[Finding] = set()
    for rule in RULES:
        for finding in rule(sides):
            if finding not in seen:
                seen.add(finding)
                yield replace(finding, rule=_name(rule), why=_why(rule))


def _name(rule: Rule) -> str:
    return f"attention/{rule.__name__.replace('_', '-')}"


def _why(rule: Rule) -> str:
    return " ".join(cleandoc(rule.__doc__ or "").split("\n\n")[0].split())
