"""Files that may be specs although a run has not read them as such.

A spec is known by a key in a line of its own, in a folder that the command line names. One wrong
letter, or a folder less, and it is none: what it has rendered must not be taken for left over.
"""

import codecs
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from generator.diagnostics import Span
from generator.inputs import identity
from generator.specs import TEAM_FILE, is_spec
from generator.upward import top_of_repository

_YAML = (".yaml", ".yml")
_JSON = (".json",)
_PASSED_OVER = {".git", ".venv", "node_modules"}
_NO_FOLDER_OF_SPECS = ("CACHEDIR.TAG", "pyvenv.cfg", ".serving-generator")
"""Files by which caches (https://bford.info/cachedir), Python environments and rendered projects
are known."""
_LARGEST = 4 << 20
"""Bytes; no spec is as long."""
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAME = re.compile(
    r"""(?<![\w.-])["']?name["']?"""
    r"(?:\s|\#[^\n]*\n){0,500}:"
    r"(?:\s|\#[^\n]*\n|[&!][^\s&!]*|[|>][-+0-9]*){0,500}"  # comments, anchors, tags, scalars
    r"""(?P<name>["']?(?P<project>[a-z0-9-]+)["']?)(?=[ \t]*(?:[\r\n,}\]\#]|\Z))"""
)
_MANIFEST = [re.compile(rf"^{key}[ \t]*:", re.MULTILINE) for key in ("apiVersion", "kind")]


class Claim(Struct, frozen=True):
    """A file that names a project; `is_spec` where it would be a spec if its folder were given."""

    path: str
    project: str
    span: Span
    source: str
    is_spec: bool


class Unknown(Struct, frozen=True):
    """A file, or a folder, among the specs of which nobody can say what it was."""

    path: str
    why: str


def unseen(
    folders: Sequence[str], output: Path, read: Collection[str], projects: Collection[str]
) -> Iterator[Claim | Unknown]:
    """What may be the spec of a project, of all that lies in the repository of the folders.

    `read` are the specs of the run, which name other projects; outside a repository it is the
    working directory that is looked through.
    """
    seen = set(map(identity, read))
    walked = _Walk(folders, output)
    for path, is_given in walked.files():
        if identity(path) in seen:
            continue
        seen.add(identity(path))
        yield from _said(path, is_given, projects)
    yield from (Unknown(path, "cannot be read") for path in walked.unreadable)


class _Walk:
    """Each file once, those of the given folders first."""

    def __init__(self, folders: Sequence[str], output: Path) -> None:
        self.folders = folders
        self.given = [os.path.realpath(folder) for folder in folders]
        self.output = os.path.realpath(output)
        self.entered = set(self.given)
        self.unreadable: list[str] = []

    def files(self) -> Iterator[tuple[str, bool]]:
        for folder in self.folders:
            for path in self._below(folder, is_given=True):
                yield path, True
        tops = [top_of_repository(Path(folder)) or Path.cwd() for folder in self.folders]
        for top in dict.fromkeys(tops):
            for path in self._below(os.path.relpath(top), is_given=False):
                yield path, False

    def _below(self, root: str, *, is_given: bool) -> Iterator[str]:
        def note(error: OSError) -> None:
            if is_given:
                self.unreadable.append(os.path.normpath(error.filename))

        walked = os.walk(root, followlinks=True, onerror=note)
        for base, folders, names in walked:
            paths = {name: os.path.join(base, name) for name in sorted(folders)}
            folders[:] = [name for name, path in paths.items() if self._enters(name, path, root)]
            for name in sorted(names):
                if name.lower().endswith(_YAML + _JSON):
                    yield os.path.normpath(os.path.join(base, name))

    def _enters(self, name: str, path: str, root: str) -> bool:
        real = os.path.realpath(path)
        if name in _PASSED_OVER or real in self.entered or _holds(real, os.path.realpath(root)):
            return False
        if not any(_holds(real, given) for given in self.given) and (
            real == self.output
            or any(os.path.lexists(os.path.join(path, sign)) for sign in _NO_FOLDER_OF_SPECS)
        ):
            return False
        self.entered.add(real)
        return True


def _holds(folder: str, path: str) -> bool:
    return Path(path).is_relative_to(folder)


def _said(path: str, is_given: bool, projects: Collection[str]) -> Iterator[Claim | Unknown]:
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        return
    may_be_any = is_given and path.lower().endswith(_YAML) and Path(path).name != TEAM_FILE
    try:
        if os.path.getsize(path) > _LARGEST:
            return
        content = Path(path).read_bytes()
    except OSError:
        if may_be_any:
            yield Unknown(path, "cannot be read")
        return
    text = _text(content)
    claims = list(_claims(path, text or content.decode("latin-1"), is_spec(content), projects))
    yield from claims
    if may_be_any and not claims:
        if text is None:
            yield Unknown(path, "is no text in UTF-8 or UTF-16")
        elif not text.strip():
            yield Unknown(path, "is empty")


def _claims(path: str, text: str, is_spec: bool, projects: Collection[str]) -> Iterator[Claim]:
    if all(key.search(text) for key in _MANIFEST):  # of Kubernetes, where names are of all kinds
        return
    told = set()
    for found in _NAME.finditer(text):
        project = found["project"]
        if project in projects and project not in told:
            told.add(project)
            start, end = found.span("name")
            line = text.count("\n", 0, start) + 1
            before = text.rfind("\n", 0, start) + 1
            span = Span(line, start - before + 1, end - before + 1)
            yield Claim(path, project, span, text[before:].split("\n", 1)[0].rstrip(), is_spec)


def _text(content: bytes) -> str | None:
    """What a file says, in any encoding that YAML knows; None where it is in none of them."""
    encodings = (name for mark, name in _ENCODINGS if content.startswith(mark))
    encoding = next(encodings, "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text.replace("\0", "")  # UTF-16 without a mark
