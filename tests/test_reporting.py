"""How diagnostics look, and who gets colour."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from generator import reporting
from generator.changes.comparison import Comparison
from generator.commands import common, diff_runs, locking
from generator.diagnostics import CannotRun, Diagnostic, Related, Severity, Span
from generator.reporting import Reporter
from generator.reports.text import WIDTH, told
from generator.runs.told import Validating
from generator.selection import EVERYTHING

GEN = [sys.executable, "-m", "generator"]
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def printed(capsys: pytest.CaptureFixture[str], diagnostic: Diagnostic) -> str:
    """A diagnostic as it stands on stderr."""
    reporting.print_diagnostics([diagnostic])
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def diagnostic(
    source: str, start: int, end: int, hint: str = "", severity: Severity = "error"
) -> Diagnostic:
    """A diagnostic on line 14 of a spec."""
    span = Span(14, start, end)
    return Diagnostic("a.yaml", span, "it is wrong", "area/rule", hint, source, severity)


def test_shows_the_line_with_carets_under_the_place_and_the_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, diagnostic("      preferred: [4, 16]", 7, 16, "drop 16"))

    assert text == (
        "a.yaml:14:7: error: it is wrong [area/rule]\n"
        "   |\n"
        "14 |       preferred: [4, 16]\n"
        "   |       ^^^^^^^^^\n"
        "   = help: drop 16\n"
    )


def test_a_warning_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, diagnostic("name: x", 1, 5, severity="warning"))

    assert text.startswith("a.yaml:14:1: warning: it is wrong [area/rule]\n")


def test_without_a_source_line_the_message_stands_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed(capsys, diagnostic("", 1, 2, "save it as UTF-8")) == (
        "a.yaml:14:1: error: it is wrong [area/rule]\n  = help: save it as UTF-8\n"
    )


@pytest.mark.parametrize("start", [1, 60, 500, 990])
def test_a_long_line_is_cut_to_a_window_around_the_place(
    capsys: pytest.CaptureFixture[str], start: int
) -> None:
    source = "".join(chr(ord("a") + n % 26) for n in range(1000))

    text = printed(capsys, diagnostic(source, start, start + 3))

    _, _, line, carets = text.splitlines()
    shown, marks = line.removeprefix("14 | "), carets.removeprefix("   | ")
    assert len(shown) <= WIDTH
    at = marks.index("^")
    assert shown[at : at + 3] == source[start - 1 : start + 2]
    assert marks.strip() == "^^^"


def test_tabs_and_control_characters_keep_the_carets_in_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, diagnostic("\ta: \x1b[31mred", 5, 6))

    assert text.splitlines()[2:] == ["14 |  a: \ufffd[31mred", "   |     ^"]


def test_a_place_past_the_end_of_the_line_gets_one_caret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, diagnostic("a:", 3, 9))

    assert text.splitlines()[3] == "   |   ^"


def on_terminal(spec: Path, **variables: str) -> str:
    """What `gen validate` writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm"} | variables
    subprocess.run([*GEN, "validate", str(spec)], stderr=theirs, env=environment, timeout=60)
    os.close(theirs)
    text = b""
    while chunk := _read(ours):
        text += chunk
    os.close(ours)
    return text.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports the other side's end so
        return b""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A spec with an error."""
    spec = tmp_path / "broken.yaml"
    spec.write_text("spec_version: 1\nname: NO\n")
    return spec


def test_a_terminal_gets_colour(broken: Path) -> None:
    assert "\x1b[31m" in on_terminal(broken)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_no_color_is_honoured_on_a_terminal(broken: Path, variables: dict[str, str]) -> None:
    text = on_terminal(broken, **variables)

    assert "error: " in text
    assert not ESCAPES.search(text)


def test_an_empty_no_color_is_none(broken: Path) -> None:
    assert ESCAPES.search(on_terminal(broken, NO_COLOR=""))


def test_a_dumb_terminal_gets_neither_colour_nor_counter(broken: Path) -> None:
    assert "\x1b" not in on_terminal(broken, TERM="dumb")


def test_a_short_run_shows_no_progress(broken: Path) -> None:
    assert on_terminal(broken.parent).startswith(f"\x1b[1m{broken}")


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """stderr, on which lines can be written anew."""
    made = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(reporting, "sys", SimpleNamespace(stderr=made))
    return made


def shown_at(times: Sequence[float], total: int, rate: int, terminal: Terminal) -> list[str]:
    """What stands on the line after each moment of a run of so many specs a second."""
    clock = iter([0.0, *times])
    progress = reporting.Progress(lambda: next(clock))
    lines = []
    for moment in times:
        progress.show(int(moment * rate), total)
        lines.append(terminal.getvalue().rpartition("\r\x1b[K")[2])
    return lines


def test_progress_begins_after_a_second_and_is_drawn_ten_times_a_second(
    terminal: Terminal,
) -> None:
    shown = shown_at([0, 0.5, 0.99, 1, 1.05, 1.09, 1.125, 1.25], 10_000, 400, terminal)

    assert shown == [
        "",
        "",
        "",
        "400/10000 specs, 400/s, 24 s left",
        "400/10000 specs, 400/s, 24 s left",
        "400/10000 specs, 400/s, 24 s left",
        "450/10000 specs, 400/s, 24 s left",
        "500/10000 specs, 400/s, 24 s left",
    ]


def test_progress_of_slow_work_is_told_in_minutes(terminal: Terminal) -> None:
    assert shown_at([0, 40], 4000, 4, terminal)[-1] == "160/4000 specs, 4.0/s, 16 min left"


def test_progress_of_nothing_done_tells_no_rate(terminal: Terminal) -> None:
    assert shown_at([0, 3], 4000, 0, terminal)[-1] == "0/4000 specs"


def test_progress_tells_no_rate_of_a_beginning(terminal: Terminal) -> None:
    shown = shown_at([0, 2.75, 3], 100, 1, terminal)
    assert shown[1:] == ["2/100 specs", "3/100 specs, 1.0/s, 97 s left"]

    clock = iter([0, 0, 2, 2.5])
    progress = reporting.Progress(lambda: next(clock))
    progress.show(0, 100, "specs read")
    progress.show(0, 100)

    progress.show(50, 100)

    assert terminal.getvalue().endswith("\r\x1b[K50/100 specs")


def test_each_part_of_the_work_has_its_own_rate(terminal: Terminal) -> None:
    clock = iter([0, 0, 2, 3, 4.0])
    progress = reporting.Progress(lambda: next(clock))

    progress.show(0, 100, "specs read")
    progress.show(100, 100, "specs read")
    progress.show(0, 100)
    progress.show(20, 100)

    assert terminal.getvalue().split("\r\x1b[K")[1:] == [
        "100/100 specs read, 50/s, 0 s left",
        "0/100 specs",
        "20/100 specs, 20/s, 4 s left",
    ]


def test_other_output_takes_the_line_and_gives_it_back(terminal: Terminal) -> None:
    clock = iter([0, 0, 2.0])
    progress = reporting.Progress(lambda: next(clock))
    progress.show(0, 10)
    with progress.aside():
        terminal.write("early\n")
    progress.show(4, 10)

    with progress.aside():
        terminal.write("other\n")
    progress.clear()
    progress.clear()

    line = "\r\x1b[K4/10 specs, 2.0/s, 3 s left"
    assert terminal.getvalue() == f"early\n{line}\r\x1b[Kother\n{line}\r\x1b[K"


def stopped(
    *given: Any,  # Any: of two signatures
    report: Callable[..., None] | None = None,
    **_: object,
) -> Iterator[Any]:
    """A run of specs that shows its progress, and then cannot go on."""
    show = report or given[-1]
    show(0, 10)
    show(4, 10)
    raise CannotRun("no more")
    yield


WALKS: dict[str, Callable[[], object]] = {
    "use_each": lambda: common.use_each([], EVERYTHING, Validating(False), int, Reporter(), jobs=1),
    "build_specs": lambda: common.build_specs([], EVERYTHING, lambda _: 0, Reporter()),
    "lock": lambda: locking._needs(["specs"]),
    "diff": lambda: list(diff_runs._builds(Comparison("old", "new"), ["specs"], EVERYTHING)),
}


@pytest.mark.parametrize("walk", WALKS)
def test_what_stops_a_run_is_told_on_a_line_of_its_own(
    walk: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0, 0, 2.0])
    slow = partial(reporting.Progress, lambda: next(clock))
    monkeypatch.setattr(reporting, "Progress", slow)
    monkeypatch.setattr(common, "Progress", slow)
    monkeypatch.setattr(common, "build_and_use", stopped)
    for module in (common, locking, diff_runs):
        monkeypatch.setattr(module, "build_all", stopped)

    with pytest.raises(CannotRun, match="no more"):
        WALKS[walk]()

    assert terminal.getvalue() == "\r\x1b[K4/10 specs, 2.0/s, 3 s left\r\x1b[K"


def test_a_pipe_sees_no_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0, 0, 2.0])
    progress = reporting.Progress(lambda: next(clock))
    progress.show(0, 10)

    progress.show(4, 10)
    progress.clear()

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("forced", "coloured"), [("1", True), ("", False)])
def test_a_pipe_gets_colour_only_by_force(broken: Path, forced: str, coloured: bool) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment["FORCE_COLOR"] = forced

    ran = subprocess.run(
        [*GEN, "validate", str(broken)], capture_output=True, text=True, env=environment
    )

    assert bool(ESCAPES.search(ran.stderr)) is coloured
    assert "specs\r" not in ran.stderr


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_counts(number: int, text: str) -> None:
    assert reporting.counted(number, "file") == text


def test_the_other_places_of_a_contradiction_are_notes(capsys: pytest.CaptureFixture[str]) -> None:
    other = Related("b.yaml", Span(3, 7, 8), "8 here", "max: 8")

    text = printed(capsys, replace(diagnostic("name: x", 1, 5, "use 8"), related=(other,)))

    assert text == (
        "a.yaml:14:1: error: it is wrong [area/rule]\n"
        "   |\n"
        "14 | name: x\n"
        "   | ^^^^\n"
        "   = help: use 8\n"
        "b.yaml:3:7: note: 8 here\n"
        "  |\n"
        "3 | max: 8\n"
        "  |       ^\n"
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_moves_the_cursor_or_breaks_its_line(hostile: str) -> None:
    span = Span(1, 1, 2)
    other = Related(hostile or "a", span, hostile, hostile)
    lines = told(
        Diagnostic(hostile or "a", span, hostile, "area/rule", hostile, hostile, related=(other,))
    ).split("\n")

    assert all(line.isprintable() for line in lines)
    assert len(lines) == 2 + 3 * 2 * bool(hostile) + bool(hostile)
