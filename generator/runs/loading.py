"""Read one spec, or say why it cannot be; a failing one does not hold up the others."""

import os
from typing import TYPE_CHECKING, TypeAlias

from generator.diagnostics import CannotRun, Diagnostic, Rejected
from generator.document import Document
from generator.inputs import STANDARD_INPUT
from generator.selection import Selection
from generator.specs import Spec

if TYPE_CHECKING:  # half of a cold start, and nothing of it is needed for specs that are recalled
    from generator.pipeline import Build

Failure = Rejected | CannotRun
Outcome: TypeAlias = "Build | Failure"


class Held(Spec, frozen=True):
    """A spec whose text is at hand, and need not be what its file holds."""

    text: bytes

    def read(self) -> bytes:
        return self.text


class Unreadable(Spec, frozen=True):
    """A spec that could not be read, and is not tried again."""

    why: str

    def read(self) -> bytes:
        raise CannotRun(self.why)


def held(spec: Spec) -> Spec:
    """The spec with its text where that can be read but once, as from a pipe."""
    is_pipe = os.path.exists(spec.path) and not os.path.isfile(spec.path)
    if spec.path != STANDARD_INPUT and not is_pipe:
        return spec
    try:
        return Held(spec.path, spec.read())
    except CannotRun as error:
        return Unreadable(spec.path, str(error))


def loaded(spec: Spec) -> Document | Failure:
    """A spec over its team files."""
    from generator import defaults  # as below

    try:
        text = spec.read()
        try:
            return defaults.load(spec.shown, text, spec.folder)
        except Rejected as rejected:
            from generator.yaml_fixes import with_fixes  # for what is wrong alone

            return with_fixes(rejected, spec.shown, text)
    except CannotRun as failure:
        return failure


def built(document: Document, selection: Selection) -> Outcome:
    """What becomes of a spec that has been loaded."""
    from generator import pipeline  # when the first spec has to be built

    try:
        return pipeline.build_document(document, selection)
    except (Rejected, CannotRun) as failure:
        return failure


def diagnosed(spec: Spec, text: bytes, selection: Selection) -> tuple[Diagnostic, ...]:
    """Everything wrong with a spec if it had another text; nothing where that cannot be told."""
    document = loaded(Held(spec.path, text))
    outcome = built(document, selection) if isinstance(document, Document) else document
    if isinstance(outcome, CannotRun):
        return ()
    return outcome.diagnostics if isinstance(outcome, Rejected) else outcome.warnings
