"""Plain data that remembers where each value stands, and layers of it over each other."""

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from generator.diagnostics import Span

Pointer = tuple[str | int, ...]
"""The route of keys and list indices from the top of a spec to a value."""


class Text(Struct, frozen=True, eq=False, dict=True):
    """A YAML text and the name by which diagnostics call it."""

    path: str
    content: str

    def line(self, number: int) -> str:
        """The text of a 1-based line, or nothing past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def at_span(self, span: Span) -> str:
        """What stands at a place."""
        return self.line(span.line)[span.column - 1 : span.end_column - 1]

    @cached_property
    def lines(self) -> list[str]:
        """The lines as YAML counts them."""
        return _LINE_BREAK.split(self.content)

    def at(self, offset: int) -> Span:
        """The character at an offset."""
        before = _LINE_BREAK.split(self.content[:offset])
        return Span(len(before), len(before[-1]) + 1, len(before[-1]) + 2)


_LINE_BREAK = re.compile("\r\n|\r|\n")


class Place(Struct, frozen=True, eq=False):
    """Where a value stands, its key where it has one, and a scalar's text as written."""

    text: Text
    value: Span
    key: Span | None = None
    written: str | None = None

    @property
    def span(self) -> Span:
        """What to point at: a scalar itself, a list or map by its key."""
        return self.value if self.written is not None else self.key or self.value

    @property
    def is_plain(self) -> bool:
        """Whether the value stands there just as it is read: no quotes, tag or second line."""
        return self.written is not None and self.text.at_span(self.value) == self.written

    @property
    def is_quoted(self) -> bool:
        """Whether the value stands there in quotes, and just as it is read."""
        quoted = self.text.at_span(self.value)
        return self.written is not None and quoted in (f'"{self.written}"', f"'{self.written}'")


class Document(Struct, frozen=True, eq=False):
    """Plain data and the place of every value in it; `folder` is where its paths start."""

    folder: Path
    data: dict[str, object]
    places: dict[Pointer, Place]

    def place(self, pointer: Pointer) -> Place:
        """The place of a value, or of the nearest thing that would hold it."""
        while pointer not in self.places:
            pointer = pointer[:-1]
        return self.places[pointer]

    def says(self, *pointer: str | int) -> bool:
        """Whether the file itself has something at a pointer, and not only one merged under it."""
        return pointer in self.places and self.is_own(self.places[pointer])

    def is_own(self, place: Place) -> bool:
        """Whether a place is in the file itself."""
        return place.text is self.place(()).text

    def part(self, pointer: Pointer) -> "Document":
        """The map at a pointer as a document of its own; empty where it is absent or null."""
        data: object = self.data
        for key in pointer:
            data = data.get(key) if isinstance(data, dict) else None
        depth = len(pointer)
        places = {at[depth:]: place for at, place in self.places.items() if at[:depth] == pointer}
        places.setdefault((), self.place(pointer))
        return Document(self.folder, data if isinstance(data, dict) else {}, places)

    def only(self, keys: Iterable[str]) -> "Document":
        """The document with no other than the given top-level keys."""
        kept = set(keys)
        data = {key: value for key, value in self.data.items() if key in kept}
        places = {at: place for at, place in self.places.items() if not at or at[0] in kept}
        return Document(self.folder, data, places)


def merged(base: Document, top: Document) -> Document:
    """`top` over `base`: maps merge deep, lists and scalars replace, null removes."""
    replaced: set[Pointer] = set()
    data = _merge(base.data, top.data, (), replaced)

    def stays(at: Pointer) -> bool:
        return not any(at[:depth] in replaced for depth in range(1, len(at) + 1))

    places = {at: place for at, place in base.places.items() if stays(at)}
    places |= {at: place for at, place in top.places.items() if not stays(at)}
    return Document(base.folder, data, places)


def _merge(
    base: dict[str, object], top: dict[str, object], pointer: Pointer, replaced: set[Pointer]
) -> dict[str, object]:
    """The merged data; notes at which pointers everything stands in `top` now."""
    result = dict(base)
    for key, value in top.items():
        at, below = (*pointer, key), base.get(key)
        if not (isinstance(value, dict) and isinstance(below, dict)):
            replaced.add(at)
        if isinstance(value, dict):
            result[key] = _merge(below if isinstance(below, dict) else {}, value, at, replaced)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result
