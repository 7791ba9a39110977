"""The files that a command line names, and those of its folders."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from generator import reads
from generator.diagnostics import CannotRun

STANDARD_INPUT = "-"


class Input(Struct, frozen=True):
    """A file to read; `path` is what diagnostics call it."""

    path: str

    @property
    def folder(self) -> Path:
        """Where paths in the file start: its folder, or the working directory for stdin."""
        return Path.cwd() if self.path == STANDARD_INPUT else Path(self.path).parent

    @property
    def shown(self) -> str:
        return "<stdin>" if self.path == STANDARD_INPUT else self.path

    def read(self) -> bytes:
        """The file's bytes; raises CannotRun where there are none to be had."""
        if self.path == STANDARD_INPUT:
            return _standard_input()
        try:
            return reads.read_bytes(Path(self.path))
        except OSError as error:
            raise CannotRun(f"cannot read {self.path}: {error.strerror}") from None


def identity(path: str) -> str:
    """What two spellings of one file have in common."""
    return path if path == STANDARD_INPUT else os.path.realpath(path)


def walk(folder: str) -> Iterator[str]:
    """Every file in a folder and below, in order; not what begins with a dot.

    Raises CannotRun where a folder cannot be read.
    """
    for base, folders, files in os.walk(folder, onerror=cannot_read):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.normpath(os.path.join(base, name)) for name in sorted(files))


def cannot_read(error: OSError) -> NoReturn:
    """Raise CannotRun for a file that cannot be read."""
    raise CannotRun(f"cannot read {error.filename}: {error.strerror}") from None


def _standard_input() -> bytes:
    if sys.stdin is None:  # closed by the caller
        raise CannotRun("cannot read <stdin>: it is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise CannotRun(f"cannot read <stdin>: {error.strerror}") from None
