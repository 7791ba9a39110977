"""Print diagnostics and results; colour only where it is wanted."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import click

from generator import atomic
from generator.diagnostics import CannotRun, Diagnostic
from generator.reports import FORMATS, TEXT
from generator.reports.text import Role, told, told_fix
from generator.result import Result
from generator.write import Changes, was_linked

_COLOUR: dict[Role, str | None] = {
    "place": None,
    "error": "red",
    "warning": "yellow",
    "note": "cyan",
    "fixed": "green",
    "fixable": "green",
}


def colour() -> bool | None:
    """What the user asks for: NO_COLOR (https://no-color.org), else FORCE_COLOR.

    None leaves it to the stream: colour on a terminal, none in a file.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def show_progress(done: int, total: int, noun: str = "specs") -> None:
    """A counter on a terminal, for `clear_progress` to remove before anything else is printed."""
    _rewrite_line(f"{done}/{total} {noun}")


_SETTLED = 0.03
"""The part of the work that tells how fast the rest goes."""


class Progress:
    """How far a run is: on a terminal, once it has taken a second, at most ten times a second.

    It leaves the line when the run ends, in whatever way.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._drawn = clock()
        self._noun = ""
        self._phase = self._began
        self._text = ""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, done: int, total: int, noun: str = "specs") -> None:
        """Tell how many are done, how fast, and how long the rest takes at that rate."""
        now = self._clock()
        if noun != self._noun:
            self._noun, self._phase = noun, now
        if now - self._began < 1 or now - self._drawn < 0.1:
            return
        self._drawn = now
        # Before that it counts the start of processes, and what the first spec loads.
        is_settled = now - self._phase >= 1 and done >= total * _SETTLED
        rate = done / (now - self._phase) if is_settled else 0
        pace = f", {_pace(rate)}, {_duration((total - done) / rate)} left" if rate else ""
        self._text = f"{done}/{total} {noun}{pace}"
        show_passing(self._text)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the line to other output meanwhile."""
        if self._text:
            clear_progress()
        yield
        if self._text:
            show_passing(self._text)

    def clear(self) -> None:
        """Leave the line for good."""
        if self._text:
            self._text = ""
            clear_progress()


def _pace(rate: float) -> str:
    return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def clear_progress() -> None:
    """Make the line free that a counter or a download has."""
    _rewrite_line("")


def show_download(name: str, done: int, total: int | None, *, is_first: bool) -> None:
    """How far a download is: on a terminal for `clear_progress` to remove, else one line of it."""
    of = f" of {_mib(total)} MiB, {100 * done // total} %" if total else " MiB so far"
    text = f"downloading {name}: {_mib(done)}{of}"
    if can_rewrite():
        _rewrite_line(text)
    elif is_first:
        click.echo(text, err=True)


def show_step(text: str) -> None:
    """What long work is doing: on a terminal for `clear_progress` to remove, else a line of it."""
    if can_rewrite():
        show_passing(text)
    else:
        click.echo(text, err=True)


def show_passing(text: str) -> None:
    """What is being done, on a terminal alone, for `clear_progress` to remove."""
    _rewrite_line(text[: shutil.get_terminal_size().columns - 1])


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"


def _rewrite_line(text: str) -> None:
    if can_rewrite():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def can_rewrite() -> bool:
    """Whether stderr is a terminal on which a line can be written anew."""
    return bool(sys.stderr and sys.stderr.isatty() and os.environ.get("TERM") != "dumb")


class Reporter:
    """Tells a result: text on stderr as it goes; another format whole, at the end.

    Another format goes to stdout, or to a file, in one piece. What could not run stands on stderr
    in any case, for people.
    """

    def __init__(self, form: str = TEXT, file: str | None = None, *, strict: bool = False) -> None:
        self.result = Result(strict=strict)
        self.form = form
        self.file = file

    @property
    def is_text(self) -> bool:
        return self.form == TEXT

    @property
    def takes_stdout(self) -> bool:
        """Whether stdout is the result's: what else a command prints is then for stderr."""
        return not self.is_text and self.file is None

    def add(self, *diagnostics: Diagnostic) -> None:
        """Take diagnostics, and print them where it is text that is wanted."""
        counted = self.result.add(diagnostics)
        if self.is_text:
            print_diagnostics(counted)

    def fix(self, *diagnostics: Diagnostic) -> None:
        """Take mistakes that have been put right."""
        self.result.fixed += diagnostics
        self._print_fixes(diagnostics, "fixed")

    def propose(self, *diagnostics: Diagnostic) -> None:
        """Take mistakes that can be put right, and have not been."""
        self.result.add(diagnostics)
        self.result.is_fixable |= bool(diagnostics)
        self._print_fixes(diagnostics, "fixable")

    def _print_fixes(self, diagnostics: Iterable[Diagnostic], role: Role) -> None:
        if self.is_text:
            for diagnostic in diagnostics:
                click.echo(told_fix(diagnostic, _styled, role), err=True)

    def fail(self, error: CannotRun) -> None:
        """Take what could not run, and print it."""
        self.result.failures.append(str(error))
        print_failure(error)

    def finish(self) -> None:
        """Print or write the result where that has not been done on the way.

        Raises CannotRun where the file cannot be written.
        """
        if self.is_text:
            return
        text = FORMATS[self.form](self.result)
        if self.file is None:
            click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
            return
        try:
            atomic.write(Path(self.file), text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise CannotRun(f"cannot write {self.file}: {error.strerror}") from None


@contextlib.contextmanager
def reported(form: str, file: str | None, *, strict: bool = False) -> Iterator[Reporter]:
    """A reporter that tells all at the end, also what has stopped the run (CannotRun)."""
    reporter = Reporter(form, file, strict=strict)
    try:
        yield reporter
    except CannotRun as error:
        reporter.result.failures.append(str(error))
        reporter.finish()
        raise
    reporter.finish()


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Each diagnostic on stderr, with its source line and a caret under the place."""
    for diagnostic in diagnostics:
        click.echo(told(diagnostic, _styled), err=True)


def _styled(text: str, role: Role) -> str:
    return click.style(text, fg=_COLOUR[role], bold=True)


def print_failure(error: CannotRun | OSError) -> None:
    """Why something could not run, on stderr."""
    said = (
        f"{error.filename or 'output'}: {error.strerror}" if isinstance(error, OSError) else error
    )
    print_note(str(said))


def print_note(text: str) -> None:
    """A line on stderr that is no diagnostic."""
    click.echo(f"gen: {text}", err=True)


def print_written(folder: Path, files: int, changes: Changes, *, err: bool = False) -> None:
    """One line for a project on stdout (`err`: stderr); on stderr what was left in place."""
    numbers = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "removed": len(changes.removed),
    }
    told = ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
    click.echo(f"{folder}: {counted(files, 'file')}, {told or 'unchanged'}", err=err)
    for path in changes.edited:
        done = _done_to(folder, path)
        print_note(f"{folder / path} is no longer rendered, but was {done}: left in place")


def print_pruned(folder: Path, changes: Changes, *, err: bool = False) -> None:
    """One line for a project that is gone; on stderr what was left in place."""
    if changes.removed or not changes.edited:
        click.echo(f"{folder}: {counted(len(changes.removed), 'file')} removed, no spec", err=err)
    for path in changes.edited:
        print_note(f"{folder / path} {how_edited(folder, path)}: left in place")


def how_edited(folder: Path, path: PurePosixPath) -> str:
    """What somebody has done to a file that was rendered."""
    return f"was {_done_to(folder, path)} since it was rendered"


def _done_to(folder: Path, path: PurePosixPath) -> str:
    return "linked" if was_linked(folder, path) else "edited"


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
