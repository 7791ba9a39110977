"""What lies in the cache of engines, and how it is removed."""

import re
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from generator.engines import environments
from generator.engines.installation import remove

OURS = re.compile(r"([a-z_]+)-[0-9a-f]{12}(\.lock)?")
BLOCK_BYTES = 512  # of st_blocks, whatever the file system has: stat(2)


class Cached(Struct, frozen=True):
    """An environment in the cache, or what an interrupted run has left of one."""

    engine: str
    folder: Path

    @property
    def is_complete(self) -> bool:
        """Whether it was made to its end."""
        return environments.is_complete(self.folder)

    @property
    def size_bytes(self) -> int:
        """What it takes on the disk; nothing where only its lock is left."""
        paths = (self.folder, *self.folder.rglob("*")) if self.folder.is_dir() else ()
        return sum(path.lstat().st_blocks * BLOCK_BYTES for path in paths)


def cached(engines: Collection[str]) -> list[Cached]:
    """What `environments.prepare` has left of these engines, whatever it installed, by folder."""
    found = [path for path in environments.cache().glob("*") if not path.is_symlink()]
    named = {path.with_suffix(""): OURS.fullmatch(path.name) for path in sorted(found)}
    return [
        Cached(name[1], folder) for folder, name in named.items() if name and name[1] in engines
    ]


def clear(entry: Cached) -> int:
    """Remove an environment with its lock, and tell how many bytes that freed.

    Raises BlockingIOError where another run is making it.
    """
    lock = environments.lock_of(entry.folder)
    with environments.locked_alone(lock, wait=False):
        size = entry.size_bytes
        # First, so that nothing takes an environment for complete that is removed in part.
        (entry.folder / environments.MARKER).unlink(missing_ok=True)
        remove(entry.folder)
        lock.unlink()
    return size
