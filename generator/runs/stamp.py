"""What rendered a file, apart from the spec: this package, those that it uses, and Python."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from generator.shipped import shipped

# Of these alone it depends what is written into a file, or said of a spec.
_USED = (
    *("jinja2", "jsonpatch", "jsonschema", "markupsafe", "msgspec"),
    *("packaging", "referencing", "ruamel/yaml", "yaml"),
)


def stamp() -> str:
    """The same as long as no file of the package is another, and no package that it uses.

    Like git's index it trusts the time of change of a file, which no program can set. This code
    runs by then: a package that is replaced in the moment between is taken for the one that runs.
    Raises OSError.
    """
    package = os.path.dirname(shipped("cli.py"))
    folders = {package, *(str(shipped(name)) for name in ("templates", "schemas"))}
    told = [line for folder in folders for line in _files(folder)]
    told += [line for entry in sys.path for name in _USED for line in _module(entry, name)]
    return hashlib.sha256("\n".join([sys.version, *sorted(told)]).encode()).hexdigest()


def _files(folder: str) -> Iterator[str]:
    """A line for each file in a folder and below; what Python makes of them left out."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield _line(entry.path, entry.stat(follow_symlinks=False))
                if entry.is_symlink():
                    with suppress(OSError):  # an editor's lock leads nowhere
                        yield _line(entry.path, entry.stat())
            elif entry.name != "__pycache__":
                yield from _files(entry.path)


def _module(entry: str, name: str) -> Iterator[str]:
    path = os.path.join(entry, name, "__init__.py")  # replaced when the package is
    with suppress(OSError):
        yield _line(path, os.stat(path))


def _line(path: str, status: os.stat_result) -> str:
    return f"{path!r} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
