"""Change files of a folder together: all of them or none, also when killed on the way.

New files and copies of the old ones are staged first, where a full disk or a missing permission
shows without harm. Then a journal is written, and every file moves into place, which needs no
space. A failure on the way moves the old ones back; what a killed run left is settled by the next.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

STAGING = ".serving-generator.staging"
_FORWARD = "journal"
_BACK = "journal-back"


class Content(Struct, frozen=True):
    """What a file is to hold."""

    data: bytes
    executable: bool = False


class Move(Struct, frozen=True):
    """One line of the journal; the n-th has the staged files `new-n` and `old-n`."""

    path: str
    has_new: bool
    has_old: bool


def change(folder: Path, wanted: Mapping[PurePosixPath, Content | None]) -> None:
    """Give files their content, and remove those that are to have none.

    Raises what the file system raises; the folder is then as it was, or `settle` is due.
    """
    staging = folder / STAGING
    try:
        staging.mkdir()
        moves = _stage(folder, wanted)
    except BaseException:
        _discard(staging)
        raise
    try:
        _move_forward(folder, moves)
        (staging / _FORWARD).unlink()
    except BaseException:
        if (staging / _FORWARD).exists():
            os.replace(staging / _FORWARD, staging / _BACK)
            _move_back(folder, moves)
        _discard(staging)
        raise
    _discard(staging)


def settle(folder: Path) -> None:
    """Bring what a killed run has left to its end: forward, or back where it was on its way back.

    The staging folder may come from a repository: nothing in it leads out of the folder.
    """
    staging = folder / STAGING
    if not os.path.lexists(staging):
        return
    if staging.is_symlink():
        raise OSError(errno.ELOOP, "it is a link", str(staging))
    if (back := _read(staging / _BACK)) is not None:
        _move_back(folder, back)
    elif (forward := _read(staging / _FORWARD)) is not None:
        _move_forward(folder, forward)
    _discard(staging)


def _discard(staging: Path) -> None:
    """Remove the journal, then the files, without which it would be wrong.

    What cannot be removed does no harm and waits for the next run.
    """
    with contextlib.suppress(OSError):
        (staging / _FORWARD).unlink(missing_ok=True)
        (staging / _BACK).unlink(missing_ok=True)
        shutil.rmtree(staging)


def is_inside(path: str) -> bool:
    """Whether a path that was read from a file stays in the folder that it is relative to."""
    return not path.startswith("/") and ".." not in PurePosixPath(path).parts


def link_on_the_way(folder: Path, path: PurePosixPath) -> Path | None:
    """The folder or a part of the path that is a symbolic link, and so may lead anywhere."""
    parts = [folder / part for part in (*reversed(path.parents), path)]
    return next((part for part in parts if part.is_symlink()), None)


def _stage(folder: Path, wanted: Mapping[PurePosixPath, Content | None]) -> dict[int, Move]:
    staging = f"{folder}/{STAGING}"
    moves: list[Move] = []
    for number, (path, content) in enumerate(wanted.items()):
        if content:
            new = f"{staging}/new-{number}"
            put(new, content.data)
            os.chmod(new, 0o755 if content.executable else 0o644)
        place = f"{folder}/{path}"
        has_old = os.path.exists(place)
        if has_old:
            shutil.copy2(place, f"{staging}/old-{number}")
        moves.append(Move(str(path), content is not None, has_old))
    put(f"{staging}/journal.new", msgspec.json.encode(moves))
    os.replace(f"{staging}/journal.new", f"{staging}/{_FORWARD}")
    return dict(enumerate(moves))


def put(path: str, data: bytes) -> None:
    """`Path.write_bytes` in half the time: without a buffer there is less to set up."""
    left = memoryview(data)
    with open(path, "wb", buffering=0) as file:
        while left:
            left = left[file.write(left) :]


def _move_forward(folder: Path, moves: Mapping[int, Move]) -> None:
    present: set[str] = set()
    for number, move in moves.items():
        _settle_one(folder, move, f"new-{number}", present, staged=move.has_new)


def _move_back(folder: Path, moves: Mapping[int, Move]) -> None:
    present: set[str] = set()
    for number, move in moves.items():
        _settle_one(folder, move, f"old-{number}", present, staged=move.has_old)


def _settle_one(folder: Path, move: Move, name: str, present: set[str], *, staged: bool) -> None:
    """Move one staged file into place, unless an earlier run has; or remove what was there.

    `present` are folders that are known to be there.
    """
    if not staged:
        place = folder / move.path
        place.unlink(missing_ok=True)
        drop_empty(folder, place.parent)
        present.clear()
        return
    source = f"{folder}/{STAGING}/{name}"
    if os.path.exists(source):
        target = f"{folder}/{move.path}"
        parent = os.path.dirname(target)
        if parent not in present:
            Path(parent).mkdir(parents=True, exist_ok=True)
            present.add(parent)
        os.replace(source, target)


def drop_empty(top: Path, folder: Path) -> None:
    """Remove folders that hold nothing any more; one that cannot be removed does no harm."""
    with contextlib.suppress(OSError):
        while folder != top:
            folder.rmdir()
            folder = folder.parent


def _read(journal: Path) -> dict[int, Move] | None:
    """The moves of a journal by number, without those that would lead out of the folder."""
    try:
        moves = msgspec.json.decode(journal.read_bytes(), type=list[Move])
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    folder = journal.parent.parent
    return {number: move for number, move in enumerate(moves) if _is_safe(folder, move.path)}


def _is_safe(folder: Path, path: str) -> bool:
    return is_inside(path) and link_on_the_way(folder, PurePosixPath(path).parent) is None
