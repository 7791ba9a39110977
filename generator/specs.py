"""Find the specs that a command line names."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from generator.diagnostics import CannotRun
from generator.inputs import Input, cannot_read, identity, walk

Spec = Input
TEAM_FILE = "serving-defaults.yaml"
"""Holds what a team says for all its specs; it is none itself."""
_MARK = re.compile(rb"""^(\xef\xbb\xbf)?["']?spec_version["']?[ \t]*:""", re.MULTILINE)


class NoSpec(CannotRun):
    """A folder without any."""


def find_specs(paths: Sequence[str]) -> Iterator[Spec]:
    """Every spec named, in order, once; of a folder all YAML files with a `spec_version` key."""
    seen = set()
    for path in paths:
        found = list(_in_folder(path)) if os.path.isdir(path) else [path]
        if not found:
            raise NoSpec(f"no spec in {path}: no YAML file there has the key `spec_version`")
        for item in found:
            if (file := identity(item)) not in seen:
                seen.add(file)
                yield Spec(item)


def is_spec(content: bytes) -> bool:
    """Whether a YAML file is a spec."""
    return bool(_MARK.search(content))


def _in_folder(folder: str) -> Iterator[str]:
    return (p for p in walk(folder) if p.endswith((".yaml", ".yml")) and _is_spec(p))


def _is_no_file(path: str) -> bool:
    """Whether reading would wait for ever, as of a named pipe; a dangling link is told later."""
    return os.path.exists(path) and not os.path.isfile(path)


def _is_spec(path: str) -> bool:
    if _is_no_file(path) or os.path.basename(path) == TEAM_FILE:
        return False
    try:
        return is_spec(Path(path).read_bytes())
    except OSError as error:
        cannot_read(error)
