"""Compiled code kept in the user's cache from run to run; a run never fails for it.

What is read there is executed: it is taken only where nobody else could have written it.
"""

import contextlib
import hashlib
import marshal
import os
import sys
from functools import cache, partial
from pathlib import Path
from types import CodeType

from generator.cache_folder import cache_folder, is_ours_alone, make_room

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
    staged = folder / f".{name}.{os.urandom(4).hex()}"
    _make_room(folder)
    with contextlib.suppress(OSError):  # a full disk, a folder that can only be read
        try:
            with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(_digest(content) + content)
            os.replace(staged, folder / name)
        finally:
            staged.unlink(missing_ok=True)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


_folder = cache(partial(cache_folder, "bytecode"))
"""Found once for all templates of a run."""


@cache
def _make_room(folder: Path) -> None:
    """Once a run, before what it keeps."""
    make_room(folder, _MOST_FILES)
