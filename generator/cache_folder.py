"""The folder in the user's cache where this package keeps what can be made again."""

import contextlib
import os
import stat
from pathlib import Path

from generator import atomic


def cache_folder(name: str) -> Path | None:
    """A folder of the cache, made where the user has a place for it; None where there is none.

    Under sudo that place may be another user's: nothing is put there, and nothing read from it.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))  # XDG Base Directory Specification
    if not base.is_absolute() and os.environ.get("HOME") != "":  # or it would be /.cache
        base = Path(os.path.expanduser("~/.cache"))
    if not base.is_absolute():
        return None
    folder = base / "serving-generator" / name
    try:
        if not folder.is_dir():
            there = next(above for above in folder.parents if above.exists())
            if not _is_own(there.stat()):
                return None
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if is_ours_alone(folder.stat()) else None
    except OSError:
        return None


def put(file: Path, content: bytes) -> None:
    """Write a file whole, and for this user alone; where that cannot be it is left as it is."""
    with contextlib.suppress(OSError):  # a full disk, a folder that can only be read
        atomic.write(file, content, mode=0o600)


def make_room(folder: Path, most: int) -> None:
    """Leave so many files, those that were written last: also what killed runs have left."""
    written: list[tuple[int, Path]] = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # another run has removed it
                written.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(written, reverse=True)[most:]:
        with contextlib.suppress(OSError):  # a folder, which is not ours
            path.unlink()


def is_ours_alone(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's, and its mode lets nobody else write to it."""
    return _is_own(status) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_own(status: os.stat_result) -> bool:
    geteuid = getattr(os, "geteuid", None)  # not on Windows, where a home is the user's alone
    return geteuid is None or status.st_uid == geteuid()
