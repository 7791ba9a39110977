"""Put together what is told alike: one line for a change that several places share."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from generator.changes.comparison import Change, Service
from generator.changes.contents import MANIFEST, PROSE, Item

_NOWHERE = Item("", PurePosixPath(), (), None)  # where only the words count
_MADE = {"images": "image {} has to be built again", "archives": "archive {} has to be made again"}


@dataclass(frozen=True)
class Line:
    """A change, what is to be remarked on it, and the places that it is about."""

    change: Change
    remark: str
    places: tuple[str, ...]

    @property
    def said(self) -> str:
        """The change in a sentence."""
        return replace(self.change, remark=self.remark).said


def lines(changes: Iterable[Change]) -> list[Line]:
    """The sentences of changes, each once, in the order in which they come first.

    Prose is left to `prose`: a runbook repeats what the manifests say.
    """
    found: dict[Change, list[Change]] = {}
    aspects: dict[Change, dict[str, None]] = {}
    for change in changes:
        if change.item.form == PROSE:
            continue
        alike = replace(change, item=_NOWHERE, route=(), aspect="") if change.route else change
        found.setdefault(alike, []).append(change)
        aspects.setdefault(alike, {})[change.aspect] = None
    return [
        _line(alike, same, tuple(filter(None, aspects[alike]))) for alike, same in found.items()
    ]


def _line(alike: Change, changes: list[Change], aspects: tuple[str, ...]) -> Line:
    remark = ", ".join(filter(None, (" and ".join(aspects), alike.remark)))
    places = dict.fromkeys(place(change) for change in changes)
    return Line(changes[0], remark, tuple(places))


def place(change: Change) -> str:
    """The object or file in which a change stands; the words say where in it."""
    is_manifest = change.item.form == MANIFEST
    return change.item.label if change.route or not is_manifest else str(change.item.file)


def told(service: Service) -> tuple[Change, ...]:
    """The changes that are told one by one: of a service that came or went its manifests."""
    is_whole = service.sense != "changed"
    return tuple(c for c in service.changes if not is_whole or c.item.form == MANIFEST)


def to_be_made(service: Service) -> list[tuple[str, tuple[str, ...]]]:
    """What has to be built from changed files, of a service that stays: sentence and files."""
    found: dict[str, dict[str, None]] = {}
    for change in service.changes if service.sense == "changed" else ():
        parts = change.item.file.parts
        for folder, sentence in _MADE.items():
            if folder in parts[:-2]:
                name = parts[parts.index(folder) + 1]
                below = "/".join(parts[parts.index(folder) + 2 :])
                found.setdefault(sentence.format(name), {})[below] = None
    return [(sentence, tuple(files)) for sentence, files in found.items()]


def prose(changes: Iterable[Change]) -> tuple[PurePosixPath, ...]:
    """The documents that have changed."""
    named = (change.item.file for change in changes if change.item.form == PROSE)
    return tuple(dict.fromkeys(named))
