"""The table of verdicts, their JSON and their summary."""

import math
from collections.abc import Iterator, Sequence

from generator.verify import Verdict
from generator.verify.asking import Row

HEADER = ("target", "model", "door", "protocol", "largest difference", "best class", "median", "")
AGREES, DISAGREES, ANSWERS = "agrees", "DISAGREES", "answers"


def table(verdicts: Sequence[Verdict]) -> str:
    """One table of all doors, then what disagrees, what was not served, and what is not shown."""
    rows = [(str(verdict.place), *_cells(row)) for verdict in verdicts for row in verdict.rows]
    parts = [_columns([HEADER, *rows])] if rows else []
    parts += ["\n".join(_complaints(verdicts)), "\n".join(_limits(verdicts))]
    return "\n\n".join(filter(None, parts))


def summary(verdicts: Sequence[Verdict]) -> str:
    """One line: how many doors of how many deployments agree."""
    rows = [row for verdict in verdicts for row in verdict.rows]
    wrong = sum(row.complaint is not None for row in rows)
    refused = sum(verdict.refusal is not None for verdict in verdicts)
    absent = sum(verdict.not_here is not None for verdict in verdicts)
    agree = f"{len(rows) - wrong} of {len(rows)} doors agree with the eager model"
    parts = [
        agree if rows else "no door was asked",
        f"{wrong} disagree" if wrong else "",
        f"{refused} of {len(verdicts)} deployments refused by their server" if refused else "",
        f"{absent} of {len(verdicts)} deployments not verified here" if absent else "",
    ]
    return "; ".join(filter(None, parts))


def to_json(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """The verdicts as JSON has them; a difference that is no number is null."""
    return {
        "agrees": bool(verdicts) and all(verdict.agrees for verdict in verdicts),
        "deployments": [
            {
                "place": str(verdict.place),
                "agrees": verdict.agrees,
                "refusal": verdict.refusal,
                "not_here": verdict.not_here,
                "stale": list(verdict.stale),
                "doors": [_row_json(row) for row in verdict.rows],
                "limits": list(verdict.limits),
            }
            for verdict in verdicts
        ],
    }


def _row_json(row: Row) -> dict[str, object]:
    finite = row.difference is not None and math.isfinite(row.difference)
    return {
        "model": row.model,
        "door": row.door,
        "protocol": row.protocol,
        "verdict": _verdict(row).lower(),
        "answers": row.answers,
        "largest_difference": row.difference if finite else None,
        "same_best_class": row.same_best,
        "ranked": row.ranked,
        "median_seconds": row.latency_seconds,
        "complaint": row.complaint,
    }


def _verdict(row: Row) -> str:
    if row.complaint:
        return DISAGREES
    return AGREES if row.compared else ANSWERS


def _cells(row: Row) -> tuple[str, ...]:
    difference = "-" if row.difference is None else f"{row.difference:.1e}"
    return (
        row.model,
        row.door,
        row.protocol,
        difference,
        f"{row.same_best}/{row.ranked}" if row.ranked else "-",
        "-" if row.latency_seconds is None else f"{row.latency_seconds * 1000:.1f} ms",
        _verdict(row),
    )


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _complaints(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        for row in verdict.rows:
            if row.complaint:
                yield f"{verdict.place}: {row.door}, {row.protocol}: {row.complaint}"
        if verdict.refusal:
            yield f"{verdict.place}: {verdict.refusal}"
        if verdict.not_here:
            yield f"{verdict.place}: not verified: {verdict.not_here}"


def _limits(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What no row shows, each sentence once."""
    limits = dict.fromkeys(limit for verdict in verdicts for limit in verdict.limits)
    if limits:
        yield "Not shown here (docs/verification.md):"
        yield from (f"- {limit}" for limit in limits)
