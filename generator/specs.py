"""Find the specs that a command line names."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from generator.diagnostics import CannotRun

STANDARD_INPUT = "-"
_MARK = re.compile(rb"""^(\xef\xbb\xbf)?["']?spec_version["']?[ \t]*:""", re.MULTILINE)


@dataclass(frozen=True)
class Spec:
    """A spec to read; `path` is what diagnostics call it."""

    path: str

    @property
    def folder(self) -> Path:
        """Where the spec's own paths start: its folder, or the working directory for stdin."""
        return Path.cwd() if self.path == STANDARD_INPUT else Path(self.path).parent

    @property
    def shown(self) -> str:
        return "<stdin>" if self.path == STANDARD_INPUT else self.path

    def read(self) -> bytes:
        """The spec's bytes; raises CannotRun where there are none to be had."""
        if self.path == STANDARD_INPUT:
            return _standard_input()
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise CannotRun(f"cannot read {self.path}: {error.strerror}") from None


def find_specs(paths: Sequence[str]) -> Iterator[Spec]:
    """Every spec named, in order, once; of a folder all YAML files with a `spec_version` key."""
    seen = set()
    for path in paths:
        found = list(_in_folder(path)) if os.path.isdir(path) else [path]
        if not found:
            raise CannotRun(f"no spec in {path}: no YAML file there has the key `spec_version`")
        for item in found:
            file = item if item == STANDARD_INPUT else os.path.realpath(item)
            if file not in seen:
                seen.add(file)
                yield Spec(item)


def _in_folder(folder: str) -> Iterator[str]:
    for base, folders, files in os.walk(folder, onerror=_cannot_read):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(base, name)
            if name.endswith((".yaml", ".yml")) and _is_spec(path):
                yield path


def _is_spec(path: str) -> bool:
    try:
        return bool(_MARK.search(Path(path).read_bytes()))
    except OSError as error:
        _cannot_read(error)


def _cannot_read(error: OSError) -> NoReturn:
    raise CannotRun(f"cannot read {error.filename}: {error.strerror}") from None


def _standard_input() -> bytes:
    if sys.stdin is None:  # closed by the caller
        raise CannotRun("cannot read <stdin>: it is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise CannotRun(f"cannot read <stdin>: {error.strerror}") from None
