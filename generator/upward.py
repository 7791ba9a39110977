"""Files that hold for everything below them, found upward from a spec."""

import os
from pathlib import Path


def found_upward(folder: Path, name: str) -> list[Path]:
    """The files of a name in a folder and in those above it, the nearest first.

    The search ends at the top of a git repository, or of the file system.
    """
    here = Path(os.path.abspath(folder))
    found = []
    for place in (here, *here.parents):
        file = place / name
        if file.is_file() or file.is_symlink():  # one that leads nowhere is to be told
            found.append(file)
        if (place / ".git").exists():
            break
    return found


def top_of_repository(folder: Path) -> Path | None:
    """The top of the git repository that a folder lies in."""
    here = Path(os.path.abspath(folder))
    return next((place for place in (here, *here.parents) if (place / ".git").exists()), None)
