"""The lines of a config.properties, as Java reads them, and where other readers differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from generator.diagnostics import Severity
from generator.torchserve_config.values import Fault

_LINE = re.compile(
    r"[ \t\f]*(?P<key>[^=:\s\\]+)(?P<separator>[ \t\f]*[=: \t\f]?[ \t\f]*)(?P<value>.*)"
)
_COMMENT = re.compile(r"[ \t\f]*([#!].*)?")
_GOES_ON = re.compile(r"(?<!\\)(\\\\)*\\\Z")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_READ_BY_LAUNCHER = ("model_store", "plugins_path", "vmargs")
_READ_BY_WRAPPER = (
    "grpc_inference_port",
    "inference_address",
    "management_address",
    "model_snapshot",
)
_ERROR: Severity = "error"
_WARNING: Severity = "warning"
_TWO_WAYS = "read-two-ways"


class Setting(Struct, frozen=True):
    """A line that gives a key a value, as Java reads it, and where both stand in its first line."""

    line: int
    key: str
    value: str
    column: int = 1
    value_column: int = 1
    end_column: int = 1


class Line(NamedTuple):
    """A line as Java reads it, put together of those that it goes on in."""

    number: int
    text: str
    first: str  # as it is written, without what follows it
    goes_on: bool

    @property
    def columns(self) -> tuple[int, int]:
        """Where it begins, and behind what is written of it in its first line."""
        return len(self.first) - len(self.first.lstrip()) + 1, len(self.first) + 1


def lines(text: str) -> Iterator[Line]:
    """Yield the lines that are no comments, as java.util.Properties puts them together."""
    natural = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    for number, first in natural:
        if _COMMENT.fullmatch(first):
            continue
        parts = [first]
        while _GOES_ON.search(parts[-1]):
            parts[-1] = parts[-1][:-1]
            parts.append(next(natural, (0, ""))[1].lstrip(" \t\f"))
        yield Line(number, "".join(parts), first, len(parts) > 1)


def unreadable(line: Line) -> Iterator[Fault]:
    """Yield why the readers of a line would not agree on it, or not read it as it is meant."""
    if match := _LINE.fullmatch(line.text):
        yield from _read_two_ways(line, match)
    if line.text != line.text.rstrip():
        yield Fault("white space at the end is part of the value", "remove it", "trailing-space")
    if re.search(r"\\u(?![0-9a-fA-F]{4})", line.text.replace(r"\\", "")):
        text = "`\\u` without four hexadecimal digits, at which TorchServe stops"
        yield Fault(text, rule="broken-escape")
    if not line.text.isascii():
        text = "TorchServe reads other characters than ASCII as Latin-1"
        yield Fault(text, r"write them \uXXXX", "character-outside-ascii")


def _read_two_ways(line: Line, match: re.Match[str]) -> Iterator[Fault]:
    """Yield what a line does that Java alone reads, where others read its key too."""
    key, severity = match["key"], _ERROR
    other = "TorchServe's launcher"
    if key in _READ_BY_WRAPPER:  # whether KServe is there a file does not tell
        other, severity = "KServe", _WARNING
    elif key not in _READ_BY_LAUNCHER:
        return
    if match["separator"].strip() != "=":
        text = f"`{key}` without `=`: {other} does not read it"
        yield Fault(text, "write key=value", _TWO_WAYS, severity)
    if line.goes_on:
        text = f"`{key}` goes on in the next line, where {other} does not read on"
        yield Fault(text, "join the lines, or double the backslash", _TWO_WAYS, severity)
    elif "\\" in match["value"]:
        text = f"a backslash in `{key}`, which {other} reads without Java's escapes"
        yield Fault(text, "do without it", _TWO_WAYS, severity)


def setting(line: Line) -> Setting | None:
    """What a line sets; None where it sets nothing."""
    match = _LINE.fullmatch(line.text)
    if not match:
        return None
    value = _ESCAPE.sub(_character, match["value"])
    end = max(len(line.first), match.end("key")) + 1
    start, behind = match.start("key") + 1, min(match.start("value") + 1, end)
    return Setting(line.number, match["key"], value, start, behind, end)


def _character(escape: re.Match[str]) -> str:
    word = escape[1]
    return chr(int(word[1:], 16)) if len(word) > 1 else _ESCAPED.get(word, word)
