"""Tell code that was installed from code that the user writes."""

import functools
import re
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import generator

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_NAMES = {"site-packages", "dist-packages"}  # the latter is Debian's


def is_library(place: Path, head: str, folders: Sequence[Path]) -> bool:
    """Whether a resolved place of a module is Python's, gen's, or an installed library's.

    `head` is the module's top-level name. A project's folder among libraries is none of them:
    what lies in one of `folders` is the user's.
    """
    library = _library(place, head)
    if library is None:
        return False
    projects = (folder.resolve() for folder in folders)
    return not any(
        project.is_relative_to(library) and place.is_relative_to(project) for project in projects
    )


def _library(place: Path, head: str) -> Path | None:
    """The folder of libraries that a place lies in, the innermost one."""
    for folder in (place, *place.parents):
        if folder.name in _NAMES or folder in _folders():
            return folder
    entries = (Path(entry).resolve() for entry in sys.path)
    holding = (entry for entry in entries if place.is_relative_to(entry))
    return next((entry for entry in holding if head in _installed(entry)), None)


@functools.cache
def _folders() -> frozenset[Path]:
    """The folders of Python's own library, of libraries, and of this package."""
    given = (*map(sysconfig.get_path, _PATHS), *generator.__path__)
    return frozenset(Path(each).resolve() for each in given)


@functools.cache
def _installed(folder: Path) -> frozenset[str]:
    """The names that installers have put into any other folder, as `pip --target` does.

    An editable install lists none there: the user's own files are where they were.
    """
    records = (each.read_text("RECORD") or "" for each in distributions(path=[str(folder)]))
    lines = (line for record in records for line in record.splitlines())
    return frozenset(re.split(r"[/.,]", line, maxsplit=1)[0] for line in lines)
