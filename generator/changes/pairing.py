"""Which item of one side is which of the other: by identity, wherever it stands."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from generator.changes.contents import MANIFEST, Item
from generator.changes.leaves import canonical

_HASH = re.compile(r"-(?=[0-9a-z]*[0-9])[0-9a-z]{8,10}$")
_HASHED = ("ConfigMap", "Secret", "Job")


@dataclass(frozen=True)
class Pair:
    """An item before and after; None where there is none."""

    old: Item | None
    new: Item | None

    @property
    def item(self) -> Item:
        """The newer of the two."""
        item = self.new or self.old
        assert item is not None
        return item


@dataclass(frozen=True)
class Promotion:
    """The two environments that are compared, where that is what is done."""

    old: str
    new: str

    def renamed(self, text: str) -> str:
        """A text of the old environment as it would be called in the new."""
        return re.sub(rf"(?<![A-Za-z0-9]){re.escape(self.old)}(?![A-Za-z0-9])", self.new, text)


def paired(
    old: Sequence[Item], new: Sequence[Item], promotion: Promotion | None = None
) -> list[Pair]:
    """Every item, with its like on the other side.

    A file may hold one name twice. The surer identities go first: the same name in the same file,
    the same name anywhere, then another namespace, the name of the other environment, and a name
    that ends in another hash.
    """

    def renamed(name: str) -> str:
        return promotion.renamed(name) if promotion else name

    keys: tuple[Callable[[Item], Hashable], ...] = (
        lambda item: (item.form, item.name, item.file, canonical(item.data)),
        lambda item: (item.form, item.name, item.file),
        lambda item: (item.form, item.name),
        lambda item: (item.form, *_without_namespace(item)),
        lambda item: (item.form, *map(renamed, _without_namespace(item))),
        lambda item: (item.form, *map(renamed, _unhashed(item))),
    )
    waiting_old, waiting_new = list(old), list(new)
    pairs: list[Pair] = []
    for key in keys:
        found = _matched(waiting_old, waiting_new, key)
        pairs += found
        taken = {id(pair.old) for pair in found} | {id(pair.new) for pair in found}
        waiting_old = [item for item in waiting_old if id(item) not in taken]
        waiting_new = [item for item in waiting_new if id(item) not in taken]
    pairs += [Pair(item, None) for item in waiting_old] + [Pair(None, i) for i in waiting_new]
    return sorted(pairs, key=lambda pair: (pair.item.file, pair.item.form, pair.item.name))


def _without_namespace(item: Item) -> tuple[str, ...]:
    if item.form != MANIFEST:
        return item.name
    group, kind, _, name = item.name
    return group, kind, "", name


def _unhashed(item: Item) -> tuple[str, ...]:
    """The name without its hash, of a kind that gets one: elsewhere it may be a date."""
    name = _without_namespace(item)
    return (*name[:-1], _HASH.sub("-*", name[-1])) if item.kind in _HASHED else name


def unhashed_names(pairs: Iterable[Pair]) -> Mapping[str, str]:
    """What names that differ in their hash alone have in common: they say nothing of their own."""
    return {
        item.name[-1]: _unhashed(item)[-1]
        for pair in pairs
        if pair.old and pair.new and pair.old.name[-1] != pair.new.name[-1]
        if _unhashed(pair.old) == _unhashed(pair.new) != pair.new.name
        for item in (pair.old, pair.new)
        if item.kind in _HASHED
    }


def _matched(
    old: Iterable[Item], new: Iterable[Item], key: Callable[[Item], Hashable]
) -> list[Pair]:
    """Pairs of one key, in the order in which they stand."""
    by_key: dict[Hashable, list[Item]] = {}
    for item in new:
        by_key.setdefault(key(item), []).append(item)
    return [Pair(item, by_key[key(item)].pop(0)) for item in old if by_key.get(key(item))]
