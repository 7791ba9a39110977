"""Files that hold for everything below them, found upward from a spec."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from generator import reads
from generator.reads import Journal

_known: dict[tuple[str, str], tuple[tuple[Path, ...], Journal]] = {}
"""What was found from a folder, and what was asked for that; empty unless a run is on."""
_runs = 0


@contextlib.contextmanager
def looked_up_once() -> Iterator[None]:
    """Look only once from each folder meanwhile: the specs of a run lie in few.

    A file that comes or goes meanwhile is as if it had done so after the run.
    """
    global _runs
    _runs += 1
    try:
        yield
    finally:
        _runs -= 1
        if not _runs:  # two runs may overlap, and end in any order
            _known.clear()


def found_upward(folder: Path, name: str) -> list[Path]:
    """The files of a name in a folder and in those above it, the nearest first.

    The search ends at the top of a git repository, or of the file system.
    """
    here = os.path.abspath(folder)
    if not _runs:
        return _found(Path(here), name)
    if (here, name) not in _known:
        try:
            with reads.noted() as journal:
                _known[here, name] = tuple(_found(Path(here), name)), journal
        except OSError:
            return _found(Path(here), name)  # which fails again, noted for what is built
    found, journal = _known[here, name]
    reads.note_again(journal)
    return list(found)


def _found(here: Path, name: str) -> list[Path]:
    found = []
    for place in (here, *here.parents):
        file = place / name
        if reads.is_file(file) or reads.is_symlink(file):  # one that leads nowhere is to be told
            found.append(file)
        if reads.exists(place / ".git"):
            break
    return found


def top_of_repository(folder: Path) -> Path | None:
    """The top of the git repository that a folder lies in."""
    here = Path(os.path.abspath(folder))
    return next((place for place in (here, *here.parents) if reads.exists(place / ".git")), None)
