"""What gen render remembers: the specs of which it need not look at anything again.

An entry holds while every answer that the build had from the file system is the same (`reads`), and
the files that it left are untouched (`outputs`). Whatever does not hold is rendered anew, so
nothing depends on there being a memory, or on which of two runs saved it last.
"""

import hashlib
import os
from collections.abc import Hashable, Set
from functools import cached_property
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field

from generator import reads
from generator.cache_folder import cache_folder, is_ours_alone, make_room, put
from generator.diagnostics import Diagnostic
from generator.runs.outputs import Left, State, contents, state
from generator.runs.stamp import stamp
from generator.runs.summary import Summary
from generator.selection import Selection
from generator.specs import Spec

_MOST_BYTES = 100_000_000
_MOST_FILES = 100
Answer = tuple[str, str, str]
"""A question, the path that it was about, and the answer."""


class Entry(NamedTuple):
    """A spec that was rendered: what others depend on, what was told of it, and what it left."""

    summary: Summary
    warnings: tuple[Diagnostic, ...]
    left: Left


class _Kept(NamedTuple):
    """An entry as it is stored; `answers` and `files` are numbers of what many have in common.

    `state` is how files stood that were found to hold `contents`, None until then.
    """

    summary: Summary
    warnings: tuple[Diagnostic, ...]
    answers: tuple[int, ...]
    project: str
    files: int
    contents: bytes
    state: State | None = None


class _Stored(NamedTuple):
    """All entries, by the paths of specs, and what was the same for all of them."""

    stamp: str
    answers: list[Answer]
    files: list[str]
    entries: dict[str, _Kept]


class Memory(Struct, dict=True):
    """What is remembered of one output folder, selection and working directory.

    With `strict` a spec that warns is not recalled: it fails.
    """

    output: Path
    strict: bool
    _file: Path | None
    _stored: _Stored
    _checked: dict[int, bool] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _is_news: bool = False

    def holds(self, spec: Spec) -> bool:
        """Whether a spec is known, and would be rendered to what is there."""
        self._asked.add(spec.path)
        kept = self._stored.entries.get(spec.path)
        if kept is None or type(spec) is not Spec or (kept.warnings and self.strict):
            return False
        if not all(map(self._is_so_still, kept.answers)):
            return False
        folder, files = self.output / kept.project, self._files_of(kept)
        found = state(folder, files)
        if found is None or (kept.state and kept.state.digest != found.digest):
            return False
        if not kept.state or kept.state.is_racy:
            if contents(folder, files) != kept.contents:
                return False
            self._put(spec, kept._replace(state=found))
        return True

    def entry(self, spec: Spec) -> Entry:
        """What is known of a spec that holds."""
        kept = self._stored.entries[spec.path]
        left = Left(kept.project, self._files_of(kept), kept.contents)
        return Entry(kept.summary, kept.warnings, left)

    def note(self, spec: Spec, entry: Entry, journal: reads.Journal) -> None:
        """Remember a spec that was rendered, and what that depended on."""
        told = ((*note, answer) for note, answer in journal.answers.items())
        answers = tuple(map(self._answers.number, told))
        project, files, held = entry.left
        of = (project, self._files.number(_pattern(project, files)), held)
        self._put(spec, _Kept(entry.summary, entry.warnings, answers, *of))

    def save(self) -> None:
        """Put down what is new, for the next run; where that cannot be there is no memory."""
        if not self._is_news or self._file is None:
            return
        data = _encoded(self._stored, self._asked)
        if data is None or len(data) > _MOST_BYTES:
            return
        if not self._file.exists():
            make_room(self._file.parent, _MOST_FILES - 1)
        put(self._file, data)

    def _is_so_still(self, number: int) -> bool:
        if (known := self._checked.get(number)) is None:
            question, path, answer = self._stored.answers[number]
            known = self._checked[number] = reads.asked_again(question, path) == answer
        return known

    def _files_of(self, kept: _Kept) -> tuple[str, ...]:
        return tuple(self._stored.files[kept.files].replace(_PROJECT, kept.project).split(_END))

    def _put(self, spec: Spec, kept: _Kept) -> None:
        self._stored.entries[spec.path] = kept
        self._is_news = True

    @cached_property
    def _answers(self) -> "_Numbers[Answer]":
        return _Numbers(self._stored.answers)

    @cached_property
    def _files(self) -> "_Numbers[str]":
        return _Numbers(self._stored.files)


# Characters that no name of a file, and no path of a rendered one has.
_END, _PROJECT = "\0", "\1"


def _pattern(project: str, files: tuple[str, ...]) -> str:
    """Files as one text, the same for all projects that differ but in their names."""
    return _END.join(files).replace(project, _PROJECT)


Thing = TypeVar("Thing", bound=Hashable)


class _Numbers(Generic[Thing]):
    """Gives each thing of a list its number, and new ones a place at its end."""

    def __init__(self, things: list[Thing]) -> None:
        self.things = things
        self._numbers = {thing: number for number, thing in enumerate(things)}

    def number(self, thing: Thing) -> int:
        number = self._numbers.setdefault(thing, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


def remembered(output: Path, selection: Selection, *, strict: bool) -> Memory:
    """What earlier runs have put down, nothing where another version of the package did.

    Nothing on Windows: there no time tells that a file was changed, if a program will not have it.
    """
    mark = _stamp()
    here = _working_directory()
    folder = cache_folder("renders") if mark and here and os.name != "nt" else None
    # Paths in answers and warnings are as they were given, and start at the working directory.
    run = (here, str(output), selection.targets, selection.environments)
    name = hashlib.sha256(repr(run).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    file = folder / name if folder else None
    stored = _read(file) if file else None
    if stored is None or stored.stamp != mark:
        stored = _Stored(mark, [], [], {})
    return Memory(output, strict, file, stored)


def _working_directory() -> str:
    """Where it is, empty where it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _stamp() -> str:
    """The stamp, empty where the package cannot be looked at."""
    try:
        return stamp()
    except OSError:
        return ""


def _read(file: Path) -> _Stored | None:
    """What a file holds, None where that is not what was written there."""
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if not is_ours_alone(status) or status.st_size > _MOST_BYTES:
                return None
            data = opened.read()
        digest, text = data[:_DIGEST], data[_DIGEST:]
        if hashlib.sha256(text).digest() != digest:
            return None
        return msgspec.msgpack.decode(text, type=_Stored)
    except (OSError, msgspec.MsgspecError):
        return None


_DIGEST = hashlib.sha256().digest_size


def _encoded(stored: _Stored, asked: Set[str]) -> bytes | None:
    """What is stored, without the entries of specs that are gone, and what only those had."""
    answers, files = _Numbers[Answer]([]), _Numbers[str]([])
    entries = {
        path: kept._replace(
            answers=tuple(answers.number(stored.answers[each]) for each in kept.answers),
            files=files.number(stored.files[kept.files]),
        )
        for path, kept in stored.entries.items()
        if path in asked or os.path.exists(path)
    }
    whole = _Stored(stored.stamp, answers.things, files.things, entries)
    try:
        text = msgspec.msgpack.encode(whole)
    except UnicodeEncodeError:  # a path that is no text
        return None
    return hashlib.sha256(text).digest() + text
