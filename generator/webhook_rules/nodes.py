"""Walk over rendered manifests by name; what is absent or of another type reads as empty."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from generator.diagnostics import shown
from generator.objectmeta import Refusal

LONGEST = 150  # characters of a message
Found = tuple[PurePosixPath, Refusal]  # in which file, and what is wrong there


@dataclass(frozen=True)
class Node:
    """A value of a manifest and its place; an absent value is a node that holds None."""

    file: PurePosixPath
    path: tuple[str | int, ...]
    value: object

    @property
    def given(self) -> bool:
        """Whether anything stands here; null is nothing, as in Go."""
        return self.value is not None

    @property
    def text(self) -> str:
        """The text that stands here, or an empty one."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def number(self) -> int | None:
        """The whole number that stands here, if one does."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            return None
        return self.value

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the map that stands here."""
        return tuple(map(str, self.value)) if isinstance(self.value, Mapping) else ()

    @property
    def elements(self) -> "tuple[Node, ...]":
        """The elements of the list that stands here."""
        values = self.value if isinstance(self.value, list) else []
        return tuple(Node(self.file, (*self.path, n), value) for n, value in enumerate(values))

    def at(self, *keys: str) -> "Node":
        """What a route of keys leads to."""
        value = self.value
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return Node(self.file, (*self.path, *keys), value)

    def texts(self) -> Iterator[str]:
        """Every text in here, however deep."""
        if isinstance(self.value, Mapping):
            for key in self.keys:
                yield from self.at(key).texts()
        for element in self.elements:
            yield from element.texts()
        if self.text:
            yield self.text

    def refused(self, message: str, hint: str = "") -> Found:
        """What a rule yields about this place; user text in it is kept short and on one line."""
        return self.file, Refusal(self.path, shown(message, LONGEST), shown(hint, LONGEST))


@dataclass(frozen=True)
class Rendered:
    """The manifests of one deployment, and the names of all its files."""

    manifests: tuple[Node, ...]
    files: frozenset[PurePosixPath]

    def of_kind(self, *kinds: str) -> Iterator[Node]:
        """The manifests of some kinds."""
        return (manifest for manifest in self.manifests if manifest.at("kind").text in kinds)


def twice(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes whose text stood before."""
    seen: set[str] = set()
    for node in nodes:
        if node.text and node.text in seen:
            yield node
        seen.add(node.text)
