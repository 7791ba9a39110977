"""Which images a lock needs for which specs, and what becomes of its file."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from generator import image_lock, images
from generator.image_lock import Lock
from generator.pipeline import Build, folder_of


class Needs(Struct):
    """A lock, there or to be made, and the full names of all images that its specs' files use."""

    lock: Lock
    is_new: bool
    images: set[str] = field(default_factory=set)

    @property
    def missing(self) -> list[str]:
        return sorted(self.images - set(self.lock.digests))

    @property
    def unused(self) -> list[str]:
        return sorted(set(self.lock.digests) - self.images)


class Change(Struct, frozen=True):
    """An entry of a lock that becomes another; None where there is none."""

    image: str
    old: str | None
    new: str | None


def lock_of(folder: Path) -> tuple[Lock, bool]:
    """The lock of a spec's folder, and whether it is yet to be made; raises Rejected."""
    if lock := image_lock.nearest(folder):
        return lock, False
    return Lock(image_lock.new_place(folder)), True


def used_by(build: Build) -> set[str]:
    """The full names of what one spec's files use, but for images with a digest of their own."""
    names = set()
    for deployment in build.deployments:
        place, locked = folder_of(deployment), deployment.project.locked or {}
        files = [
            replace(file, path=file.path.relative_to(place))
            for file in build.files
            if file.path.is_relative_to(place)
        ]
        for use in images.used(files):
            parts = images.reference(use.image)
            if parts and parts.digest in (None, locked.get(parts.name)):
                names.add(parts.name)
    return names


def changes(needs: Needs, found: Mapping[str, str], *, prune: bool) -> list[Change]:
    """What the lock's file gains, loses and has otherwise, sorted."""
    old = needs.lock.digests
    gone = needs.unused if prune else ()
    changed = [Change(name, old.get(name), digest) for name, digest in found.items()]
    changed += [Change(name, old[name], None) for name in gone]
    return sorted((c for c in changed if c.old != c.new), key=lambda change: change.image)


def after(needs: Needs, changed: Iterable[Change]) -> Mapping[str, str]:
    """The lock's entries once it has changed."""
    entries = dict(needs.lock.digests)
    for change in changed:
        if change.new is None:
            del entries[change.image]
        else:
            entries[change.image] = change.new
    return entries
