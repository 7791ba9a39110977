"""Compiled code kept in the user's cache from run to run; a run never fails for it.

What is read there is executed: it is taken only where nobody else could have written it.
"""

import hashlib
import marshal
import os
import sys
from functools import cache, partial
from pathlib import Path
from types import CodeType

from generator.cache_folder import cache_folder, is_ours_alone, make_room, put

_MOST_FILES = 500
"""Some times the templates there are: for several versions of them, and of Python."""
_DIGEST_BYTES = hashlib.sha256().digest_size


def load(name: str) -> CodeType | None:
    """The code kept under a name; None where there is none, or it cannot be trusted."""
    folder = _folder()
    if folder is None:
        return None
    try:
        with open(folder / name, "rb") as file:
            if not is_ours_alone(os.fstat(file.fileno())):
                return None
            content = file.read()
        digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        # One who could forge the digest could write the folder; it tells a file cut short.
        kept = marshal.loads(code) if digest == _digest(code) else None  # noqa: S302
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return kept if isinstance(kept, CodeType) else None


def keep(name: str, code: CodeType) -> None:
    """Keep code under a name, whole or not at all; as Python's own, only where that is wanted."""
    folder = _folder()
    if folder is None or sys.dont_write_bytecode:
        return
    content = marshal.dumps(code)
    _make_room(folder)
    put(folder / name, _digest(content) + content)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


_folder = cache(partial(cache_folder, "bytecode"))
"""Found once for all templates of a run."""


@cache
def _make_room(folder: Path) -> None:
    """Once a run, before what it keeps."""
    make_room(folder, _MOST_FILES)
