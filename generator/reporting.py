"""Print diagnostics and results; colour only where it is wanted."""

import os
import shutil
import sys
from collections.abc import Iterable

import click

from generator.diagnostics import CannotRun, Diagnostic
from generator.write import Changes, Tree

WIDTH = 120
"""Columns of a source line that are shown around a place."""
_COLOUR = {"error": "red", "warning": "yellow"}


def colour() -> bool | None:
    """What the user asks for: NO_COLOR (https://no-color.org), else FORCE_COLOR.

    None leaves it to the stream: colour on a terminal, none in a file.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def show_progress(done: int, total: int) -> None:
    """A counter on a terminal, for `clear_progress` to remove before anything else is printed."""
    _rewrite_line(f"{done}/{total} specs")


def clear_progress() -> None:
    """Make the line free that a counter or a download has."""
    _rewrite_line("")


def show_download(name: str, done: int, total: int | None, *, is_first: bool) -> None:
    """How far a download is: on a terminal for `clear_progress` to remove, else one line of it."""
    of = f" of {_mib(total)} MiB, {100 * done // total} %" if total else " MiB so far"
    text = f"downloading {name}: {_mib(done)}{of}"
    if _can_rewrite():
        _rewrite_line(text)
    elif is_first:
        click.echo(text, err=True)


def show_step(text: str) -> None:
    """What long work is doing: on a terminal for `clear_progress` to remove, else a line of it."""
    if _can_rewrite():
        _rewrite_line(text[: shutil.get_terminal_size().columns - 1])
    else:
        click.echo(text, err=True)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"


def _rewrite_line(text: str) -> None:
    if _can_rewrite():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _can_rewrite() -> bool:
    return bool(sys.stderr and sys.stderr.isatty() and os.environ.get("TERM") != "dumb")


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Each diagnostic on stderr, with its source line and a caret under the place."""
    for diagnostic in diagnostics:
        click.echo(_told(diagnostic), err=True)


def print_failure(error: CannotRun | OSError) -> None:
    """Why something could not run, on stderr."""
    said = (
        f"{error.filename or 'output'}: {error.strerror}" if isinstance(error, OSError) else error
    )
    print_note(str(said))


def print_note(text: str) -> None:
    """A line on stderr that is no diagnostic."""
    click.echo(f"gen: {text}", err=True)


def print_written(tree: Tree, changes: Changes) -> None:
    """One line for a project on stdout; on stderr what was left in place."""
    numbers = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "removed": len(changes.removed),
    }
    told = ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
    click.echo(f"{tree.folder}: {counted(len(tree.files), 'file')}, {told or 'unchanged'}")
    for path in changes.edited:
        print_note(f"{tree.folder / path} is no longer rendered, but was edited: left in place")


def _told(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    place = click.style(f"{diagnostic.path}:{span.line}:{span.column}:", bold=True)
    severity = click.style(f"{diagnostic.severity}:", fg=_COLOUR[diagnostic.severity], bold=True)
    lines = [f"{place} {severity} {diagnostic.message} [{diagnostic.rule}]"]
    if diagnostic.source:
        lines += _excerpt(diagnostic)
    if diagnostic.hint:
        bar = " " * len(str(span.line)) if diagnostic.source else " "
        lines.append(f"{bar} = help: {diagnostic.hint}")
    return "\n".join(lines)


def _excerpt(diagnostic: Diagnostic) -> list[str]:
    """The source line, cut to a window around the place when it is long."""
    span = diagnostic.span
    start = max(0, span.column - 1 - WIDTH // 2) if len(diagnostic.source) > WIDTH else 0
    window = diagnostic.source[start : start + WIDTH].replace("\t", " ")
    line = "".join(c if c.isprintable() else "\ufffd" for c in window)
    column = span.column - 1 - start
    length = max(1, min(span.end_column - span.column, len(line) - column))
    number = str(span.line)
    margin = " " * len(number)
    carets = click.style("^" * length, fg=_COLOUR[diagnostic.severity], bold=True)
    return [f"{margin} |", f"{number} | {line}", f"{margin} | {' ' * column}{carets}"]


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
