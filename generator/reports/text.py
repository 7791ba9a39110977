"""Diagnostics for people: the source line with carets, help, and the other places."""

from collections.abc import Callable
from typing import Literal

from generator.diagnostics import Diagnostic, Span
from generator.reports.texts import on_one_line

WIDTH = 120
"""Columns of a source line that are shown around a place."""
Role = Literal["place", "error", "warning", "note", "fixed", "fixable"]
Style = Callable[[str, Role], str]


def plain(text: str, _role: Role) -> str:
    """No colour."""
    return text


def told(diagnostic: Diagnostic, style: Style = plain) -> str:
    """A diagnostic with everything that belongs to it, on several lines."""
    span = diagnostic.span
    head = _head(diagnostic.path, span, diagnostic.severity, style)
    lines = [f"{head} {on_one_line(diagnostic.message)} [{diagnostic.rule}]"]
    if diagnostic.source:
        lines += _excerpt(diagnostic.source, span, diagnostic.severity, style)
    if diagnostic.hint:
        bar = " " * len(str(span.line)) if diagnostic.source else " "
        lines.append(f"{bar} = help: {on_one_line(diagnostic.hint)}")
    for place in diagnostic.related:
        head = _head(place.path, place.span, "note", style)
        lines.append(f"{head} {on_one_line(place.message)}")
        if place.source:
            lines += _excerpt(place.source, place.span, "note", style)
    return "\n".join(lines)


def told_fix(diagnostic: Diagnostic, style: Style = plain, role: Role = "fixed") -> str:
    """A mistake that has been put right, or is fixable, on one line."""
    head = _head(diagnostic.path, diagnostic.span, role, style)
    word = "now" if role == "fixed" else "write"
    now = f", {word} `{on_one_line(diagnostic.fix.text)}`" if diagnostic.fix else ""
    return f"{head} {on_one_line(diagnostic.message)}{now} [{diagnostic.rule}]"


def _head(path: str, span: Span, role: Role, style: Style) -> str:
    place = style(f"{on_one_line(path)}:{span.line}:{span.column}:", "place")
    return f"{place} {style(f'{role}:', role)}"


def _excerpt(source: str, span: Span, role: Role, style: Style) -> list[str]:
    """The source line, cut to a window around the place when it is long."""
    start = max(0, span.column - 1 - WIDTH // 2) if len(source) > WIDTH else 0
    window = source[start : start + WIDTH].replace("\t", " ")
    line = "".join(c if c.isprintable() else "\ufffd" for c in window)
    column = span.column - 1 - start
    length = max(1, min(span.end_column - span.column, len(line) - column))
    number = str(span.line)
    margin = " " * len(number)
    carets = style("^" * length, role)
    return [f"{margin} |", f"{number} | {line}", f"{margin} | {' ' * column}{carets}"]
