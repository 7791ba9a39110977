"""The specs around: those under `specs/`, or in the folder itself, without a search of the disk."""

import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from generator import defaults, source
from generator.diagnostics import CannotRun, Rejected
from generator.document import Document
from generator.specs import TEAM_FILE, Spec, is_spec

DEPTH = 3
MOST_FILES = 1000
MOST_SPECS = 100
_NOT_LOOKED_INTO = ("build", "node_modules", "rendered", "venv")


def nearby(folder: Path) -> list[Spec]:
    """The specs in a folder's `specs/`, or else in it and a few levels below."""
    base = folder / "specs" if (folder / "specs").is_dir() else folder
    files = itertools.islice(_yaml_files(base), MOST_FILES)
    found = (file for file in files if _is_spec(file))
    return [Spec(os.path.relpath(file)) for file in itertools.islice(found, MOST_SPECS)]


def _yaml_files(base: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(base):
        depth = len(Path(folder).relative_to(base).parts)
        skips = depth >= DEPTH
        below[:] = [] if skips else sorted(name for name in below if _is_looked_into(name))
        yield from (Path(folder, name) for name in sorted(files) if _is_yaml(name))


def _is_looked_into(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_LOOKED_INTO


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _is_spec(file: Path) -> bool:
    if file.name == TEAM_FILE:
        return False
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > source.MAX_BYTES:
            return False  # a pipe would be waited for
        return is_spec(file.read_bytes())
    except OSError:  # it is not asked for by name: what cannot be read is passed over
        return False


def loaded(spec: Spec) -> Document:
    """A spec that is asked for; raises Rejected or CannotRun."""
    return defaults.load(spec.shown, spec.read(), spec.folder)


def readable(specs: list[Spec]) -> Iterator[tuple[Spec, Document]]:
    """Those of the specs found that can be read."""
    for spec in specs:
        try:
            yield spec, loaded(spec)
        except (Rejected, CannotRun):  # found, not asked for
            continue


def of_project(path: PurePath) -> Iterator[Path]:
    """Where the spec of a rendered file may be found: beside the folder it lies in, or here."""
    around = (f for f in Path(path).absolute().parents if (f / "specs").is_dir())
    beside = list(itertools.islice(around, DEPTH))
    yield from beside
    if Path.cwd() not in beside:
        yield Path()
