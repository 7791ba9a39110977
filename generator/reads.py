"""What the build of a spec asks of the file system, noted so that it can be asked again.

Whoever reads a user's file, or asks whether it is there, on the way from a spec to its rendered
files does it here: `runs.memory` takes a build for what it was while every answer is the same.
"""

import contextlib
import errno
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from msgspec import Struct, field

Note = tuple[str, str]
"""A question, a word of QUESTIONS, and the path that it was asked about."""


class Journal(Struct):
    """The answers that a build has had; not whole where two to one question differ."""

    answers: dict[Note, str] = field(default_factory=dict)
    is_whole: bool = True

    def note(self, question: str, path: str, answer: str) -> None:
        self.is_whole &= self.answers.setdefault((question, path), answer) == answer


_open: list[Journal] = []


@contextlib.contextmanager
def noted() -> Iterator[Journal]:
    """A journal of what is asked meanwhile."""
    _open.append(Journal())
    try:
        yield _open[-1]
    finally:
        _open.pop()


def note_again(journal: Journal) -> None:
    """Note what was asked earlier for the same build."""
    if _open:
        _open[-1].is_whole &= journal.is_whole
        for (question, path), answer in journal.answers.items():
            _open[-1].note(question, path, answer)


def asked_again(question: str, path: str) -> str:
    """The answer to a question as it is now."""
    try:
        return QUESTIONS[question](Path(path))
    except OSError as error:
        return _failure(error)


def read_bytes(path: Path) -> bytes:
    """`Path.read_bytes`."""
    with _failures_noted("content", path):
        content = path.read_bytes()
    _note("content", path, lambda: _digest(content))
    return content


def read_text(path: Path, encoding: str) -> str:
    """`Path.read_text`, new lines as it has them."""
    return io.TextIOWrapper(io.BytesIO(read_bytes(path)), encoding=encoding).read()


def size(path: Path) -> int:
    """The bytes of a file."""
    with _failures_noted("size", path):
        found = path.stat().st_size
    _note("size", path, lambda: str(found))
    return found


def is_file(path: Path) -> bool:
    return _yes("is_file", path, path.is_file)


def is_dir(path: Path) -> bool:
    return _yes("is_dir", path, path.is_dir)


def is_symlink(path: Path) -> bool:
    return _yes("is_symlink", path, path.is_symlink)


def exists(path: Path) -> bool:
    return _yes("exists", path, path.exists)


def lexists(path: Path) -> bool:
    return _yes("lexists", path, lambda: os.path.lexists(path))


def note_folder(folder: Path) -> None:
    """Note the files right in a folder with their content, before somebody reads and keeps them.

    Once a process: what is kept there for all specs is what was read first.
    """
    if _open:
        answer = _folder_as_read_first(str(folder))
        _note("folder", folder, lambda: answer)
        _open[-1].is_whole &= answer != _LEADS_OUT


@cache
def _folder_as_read_first(folder: str) -> str:
    return asked_again("folder", folder)


def _yes(question: str, path: Path, ask: Callable[[], bool]) -> bool:
    with _failures_noted(question, path):
        answer = ask()
    _note(question, path, lambda: str(answer))
    return answer


def _note(question: str, path: Path, answer: Callable[[], str]) -> None:
    if _open:
        _open[-1].note(question, str(path), answer())


@contextlib.contextmanager
def _failures_noted(question: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = _failure(error)
        _note(question, path, lambda: reason)
        raise


def _failure(error: OSError) -> str:
    return f"failed: {errno.errorcode.get(error.errno or 0, 'unknown')}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of_folder(folder: Path) -> str:
    """What the names and contents of the files in a folder amount to."""
    whole = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        path = folder / name
        try:
            content = path.read_bytes() if path.is_file() else b""
        except OSError as error:  # told for the file: the others may change
            whole.update(f"{name!r} {_failure(error)}\n".encode())
            continue
        if _LEADING_OUT.search(content):
            return _LEADS_OUT
        whole.update(f"{name!r} {_digest(content)}\n".encode())
    return whole.hexdigest()


_LEADING_OUT = re.compile(rb'"\$ref"\s*:\s*"[^"#]*[/\\]')
_LEADS_OUT = "a schema refers to files elsewhere"


def _digest_of_file(path: Path) -> str:
    with open(path, "rb", buffering=0) as file:  # half the time of `read_bytes`
        return _digest(file.readall())


QUESTIONS: dict[str, Callable[[Path], str]] = {
    "content": _digest_of_file,
    "size": lambda path: str(path.stat().st_size),
    "is_file": lambda path: str(path.is_file()),
    "is_dir": lambda path: str(path.is_dir()),
    "is_symlink": lambda path: str(path.is_symlink()),
    "exists": lambda path: str(path.exists()),
    "lexists": lambda path: str(os.path.lexists(path)),
    "folder": _digest_of_folder,
}
