"""Drift for people, as fields or as a diff, and as JSON."""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence

import yaml

from generator.diagnostics import shown
from generator.live_cluster.comparison import ABSENT, Difference
from generator.live_cluster.drift import Drift
from generator.live_cluster.secrecy import unmarked
from generator.reports.texts import encodable, on_one_line

VERSION = 1
"""Of the JSON: grows when a field is renamed, removed or changes its meaning."""
_LONGEST = 100


def unified(drift: Drift, *, diff: bool) -> str:
    """One object: what is to be said of it, and each field that differs."""
    head = f"{on_one_line(drift.subject)}: {drift.state}"
    lines = [f"{head}: {on_one_line(drift.message)}" if drift.message else head]
    if diff and drift.differences:
        lines += _diff(drift)
    else:
        lines += [
            f"    {on_one_line(each.field)}: {_word(each.live)} -> {_word(each.rendered)}"
            for each in drift.differences
        ]
    return "\n".join(lines)


def _word(value: object) -> str:
    return "(absent)" if value is ABSENT else shown(value, _LONGEST)


def _diff(drift: Drift) -> Iterator[str]:
    live, rendered = _text(drift.live), _text(drift.rendered)
    names = f"live {drift.subject}", f"rendered {drift.subject}"
    for line in difflib.unified_diff(live, rendered, *names, lineterm=""):
        yield on_one_line(unmarked(line))


def _text(value: object) -> list[str]:
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True).splitlines()


def summary(drifts: Sequence[Drift]) -> str:
    """One line with the number of each state."""
    numbers = Counter(drift.state for drift in drifts)
    return ", ".join(f"{number} {state}" for state, number in numbers.items()) or "nothing rendered"


def to_json(drifts: Sequence[Drift]) -> dict[str, object]:
    """The drift as JSON has it; a side on which a field is absent is left out."""
    return {
        "version": VERSION,
        "in_sync": all(drift.state == "same" for drift in drifts),
        "objects": [
            {
                "subject": drift.subject,
                "state": drift.state,
                "message": encodable(drift.message) or None,
                "fields": list(map(_field, drift.differences)),
            }
            for drift in drifts
        ],
    }


def _field(each: Difference) -> dict[str, object]:
    sides = {"live": each.live, "rendered": each.rendered}
    return {"field": each.field} | {
        name: value for name, value in sides.items() if value is not ABSENT
    }
