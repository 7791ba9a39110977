"""Walk over manifests by name; what is absent or of another type reads as empty."""

from collections.abc import Callable, Container, Iterator, Mapping, Set
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Literal, TypeGuard

from msgspec import Struct

from generator.diagnostics import Severity, shown
from generator.objectmeta import Refusal

LONGEST = 150  # characters of a message
Release = tuple[int, int]
NEWEST: Release = (1, 10**6)
Standard = Literal["", "baseline", "restricted"]  # of Pod Security, the empty one for none
Found = tuple[PurePosixPath, Refusal]  # in which file, and what is wrong there


class Node(Struct, frozen=True):
    """A value of a manifest and its place; an absent value is a node that holds None.

    `file` is the name that the manifest goes by: its path, or `<path>#<number>` where several
    stand in one file.
    """

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
        return tuple(map(str, self.value)) if _is_map(self.value) else ()

    @property
    def elements(self) -> "tuple[Node, ...]":
        """The elements of the list that stands here."""
        values = self.value if isinstance(self.value, list) else []
        return tuple([Node(self.file, (*self.path, n), value) for n, value in enumerate(values)])

    def at(self, *keys: str) -> "Node":
        """What a route of keys leads to."""
        value = self.value
        for key in keys:
            if isinstance(value, dict):  # nearly always, and quick to ask
                value = value.get(key)
            else:
                value = value.get(key) if _is_map(value) else None
        return Node(self.file, self.path + keys, value)

    def texts(self) -> Iterator[str]:
        """Every text in here, however deep."""
        return _texts(self.value)

    def refused(
        self,
        message: str,
        hint: str = "",
        severity: Severity = "error",
        related: "tuple[Node, str] | None" = None,
    ) -> Found:
        """What a rule yields about this place; user text in it is kept short and on one line.

        `related` is another place that this one contradicts, and what it says.
        """
        told = shown(message, LONGEST), shown(hint, LONGEST)
        others = []
        if related and related[0].given:
            place = related[0]
            file = None if place.file == self.file else place.file
            others = [(file, place.path, shown(related[1], LONGEST))]
        return self.file, Refusal(self.path, *told, severity=severity, related=tuple(others))

    def warned(
        self, message: str, hint: str = "", related: "tuple[Node, str] | None" = None
    ) -> Found:
        """What a rule yields about what is taken, and then does not do what it seems to."""
        return self.refused(message, hint, "warning", related)


def _texts(value: object) -> Iterator[str]:
    if _is_map(value):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and value:
        yield value


def _is_map(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a value is a map; nearly all are dicts or nothing, and asking for that is quick."""
    return type(value) is dict or (value is not None and isinstance(value, Mapping))


class Rendered(Struct, frozen=True, eq=False, dict=True):
    """The manifests of one deployment, and the paths of all its files.

    `whole`: nothing else stands in the cluster, as far as we can tell. Of manifests that somebody
    lints by the piece that is not known; what they name may be there already. `pod_security` is the
    Pod Security Standard that pods are held to, `release` that of Kubernetes.
    """

    manifests: tuple[Node, ...]
    files: Container[PurePosixPath]
    whole: bool = True
    pod_security: Standard = ""
    release: Release = NEWEST

    def of_kind(self, *kinds: str) -> Iterator[Node]:
        """The manifests of some kinds."""
        if len(kinds) == 1:
            return iter(self._by_kind.get(kinds[0], ()))
        if kinds not in self._of_kinds:
            found = () if self._by_kind.keys().isdisjoint(kinds) else self.manifests
            self._of_kinds[kinds] = [one for one in found if one.at("kind").text in kinds]
        return iter(self._of_kinds[kinds])

    def of_group(self, group: str, *kinds: str) -> Iterator[Node]:
        """The manifests of some kinds of one API group; `` is the core group."""
        found = tuple(self.of_kind(*kinds))
        return iter([one for one in found if group_of(one) == group] if found else ())

    @cached_property
    def words(self) -> Set[object]:
        """Every key and every text of the manifests: a rule needs to look for no other."""
        return _words([manifest.value for manifest in self.manifests])

    @cached_property
    def _by_kind(self) -> Mapping[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for manifest in self.manifests:
            found.setdefault(manifest.at("kind").text, []).append(manifest)
        return found

    @cached_property
    def _of_kinds(self) -> dict[tuple[str, ...], list[Node]]:
        return {}


Rule = Callable[[Rendered], Iterator[Found]]


_WITHOUT_WORDS = frozenset({int, float, bool, type(None)})


def _words(unread: list[object]) -> Set[object]:
    """The keys and texts of some values; what stands in two places by an alias is read once."""
    words: set[object] = set()
    seen: set[int] = set()
    while unread:
        value = unread.pop()
        if isinstance(value, str):
            words.add(value)
        elif isinstance(value, list) or _is_map(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if not isinstance(value, list):
                words.update(value)
                value = value.values()
            for one in value:
                if type(one) is str:  # most are
                    words.add(one)
                elif type(one) not in _WITHOUT_WORDS:
                    unread.append(one)
    return words


def group_of(manifest: Node) -> str:
    """The API group of a manifest."""
    return manifest.at("apiVersion").text.rpartition("/")[0]


def namespace_of(manifest: Node) -> str:
    """The namespace that a manifest names, or nothing."""
    return manifest.at("metadata", "namespace").text


def name_of(manifest: Node) -> str:
    """The name of a manifest."""
    return manifest.at("metadata", "name").text


@lru_cache(maxsize=1024)  # many rules ask it of every manifest
def real(file: PurePosixPath) -> PurePosixPath:
    """The path of the file that a manifest of this name stands in."""
    stem, mark, number = file.name.rpartition("#")
    return file.with_name(stem) if mark and stem and number.isdecimal() else file


def side_by_side(one: Node, other: Node, rendered: Rendered) -> bool:
    """Whether two manifests certainly come into one namespace.

    Of manifests linted by the piece, two that name no namespace may go to two: only those of one
    folder are taken as going together.
    """
    namespace = namespace_of(one)
    if namespace != namespace_of(other):
        return False
    if rendered.whole or namespace:
        return True
    return real(one.file).parent == real(other.file).parent


def twice(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes whose text stood before."""
    seen: set[str] = set()
    for node in nodes:
        if node.text and node.text in seen:
            yield node
        seen.add(node.text)
