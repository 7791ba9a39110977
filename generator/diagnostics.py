"""What is wrong with a user's file, and where: the one form in which it is told."""

import json
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Severity = Literal["error", "warning"]


class Span(Struct, frozen=True, order=True):
    """A place in a text: one line, 1-based columns, the end exclusive."""

    line: int
    column: int
    end_column: int


class Related(Struct, frozen=True):
    """Another place that a mistake is about, and what stands there."""

    path: str
    span: Span
    message: str
    source: str = ""


class Fix(Struct, frozen=True):
    """The text that belongs in the place of a span: certain, where a hint may be a guess."""

    span: Span
    text: str


class Diagnostic(Struct, frozen=True):
    """One mistake of the user's, at its place.

    `message` is lower case without a full stop and stands alone; `hint` says what to type;
    `source` is the text of the line, empty where there is none to show; `related` are the other
    places of a contradiction.
    """

    path: str
    span: Span
    message: str
    rule: str
    hint: str = ""
    source: str = ""
    severity: Severity = "error"
    related: tuple[Related, ...] = ()
    fix: Fix | None = None


class Rejected(Exception):
    """A spec that cannot be rendered; carries every diagnostic found, in file order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = in_file_order(diagnostics)
        super().__init__(f"{len(self.diagnostics)} diagnostics")

    def __reduce__(self) -> tuple[type["Rejected"], tuple[tuple[Diagnostic, ...]]]:
        """As it is sent from process to process."""
        return Rejected, (self.diagnostics,)


class CannotRun(Exception):
    """Something around the spec is amiss: a missing file, a permission, an unknown target."""


def in_file_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The distinct diagnostics, by path, line and column; one told twice has the notes of both."""
    notes: dict[Diagnostic, tuple[Related, ...]] = {}
    for each in diagnostics:
        alone = replace(each, related=())
        notes[alone] = tuple(dict.fromkeys((*notes.get(alone, ()), *each.related)))
    distinct = (replace(alone, related=related) for alone, related in notes.items())
    return tuple(sorted(distinct, key=lambda d: (d.path, d.span, d.rule, d.message)))


def shown(value: object, limit: int = 60) -> str:
    """A value as a message can hold it: on one line, printable, not too long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    head = text[: limit + 1]
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return line if len(line) <= limit else line[: limit - 3] + "..."
