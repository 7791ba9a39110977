"""Compare two sides: every change, in words, and what needs attention of them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePosixPath
from typing import Literal

from generator.changes import attention, contents, values
from generator.changes.attention.sides import Finding, Sides
from generator.changes.contents import Broken, Item, items
from generator.changes.leaves import ABSENT, Difference, differences, inside, same, shown_route
from generator.changes.pairing import Pair, Promotion, paired, unhashed_names
from generator.changes.secrecy import Known, known, masked, shown
from generator.changes.trees import Files, Place, by_place
from generator.changes.words import word

Sense = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Change:
    """One value, item or file that is not what it was.

    `old` and `new` are told in words, `before` and `after` are the data, without secrets, ABSENT
    where there is none. `route` is empty for an item that came or went.
    """

    item: Item
    route: tuple[str, ...]
    subject: str
    old: str
    new: str
    sense: Sense
    remark: str = ""
    aspect: str = ""
    before: object = field(default=ABSENT, compare=False, hash=False)
    after: object = field(default=ABSENT, compare=False, hash=False)

    @property
    def said(self) -> str:
        """The change in a sentence."""
        remark = f" ({self.remark})" if self.remark else ""
        match self.sense:
            case "added":
                return f"{self.subject} added{': ' if self.new else ''}{self.new}{remark}"
            case "removed":
                return f"{self.subject} dropped{f', was {self.old}' if self.old else ''}{remark}"
            case _:
                between = f"{self.old} -> {self.new}" if self.old or self.new else ""
                return f"{self.subject}{': ' if between else ' changed'}{between}{remark}"


@dataclass(frozen=True)
class Service:
    """What changes in one place; `cosmetic` are files that say the same in other words or order."""

    place: Place
    findings: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    cosmetic: tuple[PurePosixPath, ...] = ()
    sense: Sense = "changed"

    @property
    def is_same(self) -> bool:
        return not (self.findings or self.changes or self.cosmetic)


@dataclass
class Comparison:
    """Everything that was compared; `old` and `new` say what with what."""

    old: str
    new: str
    services: list[Service] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def needing_attention(self) -> int:
        return sum(len(service.findings) for service in self.services)

    @property
    def changed(self) -> list[Service]:
        return [service for service in self.services if not service.is_same]


def compare(
    comparison: Comparison,
    old: Files,
    new: Files,
    targets: Collection[str],
    *,
    name: str = "",
    promotion: Promotion | None = None,
    wanted: Callable[[Place], bool] = lambda _: True,
) -> None:
    """Add what differs between the files of two sides; `name` is what the folder is called."""
    places = {
        place: sides for place, sides in by_place(old, new, targets, name).items() if wanted(place)
    }
    for place, (before, after) in places.items():
        service, failures = _service(place, before, after, promotion)
        comparison.services.append(service)
        comparison.failures += failures
    comparison.notes += _renamed(places)


def _renamed(places: Mapping[Place, tuple[Files, Files]]) -> Iterator[str]:
    """Say which project that went is one that came, under another name."""
    gone = {place: old for place, (old, new) in places.items() if not new}
    come = {place: new for place, (old, new) in places.items() if not old}
    for place, old in gone.items():
        for other, new in come.items():
            is_like = (place.environment, place.target) == (other.environment, other.target)
            same_files = sum(new.get(path) == entry for path, entry in old.items())
            if is_like and 2 * len(old.keys() & new.keys()) > len(old) and same_files:
                yield (
                    f"{place} looks like {other} under its old name: what serves under the old "
                    "name goes, and its clients with it"
                )


def _service(
    place: Place, old: Files, new: Files, promotion: Promotion | None
) -> tuple[Service, list[str]]:
    differing = [p for p in {**old, **new} if old.get(p) != new.get(p)]
    if not differing:
        return Service(place), []
    read = [list(items(files)) for files in (old, new)]
    broken = [[one for one in side if isinstance(one, Broken)] for side in read]
    # What cannot be read on one side would seem to be added or removed as a whole.
    unread = {one.file for side in broken for one in side}
    before, after = (
        [one for one in side if isinstance(one, Item) and one.file not in unread] for side in read
    )
    pairs = paired(before, after, promotion)
    hashed = unhashed_names(pairs)
    by_pair = [(pair, list(_changes(pair, hashed))) for pair in pairs]
    changes = [*chain.from_iterable(found for _, found in by_pair), *_modes(old, new)]
    sides = Sides(tuple(pairs), str(place) != ".", promotion)
    told = {change.item.file for change in changes} | {
        pair.old.file for pair, found in by_pair if pair.old and found
    }
    cosmetic = tuple(sorted(p for p in differing if p not in told and p not in unread))
    sense: Sense = "removed" if not new else "added" if not old else "changed"
    service = Service(place, tuple(attention.findings(sides)), tuple(changes), cosmetic, sense)
    failures = [
        f"{place}: {one.file}, {side}: {one.message}"
        for side, found in zip(("before", "after"), broken, strict=True)
        for one in found
    ]
    return service, failures


def _modes(old: Files, new: Files) -> Iterator[Change]:
    """The executable bits that came and went."""
    for path in sorted(old.keys() & new.keys()):
        was, now = old[path].kind, new[path].kind
        if was != now and "link" not in (was, now):
            off, on = "not executable", "executable"
            bits = (on, off) if was == "executable" else (off, on)
            item = Item(contents.OTHER, path, (str(path),), None)
            yield Change(item, ("(mode)",), f"mode of {path.name}", bits[0], bits[1], "changed")


def _changes(pair: Pair, hashed: Mapping[str, str]) -> Iterator[Change]:
    if pair.old is None or pair.new is None:
        sense: Sense = "added" if pair.old is None else "removed"
        yield Change(pair.item, (), pair.item.label, "", "", sense)
        return
    secrets = known(pair.old.data, pair.new.data)
    before, after = (_renamed_in(side.data, hashed) for side in (pair.old, pair.new))
    for difference in differences(before, after):
        for one in _unfolded(pair.item.form, difference):
            yield _change(pair.item, one, secrets)


def _renamed_in(value: object, names: Mapping[str, str]) -> object:
    """Data with other words for names, where these stand alone."""
    if not names:
        return value
    if isinstance(value, dict):
        return {key: _renamed_in(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed_in(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def _unfolded(form: str, one: Difference) -> Iterator[Difference]:
    """The values in a map or list that comes or goes, as far as it is not one thing in itself."""
    value = one.old if one.new is ABSENT else one.new if one.old is ABSENT else None
    is_element = one.route[-1:] and one.route[-1].startswith("[")
    found = word(form, one.route)
    is_whole = is_element or (found is not None and found[0].whole)
    parts = [] if is_whole else list(inside(value))
    if not parts:
        yield one
    for step, name, inner in parts:
        sides = (ABSENT, inner) if one.old is ABSENT else (inner, ABSENT)
        yield from _unfolded(form, Difference((*one.pointer, step), (*one.route, name), *sides))


def _change(item: Item, one: Difference, secrets: Known) -> Change:
    route = tuple(map(shown, one.route))
    before, after = (
        masked(v, one.route, kind=item.kind, secrets=secrets) for v in (one.old, one.new)
    )
    sense: Sense = "added" if one.old is ABSENT else "removed" if one.new is ABSENT else "changed"
    found = word(item.form, route)
    subject = found[1] if found else shown_route(route) or str(item.file)
    tell = found[0].tell if found else values.plain
    remark = ""
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        old, new, remark = "", "", values.lines(before, after)
    elif sense == "changed" and same(before, after):  # but for what is left out of both
        old, new, remark = "", "", "the values are not shown"
    elif sense == "changed":
        old, new = values.both(before, after, tell)
        remark = found[0].remark(before, after) if found and found[0].remark else ""
    else:
        old, new = (tell(value) if value is not ABSENT else "" for value in (before, after))
    aspect = found[0].aspect if found else ""
    return Change(item, route, subject, old, new, sense, remark, aspect, before, after)
