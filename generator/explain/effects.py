"""Which lines differ between two renderings of a project."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from generator.explain.trial import Key, Sheets

Kind = Literal["line", "hash", "added", "path", "file"]
"""The line's own text; its hash of other texts; further lines after it; the file's path; the file's
being there at all."""


@dataclass(frozen=True, order=True)
class Effect:
    """What a change of the spec does to a file; `line` is 1-based, 0 where no line is meant."""

    key: Key
    line: int
    kind: Kind


_HASH = re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-f]*\d)[0-9a-f]{8,64}(?![0-9A-Za-z])")


def effects(before: Sheets, after: Sheets) -> Iterator[Effect]:
    """The lines of `before` that are otherwise in `after`."""
    for key, sheet in before.items():
        other = after.get(key)
        if other is None:
            yield Effect(key, 0, "file")
            continue
        if other.path != sheet.path:
            yield Effect(key, 0, "path")
        if other.lines != sheet.lines:
            for line, kind in _differing(sheet.lines, other.lines):
                yield Effect(key, line, kind)


def _differing(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[tuple[int, Kind]]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        if tag == "insert":
            yield first, "added"
        elif tag != "equal":
            paired = last - first == other_last - other_first
            for number in range(first, last):
                other = after[other_first + number - first] if paired else ""
                yield number + 1, "hash" if _is_hash(before[number], other) else "line"


def _is_hash(line: str, other: str) -> bool:
    """Whether two lines differ in nothing but hashes of what stands elsewhere."""
    return bool(_HASH.search(line)) and _HASH.sub("#", line) == _HASH.sub("#", other)
