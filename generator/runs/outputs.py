"""Whether a project's folder is still as it was left: by times and sizes, as git's index has it."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from generator.journal import STAGING, Content
from generator.write import RECORD, Tree, content

_TICK_NS = 2_000_000_000
"""The coarsest clock of a file system is FAT's, of 2 s; most have one of some milliseconds."""


class State(NamedTuple):
    """How the files of a folder stood when they were seen; `newest` is the last change of one."""

    digest: bytes
    newest: int
    seen: int

    @property
    def is_racy(self) -> bool:
        """Whether a file may have been changed after it was seen without a trace in its times.

        https://git-scm.com/docs/racy-git
        """
        return self.newest >= self.seen - _TICK_NS


class Left(NamedTuple):
    """What a run has left of a project; `contents` is a digest of all that the files hold.

    How they stand is for the next run to see, when it has found them to hold that: another run, or
    an editor, may have changed them as soon as this one had written them.
    """

    project: str
    files: tuple[str, ...]
    contents: bytes


def left(tree: Tree) -> Left | None:
    """What is left of a tree that `write` has brought; None where its record is gone."""
    try:
        own = content(f"{tree.folder}/{RECORD}")
    except OSError:
        return None
    files = (Content(file.text.encode(), file.executable) for file in tree.files.values())
    whole = _digest([own, *files])
    return Left(tree.folder.name, tuple(map(str, tree.files)), whole) if whole else None


def state(folder: Path, files: Sequence[str]) -> State | None:
    """How a folder's files stand; None where one is missing or a link, or a run was killed."""
    top, lstat, seen = str(folder), os.lstat, time.time_ns()
    try:
        numbers = [lstat(top).st_mode]
        if not stat.S_ISDIR(numbers[0]) or os.path.lexists(f"{top}/{STAGING}"):
            return None
        for name in (RECORD, *files):
            of = lstat(f"{top}/{name}")
            if not stat.S_ISREG(of.st_mode):
                return None
            numbers += (of.st_ctime_ns, of.st_mtime_ns, of.st_size, of.st_ino, of.st_mode)
    except OSError:
        return None
    digest = hashlib.sha256(msgspec.msgpack.encode(numbers)).digest()
    return State(digest, max(numbers[1::5]), seen)


def contents(folder: Path, files: Sequence[str]) -> bytes | None:
    """A digest of what the files hold, None where one cannot be read."""
    try:
        return _digest(content(f"{folder}/{name}") for name in (RECORD, *files))
    except OSError:
        return None


def _digest(held: Iterable[Content | None]) -> bytes | None:
    """A digest of what files hold, None where one is not there."""
    whole = hashlib.sha256()
    for each in held:
        if each is None:
            return None
        whole.update(f"{each.executable} {len(each.data)} ".encode())
        whole.update(each.data)
    return whole.digest()
