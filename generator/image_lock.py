"""images.lock: the digest that each tag stood for when it was last looked up."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from generator import reads, source
from generator.diagnostics import CannotRun, Diagnostic, Rejected, Span, shown
from generator.document import Document
from generator.images import DIGEST, full_name, reference
from generator.problem import Problem, did_you_mean, located
from generator.upward import found_upward

NAME = "images.lock"
VERSION = 1
RULE = "images/broken-lock"
_KEYS = ("lock_version", "images")

_HEADING = """\
# Made by gen lock: what each tag stands for. gen render names images by these digests.
# Of an image for several platforms it is the digest of the index, which holds for all of them.
"""


class Lock(Struct, frozen=True):
    """A lock file's place and what it holds: digests by the full names of images."""

    path: Path
    digests: Mapping[str, str] = field(default_factory=dict)


def nearest(folder: Path) -> Lock | None:
    """The lock that holds for a folder, the nearest upward, None where there is none.

    Raises Rejected for one that is broken, and CannotRun for one that cannot be read.
    """
    found = found_upward(folder, NAME)
    return read(found[0]) if found else None


def new_place(folder: Path) -> Path:
    """Where a lock for a folder begins: where one works, if the lock is found from the folder."""
    here = Path(os.path.abspath(folder))
    for place in (here, *here.parents):
        if place == Path.cwd():
            return place / NAME
        if (place / ".git").exists():
            break
    return here / NAME


def read(path: Path) -> Lock:
    """A lock file; raises Rejected with all that is wrong in it, or CannotRun."""
    shown_path = _shown(path)
    try:
        content = reads.read_bytes(path)
    except OSError as error:
        raise CannotRun(f"cannot read {shown_path}: {error.strerror}") from None
    return Lock(path, digests(shown_path, content, path.parent))


def line_of(lock: Lock, image: str) -> int:
    """The line that has an image's digest, 1 where the file has become another since."""
    try:
        lines = lock.path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return 1
    for number, line in enumerate(lines, 1):
        name, _, digest = line.strip().rpartition(": ")
        if digest == lock.digests[image] and full_name(name.strip("'\"")) == image:
            return number
    return 1


def digests(path: str, content: bytes, folder: Path) -> Mapping[str, str]:
    """The digests that the text of a lock holds, by full name; raises Rejected."""
    document = _loaded(path, content, folder)
    flaws = [located(problem, RULE, document) for problem in _problems(document)]
    if flaws:
        raise Rejected(flaws)
    images = document.data["images"]
    assert isinstance(images, dict)  # or there was a problem
    return {full_name(image): digest for image, digest in images.items()}


_OF_A_LOCK = {
    "yaml/empty": "the lock is empty",
    "yaml/not-a-map": "a lock is a map of lock_version and images, not a list or a scalar",
    "yaml/several-documents": "a second YAML document starts here; a lock is one document",
}


def _loaded(path: str, content: bytes, folder: Path) -> Document:
    """The YAML of a lock; what is wrong with it is told of a lock, and not of a spec."""
    try:
        return source.load(path, content, folder)
    except Rejected as rejected:
        raise Rejected(map(_of_a_lock, rejected.diagnostics)) from None


def _of_a_lock(flaw: Diagnostic) -> Diagnostic:
    if flaw.rule == _CONFLICT:
        return replace(flaw, hint=f"{flaw.hint}; or {_ANEW}")
    is_other = flaw.rule in _OF_A_LOCK
    return replace(flaw, message=_OF_A_LOCK[flaw.rule], hint=_ANEW) if is_other else flaw


_CONFLICT = "yaml/merge-conflict"


_ANEW = "remove the file, and make it anew: gen lock SPEC"


def text(found: Mapping[str, str]) -> str:
    """A lock file: sorted, an image a line."""
    lines = [f"  {image}: {digest}\n" for image, digest in sorted(found.items())]
    images = "images:\n" + "".join(lines) if lines else "images: {}\n"
    return f"{_HEADING}lock_version: {VERSION}\n{images}"


def listed(path: str, content: bytes, folder: Path) -> Mapping[str, str]:
    """Digests from a file that is a lock, or has lines `IMAGE DIGEST`; raises Rejected."""
    lines = source.decoded(path, content).splitlines()
    told = {number: line for number, line in enumerate(lines, 1) if _is_told(line)}
    if any(line.startswith(("lock_version:", "images:")) for line in told.values()):
        return digests(path, content, folder)
    found: dict[str, str] = {}
    flaws: list[Diagnostic] = []
    for number, line in told.items():
        pair = _LINE.fullmatch(line.strip().removeprefix("docker://"))
        name = full_name(pair["image"]) if pair else ""
        if not pair:
            message = f"`{shown(line.strip())}` is no image and its digest"
            hint = "write lines such as `docker.io/library/python:3.12 sha256:...`"
        elif found.setdefault(name, pair["digest"]) != pair["digest"]:
            message = f"`{name}` has another digest further up"
            hint = "keep one of the two lines"
        else:
            continue
        flaws.append(Diagnostic(path, Span(number, 1, len(line) + 1), message, RULE, hint, line))
    if flaws:
        raise Rejected(flaws)
    return found


def _is_told(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


_LINE = re.compile(rf"(?P<image>[^\s@]+)(?:\s+|@)(?P<digest>{DIGEST.pattern})")


def _problems(document: Document) -> Iterator[Problem]:
    """What is wrong with a lock whose YAML is right."""
    for key in document.data:
        if key not in _KEYS:
            message = f"a lock has no `{shown(key)}`"
            yield Problem((key,), message, did_you_mean(key, _KEYS), at_key=True)
    version = document.data.get("lock_version")
    if version is None:
        yield Problem((), "the lock has no lock_version", f"begin with `lock_version: {VERSION}`")
    elif version != VERSION or isinstance(version, bool):
        message = f"lock_version {shown(version)} is not {VERSION}, which this gen reads"
        yield Problem(
            ("lock_version",), message, "remove the file, and make it anew: gen lock SPEC"
        )
    images = document.data.get("images")
    if not isinstance(images, dict):
        message = "`images` is no map of images to digests"
        at = ("images",) if "images" in document.data else ()
        yield Problem(at, message, _ANEW, at_key=True)
        return
    names: dict[str, str] = {}
    for image, digest in images.items():
        parts = reference(image)
        if parts is None or parts.digest:
            message = f"`{shown(image)}` is no image with its tag"
            hint = "write such as docker.io/library/python:3.12"
            yield Problem(("images", image), message, hint, at_key=True)
        elif (other := names.setdefault(parts.name, image)) != image:
            message = f"`{image}` and `{other}` are one image"
            yield Problem(("images", image), message, "keep one of the two", at_key=True)
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            message = f"`{shown(digest)}` is no digest: sha256: and 64 hexadecimal digits"
            hint = "remove the line, and look it up anew: gen lock SPEC"
            yield Problem(("images", image), message, hint)


def _shown(path: Path) -> str:
    """The path as a user would type it: relative where the file lies below the working folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
