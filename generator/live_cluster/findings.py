"""What a check of a cluster has found: one object behind the table and the JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from generator.reports.texts import encodable, on_one_line
from generator.result import COULD_NOT_RUN, DONE, REFUSED

Verdict = Literal["ok", "warning", "failed", "unknown"]
VERSION = 1
"""Of the JSON: grows when a field is renamed, removed or changes its meaning."""
ESSENTIAL = "dry-run"
"""The check without whose answer nothing is known of the manifests."""


@dataclass(frozen=True)
class Finding:
    """One line of the table; `place` is the file and line of the render that it is about."""

    check: str
    subject: str
    verdict: Verdict
    message: str
    hint: str = ""
    place: str = ""


def status(findings: Sequence[Finding], *, strict: bool = False) -> int:
    """The exit status: 1 something failed, 2 a manifest could not be tried, 0 otherwise.

    `strict`: a warning counts as a failure, and whatever could not be told as 2.
    """
    verdicts = {finding.verdict for finding in findings}
    if "failed" in verdicts or (strict and "warning" in verdicts):
        return REFUSED
    unknown = [f for f in findings if f.verdict == "unknown" and (strict or f.check == ESSENTIAL)]
    return COULD_NOT_RUN if unknown else DONE


def table(findings: Sequence[Finding]) -> list[tuple[Finding, str]]:
    """Each finding with its lines: columns, and under them place and help where there are any."""
    widths = [max((len(_cells(f)[n]) for f in findings), default=0) for n in range(3)]
    told = []
    for finding in findings:
        cells = _cells(finding)
        head = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines = [f"{head}  {on_one_line(finding.message)}".rstrip()]
        margin = " " * (sum(widths) + 6)
        if finding.place and finding.verdict != "ok":
            lines.append(f"{margin}at {on_one_line(finding.place)}")
        lines += [f"{margin}help: {on_one_line(finding.hint)}"] if finding.hint else []
        told.append((finding, "\n".join(lines)))
    return told


def _cells(finding: Finding) -> tuple[str, str, str]:
    return finding.verdict, finding.check, on_one_line(finding.subject)


def summary(findings: Sequence[Finding]) -> str:
    """One line with the number of each verdict."""
    numbers: Counter[str] = Counter(finding.verdict for finding in findings)
    words = (
        ("ok", "ok"),
        ("warning", "warnings"),
        ("failed", "failed"),
        ("unknown", "could not be told"),
    )
    return ", ".join(f"{numbers[key]} {word}" for key, word in words if numbers[key]) or "nothing"


def to_json(findings: Sequence[Finding], *, strict: bool = False) -> dict[str, object]:
    """The findings as JSON has them."""
    return {
        "version": VERSION,
        "findings": [
            {key: encodable(str(value)) or None for key, value in asdict(finding).items()}
            for finding in findings
        ],
        "summary": {
            "verdicts": dict(Counter(finding.verdict for finding in findings)),
            "status": status(findings, strict=strict),
        },
    }
