"""The files of one side of a comparison, sorted by the service that they belong to."""

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun
from generator.write import RECORD

PASSED_OVER = (".git", ".svn", ".hg", "node_modules", "__pycache__", ".venv", ".terraform")


Kind = Literal["file", "executable", "link"]


@dataclass(frozen=True)
class Entry:
    """A file: its bytes, or where a link leads."""

    content: bytes
    kind: Kind = "file"


Files = Mapping[PurePosixPath, Entry]


@dataclass(frozen=True, order=True)
class Place:
    """Which project, environment and target files belong to; all empty outside of any project."""

    project: str = ""
    environment: str = ""
    target: str = ""

    def __str__(self) -> str:
        return " / ".join(filter(None, (self.project, self.environment, self.target))) or "."


def of_folder(folder: Path) -> dict[PurePosixPath, Entry]:
    """The files of a folder and below, without those of version control; a missing one has none.

    A file is what it holds itself, under its name.

    Raises CannotRun where something cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise CannotRun(f"cannot read {error.filename}: {error.strerror}")

    found: dict[PurePosixPath, Entry] = {}
    if not os.path.lexists(folder):
        return found
    if not folder.is_dir():
        entry = entry_at(folder)
        return {PurePosixPath(folder.name): entry} if entry else found
    for base, folders, names in os.walk(folder, onerror=refuse):
        linked = [name for name in folders if os.path.islink(os.path.join(base, name))]
        folders[:] = sorted(
            name
            for name in folders
            if name not in linked
            and name not in PASSED_OVER
            and not os.path.exists(os.path.join(base, name, ".git"))  # another repository
        )
        for name in sorted((*names, *linked)):
            path = Path(base, name)
            if entry := entry_at(path):
                found[PurePosixPath(path.relative_to(folder).as_posix())] = entry
    return found


def entry_at(path: Path) -> Entry | None:
    """A file as it lies there; None where there is none, or a pipe, a socket and the like."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return Entry(os.fsencode(os.readlink(path)), "link")
        if not stat.S_ISREG(mode):
            return None
        return Entry(path.read_bytes(), "executable" if mode & 0o100 else "file")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CannotRun(f"cannot read {path}: {error.strerror}") from None


def of_rendered(files: Iterable[RenderedFile]) -> dict[PurePosixPath, Entry]:
    """Files that were rendered, in memory."""
    return {
        file.path: Entry(file.text.encode(), "executable" if file.executable else "file")
        for file in files
    }


def by_place(
    old: Files, new: Files, targets: Collection[str], name: str = ""
) -> dict[Place, tuple[dict[PurePosixPath, Entry], dict[PurePosixPath, Entry]]]:
    """The files of both sides by place; `name` is what the folder itself is called.

    A project is a folder with a record of `gen render` on either side. The paths of its files
    start at the folder of their place: those of a renamed project are the same.
    """
    projects = {path.parent for path in (*old, *new) if path.name == RECORD}
    found: dict[Place, tuple[dict[PurePosixPath, Entry], dict[PurePosixPath, Entry]]] = {}
    for side, files in enumerate((old, new)):
        for path, entry in files.items():
            if path.name != RECORD:
                place, folder = _place(path, projects, targets, name)
                found.setdefault(place, ({}, {}))[side][path.relative_to(folder)] = entry
    return dict(sorted(found.items()))


def _place(
    path: PurePosixPath, projects: set[PurePosixPath], targets: Collection[str], name: str
) -> tuple[Place, PurePosixPath]:
    """Where a file belongs, and the folder of that."""
    for folder in path.parents:
        if folder in projects:
            project = name if folder == PurePosixPath() else str(folder)
            parts = path.relative_to(folder).parts[:-1]
            if parts and parts[0] in targets:
                return Place(project, "", parts[0]), folder / parts[0]
            if len(parts) > 1 and parts[1] in targets:
                return Place(project, parts[0], parts[1]), folder / parts[0] / parts[1]
            return Place(project), folder
    return Place(), PurePosixPath()
