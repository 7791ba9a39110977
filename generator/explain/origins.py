"""Which values of a spec made a rendered file, line by line."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from generator import image_lock, images
from generator.document import Document
from generator.explain.effects import Effect
from generator.explain.ends import Origin, Report, origin, placed, stands_in, text_of
from generator.explain.leaves import Leaf, given, left_out, made_by
from generator.explain.trial import Key, Sheet, Sheets, sheets
from generator.problem import dotted
from generator.selection import EVERYTHING, Selection
from generator.views import View, views


@dataclass(frozen=True)
class Cause:
    """A value that a line depends on; `place` is empty where the spec leaves the value out.

    `is_direct`: the value itself stands in the line. `is_section`: the line is gone, or another,
    without the section or step; what it holds makes no difference. `by_hash`: the line holds a
    hash of what the value makes.
    """

    path: str
    place: str
    value: object
    origin: Origin
    is_direct: bool = False
    is_section: bool = False
    by_hash: bool = False

    @property
    def rank(self) -> tuple[bool, ...]:
        """The likest to be what the reader looks for first."""
        return (
            self.by_hash,
            self.is_section,
            not self.is_direct,
            self.origin == "left out",
            self.origin == "default",
        )


@dataclass(frozen=True)
class Line:
    """A rendered line, 1-based, with what made it; without causes its template alone did."""

    number: int
    text: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Origins:
    """A rendered file: its template, its lines, and what decides its path and its being there."""

    path: PurePosixPath
    template: str
    target: str
    environment: str | None
    lines: tuple[Line, ...]
    of_path: tuple[Cause, ...]
    of_file: tuple[Cause, ...]


def file_named(document: Document, path: PurePosixPath) -> Key | None:
    """Which file of a spec a path ends with, counted from the folder of its project."""
    for key, sheet in sheets(document, EVERYTHING).items():
        if path.parts[-len(sheet.path.parts) :] == sheet.path.parts:
            return key
    return None


def origins(document: Document, key: Key, report: Report) -> Origins:
    """What made each line of a file: every value of the spec is changed in turn."""
    [view] = [each for each in views(document, EVERYTHING) if _is_of(each, key)]
    selection = Selection((key.target,), (key.environment,) if key.environment else ())
    before = sheets(document, selection, key.template)
    sheet = before[key]
    leaves = [*given(document, view), *left_out(document, view)]
    causes: dict[tuple[int, str], list[Cause]] = {}
    for number, leaf in enumerate(leaves):
        report(f"{number}/{len(leaves)} values of the spec")
        for effect in made_by(leaf, document, selection, before, key.template) or ():
            if effect.key == key:
                place = effect.line, effect.kind if effect.kind in ("path", "file") else ""
                if effect.kind != "added":
                    causes.setdefault(place, []).append(_cause(leaf, effect, before, document))
    for number, text in enumerate(sheet.lines, 1):
        if _DIGEST.search(text):
            causes.setdefault((number, ""), []).extend(_locked(text, document))
    return _told(sheet, causes)


_DIGEST = re.compile(images.DIGEST.pattern)


def _locked(line: str, document: Document) -> Iterator[Cause]:
    """The entries of images.lock whose digests stand in a line."""
    lock = image_lock.nearest(document.folder)
    for image, digest in lock.digests.items() if lock else ():
        name = image.rpartition("/")[2].partition(":")[0]
        if lock and digest in line and (name in line or image.rpartition(":")[2] in line):
            place = f"{os.path.relpath(lock.path)}:{image_lock.line_of(lock, image)}"
            yield Cause(image, place, digest, "images.lock", is_direct=True)


def _is_of(view: View, key: Key) -> bool:
    name = view.target.name if view.target else ""
    return (name, view.environment) == (key.target, key.environment)


def _cause(leaf: Leaf, effect: Effect, before: Sheets, document: Document) -> Cause:
    return Cause(
        dotted(leaf.pointer),
        placed(document, leaf.pointer) if leaf.is_given else "",
        None if isinstance(leaf.value, dict) else leaf.value,
        origin(leaf, document),
        is_direct=not leaf.is_section and stands_in(leaf.value, text_of(effect, before)),
        is_section=leaf.is_section,
        by_hash=effect.kind == "hash",
    )


def _told(sheet: Sheet, causes: Mapping[tuple[int, str], list[Cause]]) -> Origins:
    lines = tuple(
        Line(number, text, _ranked(causes.get((number, ""), ())))
        for number, text in enumerate(sheet.lines, 1)
    )
    return Origins(
        sheet.path,
        sheet.template,
        sheet.target,
        sheet.environment,
        lines,
        _ranked(causes.get((0, "path"), ())),
        _ranked(causes.get((0, "file"), ())),
    )


def _ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """The causes by rank; a section is left out where something inside it is told."""
    inner = [cause.path for cause in causes if not cause.is_section]
    kept = [
        cause
        for cause in causes
        if not cause.is_section or not any(path.startswith(cause.path) for path in inner)
    ]
    return tuple(sorted(kept, key=lambda cause: (*cause.rank, cause.path)))


def drifted(lines: Iterable[str], sheet: Origins) -> Mapping[int, int]:
    """For each line of an edited file, the rendered line that it still is."""
    rendered = [line.text for line in sheet.lines]
    return dict(_same(list(lines), rendered))


def _same(lines: list[str], rendered: list[str]) -> Iterator[tuple[int, int]]:
    matcher = difflib.SequenceMatcher(None, lines, rendered, autojunk=False)
    for first, other, size in matcher.get_matching_blocks():
        for number in range(size):
            yield first + number + 1, other + number + 1
