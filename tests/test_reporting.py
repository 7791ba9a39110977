"""How diagnostics look, and who gets colour."""

import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import reporting
from generator.diagnostics import Diagnostic, Related, Severity, Span
from generator.reports.text import WIDTH, told

GEN = [sys.executable, "-m", "generator.cli"]
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


def test_a_terminal_sees_how_far_a_run_is_until_other_output_takes_the_line(broken: Path) -> None:
    text = on_terminal(broken.parent)

    assert text.startswith(f"\r\x1b[K0/1 specs\r\x1b[K\x1b[1m{broken}")


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
