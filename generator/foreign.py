"""Refuse to write where something stands that is not ours."""

import os
import stat
from collections.abc import Container, Iterable
from pathlib import Path, PurePosixPath

from generator.diagnostics import CannotRun


def refuse_foreign(
    folder: Path, paths: Iterable[PurePosixPath], ours: Container[PurePosixPath]
) -> None:
    """Raise CannotRun where a path leads through a link, or to what is no file of ours.

    The paths are relative to the folder.
    """
    looked_at: dict[PurePosixPath, bool] = {}
    for path in paths:
        if not _is_there(folder, path.parent, looked_at):
            continue
        place = folder / path
        mode = _mode(place)
        if mode is None:
            continue
        _refuse_link(place, mode)
        if path not in ours or not stat.S_ISREG(mode):
            raise _in_the_way(place)


def _is_there(folder: Path, below: PurePosixPath, looked_at: dict[PurePosixPath, bool]) -> bool:
    """Whether a folder is there, from the top down; each is looked at once.

    Raises CannotRun where something else is in its place.
    """
    if below not in looked_at:
        may_be = not below.parts or _is_there(folder, below.parent, looked_at)
        mode = _mode(folder / below) if may_be else None
        if mode is not None:
            _refuse_link(folder / below, mode)
            if not stat.S_ISDIR(mode):
                raise _in_the_way(folder / below)
        looked_at[below] = mode is not None
    return looked_at[below]


def _mode(place: Path) -> int | None:
    try:
        return os.lstat(place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _refuse_link(place: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise CannotRun(f"{place} is a link; rendered folders hold no links")


def _in_the_way(place: Path) -> CannotRun:
    message = f"{place} is in the way and was not written by gen render"
    return CannotRun(f"{message}; move it away and run again")
