"""Bring a project's folder to what was rendered, whole or not at all."""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from msgspec import Struct

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun
from generator.foreign import refuse_foreign
from generator.journal import (
    STAGING,
    Content,
    change,
    drop_empty,
    is_inside,
    link_on_the_way,
    settle,
)

RECORD = ".serving-generator"
"""The files that a project's folder owes to `gen render`, with their hashes.

Neither YAML nor JSON by name, so that no GitOps tool takes it for a manifest.
"""
_OWN = PurePosixPath(RECORD)


class Changes(Struct, frozen=True):
    """What differs between a project's folder and its render; paths start at that folder."""

    created: tuple[PurePosixPath, ...]
    updated: tuple[PurePosixPath, ...]
    removed: tuple[PurePosixPath, ...]
    edited: tuple[PurePosixPath, ...]
    """No longer rendered, but somebody has edited them since: left in place."""

    def __bool__(self) -> bool:
        return bool(self.created or self.updated or self.removed)


class Tree(Struct, frozen=True):
    """What a project's folder is to hold; `scope` are the parts of it that were rendered."""

    folder: Path
    files: Mapping[PurePosixPath, RenderedFile]
    scope: tuple[PurePosixPath, ...]

    def covers(self, path: PurePosixPath) -> bool:
        return any(path.is_relative_to(part) for part in self.scope)


def tree(output: Path, project: str, files: Sequence[RenderedFile], scope: Sequence[str]) -> Tree:
    """The tree of one project; `scope` holds paths under its folder, `.` for all of it."""
    under = {file.path.relative_to(project): file for file in files}
    return Tree(output / project, under, tuple(PurePosixPath(part) for part in scope))


def compare(tree: Tree) -> Changes:
    """What `write` would do; raises CannotRun where the folder cannot be read."""
    with _os_errors_told("read", tree.folder):
        return _changes(tree, _Record(tree.folder), _digests(tree))


def _changes(tree: Tree, record: "_Record", digests: Mapping[PurePosixPath, str]) -> Changes:
    created: list[PurePosixPath] = []
    updated: list[PurePosixPath] = []
    removed: list[PurePosixPath] = []
    edited: list[PurePosixPath] = []
    folder = str(tree.folder)
    for path, file in tree.files.items():
        current = content(f"{folder}/{path}")
        if current is None:
            created.append(path)
        elif current != Content(file.text.encode(), file.executable):
            updated.append(path)
    # A record of these very files names no other that might have to go.
    for path, digest in record.owned.items() if record.text != _as_record(digests) else ():
        if path in tree.files or not tree.covers(path):
            continue
        left = _read(tree.folder / path)
        if left is not None:
            is_ours = _digest(left) == digest and not link_on_the_way(tree.folder, path)
            (removed if is_ours else edited).append(path)
    return Changes(tuple(created), tuple(updated), tuple(removed), tuple(edited))


def unified_diff(tree: Tree, changes: Changes) -> Iterator[str]:
    """The lines of a diff from what lies in the folder to what is rendered."""
    from generator.blackened_diff import shown_diff  # 10 ms, for what differs alone

    for path in sorted((*changes.created, *changes.updated, *changes.removed)):
        place = tree.folder / path
        old = (_read(place) or b"").decode("utf-8", "replace")
        new = tree.files[path].text if path in tree.files else ""
        before = "/dev/null" if path in changes.created else f"a/{place}"
        after = "/dev/null" if path in changes.removed else f"b/{place}"
        if old == new and path in changes.updated:
            was, now = ("on", "off") if _is_executable(place) else ("off", "on")
            yield f"{place}: executable bit is {was}, rendered {now}\n"
        elif old == new:
            yield f"--- {before}\n+++ {after}\n"  # an empty file
        for line in shown_diff(old, new, before, after):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def write(tree: Tree) -> Changes:
    """Make the folder hold what was rendered, and drop what it no longer owes.

    Files that `gen render` never wrote are not touched: a foreign file in the way raises
    CannotRun, as does a file system that refuses; the folder is then as it was.
    """
    with _os_errors_told("write", tree.folder), _present(tree.folder), _locked(tree.folder):
        settle(tree.folder)
        old, digests = _Record(tree.folder), _digests(tree)
        changes = _changes(tree, old, digests)
        _refuse_foreign(tree, changes, old)
        record = _new_record(tree, old, digests)
        if changes or record != old.text:
            wanted: dict[PurePosixPath, Content | None] = dict.fromkeys(changes.removed)
            for path in (*changes.created, *changes.updated):
                file = tree.files[path]
                wanted[path] = Content(file.text.encode(), file.executable)
            change(tree.folder, wanted | {PurePosixPath(RECORD): Content(record)})
        return changes


def drop(folder: Path) -> Changes | None:
    """Remove what a project's folder owes to `gen render`, and the folder if nothing else is in it.

    Files that somebody has edited stay, and so does what is known of them; foreign ones stay too.
    None where another run has removed the folder meanwhile.
    """
    with _os_errors_told("write", folder):
        try:
            with _locked(folder) as is_there:
                if not is_there:
                    return None
                changes = _dropped(folder)
        except FileNotFoundError:
            if folder.exists():
                raise
            return None
        with contextlib.suppress(OSError):  # something else is in it
            folder.rmdir()
        return changes


def _dropped(folder: Path) -> Changes:
    settle(folder)
    everything = nothing_of(folder)
    record = _Record(folder)
    changes = _changes(everything, record, {})
    _refuse_foreign(everything, changes, record)
    owned = record.owned
    kept = _as_record({path: owned[path] for path in changes.edited})
    if not kept or kept != record.text:
        wanted: dict[PurePosixPath, Content | None] = dict.fromkeys(changes.removed)
        change(folder, wanted | {PurePosixPath(RECORD): Content(kept) if kept else None})
    for path in owned:  # of files that somebody has removed, the folders are left
        if not link_on_the_way(folder, path.parent):
            drop_empty(folder, (folder / path).parent)
    return changes


def nothing_of(folder: Path) -> Tree:
    """The tree of a project that is rendered no more."""
    return Tree(folder, {}, (PurePosixPath("."),))


def was_linked(folder: Path, path: PurePosixPath) -> bool:
    """Whether a file of the folder is one no more because it, or a folder on the way, is a link."""
    return link_on_the_way(folder, path) is not None


class _Record(Struct, frozen=True, dict=True):
    """The record as it lies in a project's folder, read when it is first asked for."""

    folder: Path

    @cached_property
    def text(self) -> bytes | None:
        return _read(self.folder / RECORD)

    @cached_property
    def owned(self) -> dict[PurePosixPath, str]:
        """The digests of the files that it owes."""
        lines = (self.text or b"").decode("utf-8", "replace").split("\n")
        pairs = (line.split("  ", 1) for line in lines if "  " in line)
        return {PurePosixPath(path): digest for digest, path in pairs if is_inside(path)}


def _digests(tree: Tree) -> dict[PurePosixPath, str]:
    return {path: _digest(file.text.encode()) for path, file in tree.files.items()}


def _new_record(tree: Tree, old: _Record, digests: Mapping[PurePosixPath, str]) -> bytes:
    kept = {path: d for path, d in old.owned.items() if not tree.covers(path)}
    return _as_record({**kept, **digests})


def _as_record(owned: Mapping[PurePosixPath, str]) -> bytes:
    lines = sorted(owned.items(), key=lambda each: each[0].parts)
    return "".join(f"{digest}  {path}\n" for path, digest in lines).encode()


def _refuse_foreign(tree: Tree, changes: Changes, record: _Record) -> None:
    """Nothing but a file of ours is replaced, and nothing is written through a link."""
    paths = (*changes.created, *changes.updated)
    ours = {*record.owned, _OWN} if paths else {_OWN}
    refuse_foreign(tree.folder, (*paths, _OWN), ours)


@contextlib.contextmanager
def _present(folder: Path) -> Iterator[None]:
    """Make the folder; one that is still empty when something fails goes again."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Let one run at a time change a project's folder; whether it is still there then."""
    try:
        import fcntl
    except ImportError:  # Windows: no lock, one run at a time is the user's care
        yield folder.is_dir()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder.is_dir() and os.path.samestat(os.fstat(descriptor), folder.stat())
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _os_errors_told(verb: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot {verb} {error.filename or folder}: {error.strerror or error}"
        if verb == "write":
            halfway = (folder / STAGING).exists()
            end = "the next gen render puts it right" if halfway else "nothing was changed"
            message = f"{message}; {end}"
        raise CannotRun(message) from error


def _read(path: Path) -> bytes | None:
    """The bytes of a file, or nothing where there is none or something else."""
    found = content(str(path))
    return found.data if found else None


def content(path: str) -> Content | None:
    """What a file holds, or nothing where there is none or something else."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            return None
        with open(path, "rb", buffering=0) as file:
            return Content(file.readall(), bool(mode & 0o100))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return None  # links that lead to each other


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
