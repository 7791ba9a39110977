"""The files of a folder as a git revision has them."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from generator.changes.trees import PASSED_OVER, Entry, Files, Kind
from generator.diagnostics import CannotRun

_KINDS: dict[bytes, Kind] = {
    b"100644": "file",
    b"100664": "file",
    b"100755": "executable",
    b"120000": "link",
}
# A hook gets these from git: they would be followed in place of the folder that is asked of.
_LOCATIONS = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
    *("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
    *("GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_NAMESPACE"),
)
_SECONDS = 300  # for a partial clone, which may ask its remote for the files


def of_revision(folder: Path, revision: str) -> dict[PurePosixPath, Entry] | None:
    """The files of a folder in a commit, or a file; None where that commit has no such thing.

    Submodules are left out. Raises CannotRun without git, without a repository around the folder,
    or without the revision.
    """
    git, here, top, inside = _located(folder)
    commit = _commit(git, here, revision)
    listed = _run(git, top, "ls-tree", "-r", "-z", "--full-tree", commit, "--", inside)
    blobs = list(_blobs(listed, PurePosixPath(inside)))
    contents = _contents(git, top, [name for _, _, name in blobs])
    found = {
        path: Entry(content, kind) for (path, kind, _), content in zip(blobs, contents, strict=True)
    }
    return found or None


def as_committed(folder: Path, before: Files, lying: Files) -> dict[PurePosixPath, Entry]:
    """What lies there; a file that git would store as the revision has it, is taken as that.

    Git stores another content than lies there where an attribute says so, as for Git LFS.
    """
    found = dict(lying)
    differing = [
        path
        for path, entry in lying.items()
        if entry.kind != "link" and path in before and before[path].content != entry.content
    ]
    if not differing or not folder.is_dir():
        return found
    git, _, top, inside = _located(folder)
    names = [(PurePosixPath(inside) / path).as_posix() for path in differing]
    odd = [name for name in names if "\n" in name]
    named = [(path, n) for path, n in zip(differing, names, strict=True) if n not in odd]
    asked = "".join(f"{name}\n" for _, name in named).encode("utf-8", "surrogateescape")
    stored = _run(git, top, "hash-object", "--stdin-paths", given=asked).decode().split()
    for (path, _), name in zip(named, stored, strict=True):
        old = before[path]
        if name == _object(old.content, len(name)):
            found[path] = Entry(old.content, lying[path].kind)
    return found


def _object(content: bytes, digits: int) -> str:
    """What git calls a blob of this content, in a repository with names of so many digits."""
    whole = b"blob %d\0%s" % (len(content), content)
    if digits == 40:
        return hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    return hashlib.sha256(whole).hexdigest()


def _located(folder: Path) -> tuple[str, Path, Path, str]:
    """Git, where to run it, the top of the repository, and the way from there to the folder."""
    git = shutil.which("git")
    if git is None:
        raise CannotRun("cannot read a revision: git is not installed")
    here = _nearest(folder)
    top = Path(os.fsdecode(_run(git, here, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    inside = os.path.relpath(os.path.realpath(folder), os.path.realpath(top))
    return git, here, top, Path(inside).as_posix()


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there: a revision may have what is gone."""
    place = Path(os.path.abspath(folder))
    return next(one for one in (place, *place.parents) if one.is_dir())


def _commit(git: str, here: Path, revision: str) -> str:
    if not revision or revision.startswith("-") or "\0" in revision:
        raise CannotRun(f"no revision {revision!r}")
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    ran = _started(git, here, *asked)
    if ran.returncode == 0:
        return ran.stdout.decode().strip()
    message = f"no revision {revision} in this repository"
    shallow = _started(git, here, "rev-parse", "--is-shallow-repository")
    if shallow.stdout.strip() == b"true":
        raise CannotRun(
            f"{message}, which is a shallow clone: git fetch --unshallow, or in GitHub Actions "
            "`fetch-depth: 0` of actions/checkout, in GitLab CI `GIT_DEPTH: 0`"
        )
    raise CannotRun(f"{message}; a branch of a remote is named with it: origin/{revision}")


def _blobs(listed: bytes, inside: PurePosixPath) -> Iterator[tuple[PurePosixPath, Kind, bytes]]:
    """Path, kind and object of each file in what ls-tree says."""
    for line in filter(None, listed.split(b"\0")):
        about, _, path = line.partition(b"\t")
        mode, _, name = about.split(b" ")
        if mode not in _KINDS:
            continue
        whole = PurePosixPath(os.fsdecode(path))
        below = whole.relative_to(inside) if whole != inside else PurePosixPath(whole.name)
        if not set(below.parts[:-1]) & set(PASSED_OVER):
            yield below, _KINDS[mode], name


def _contents(git: str, here: Path, names: list[bytes]) -> Iterator[bytes]:
    """The bytes of objects, in one run of git."""
    if not names:
        return
    asked = b"".join(name + b"\n" for name in names)
    answer = memoryview(_run(git, here, "cat-file", "--batch", given=asked))
    for name in names:
        end = bytes(answer[:200]).index(b"\n")
        head = bytes(answer[:end]).split()
        if len(head) != 3 or not head[2].isdigit():
            raise CannotRun(f"git cannot read object {name.decode()}: is the clone complete?")
        size = int(head[2])
        yield bytes(answer[end + 1 : end + 1 + size])
        answer = answer[end + 2 + size :]


def _run(git: str, here: Path, *arguments: str, given: bytes = b"") -> bytes:
    ran = _started(git, here, *arguments, given=given)
    if ran.returncode:
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["it says nothing"]
        raise CannotRun(f"git {arguments[0]} in {here}: {lines[0].removeprefix('fatal: ')}")
    return ran.stdout


def _started(
    git: str, here: Path, *arguments: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    # In English, no prompt for a password, and no lock that another run of git would wait for.
    environment = {name: value for name, value in os.environ.items() if name not in _LOCATIONS}
    environment |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
    }
    try:
        return subprocess.run(
            [git, "-C", str(here), *arguments],
            input=given,
            env=environment,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotRun(f"git {arguments[0]} in {here}: no end after {_SECONDS} s") from None
    except OSError as error:
        raise CannotRun(f"cannot run {git}: {error.strerror}") from None
