"""A team file by itself: read once, and what is wrong in it whatever spec it is for."""

import copy
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from generator import editor_schema, reads, schema, source
from generator.defaults.counting import layers
from generator.diagnostics import CannotRun, Diagnostic, Rejected, Span, shown
from generator.document import Document
from generator.problem import Problem, located
from generator.secrecy import revealed
from generator.specs import TEAM_FILE

MISNAMED = "serving-defaults.yml"
KIND = source.Kind("team file", "defaults_version: 1")


class TeamFile(Struct, frozen=True, eq=False):
    """What a team file says, empty where it has flaws."""

    document: Document
    flaws: tuple[Diagnostic, ...] = ()


def team_file(path: Path, folder: Path) -> TeamFile:
    """A team file for specs of a folder; raises CannotRun where it cannot be read."""
    name = _shown(path, folder)
    if not reads.is_file(path):
        why = "it is no regular file" if reads.exists(path) else "its link leads nowhere"
        raise CannotRun(f"cannot read {name}: {why}")
    try:
        content = reads.read_bytes(path)
    except OSError as error:
        raise CannotRun(f"cannot read {name}: {error.strerror}") from None
    read = _read(name, content, path.parent)
    return replace(read, document=_seen_from(folder, read.document))


def misnamed(path: Path, folder: Path) -> Rejected:
    """Why a file that is called almost so is not passed over: its team takes it for read."""
    message = f"{MISNAMED} is not read: the name ends with .yaml"
    hint = f"rename it to {TEAM_FILE}"
    if reads.lexists(path.with_name(TEAM_FILE)):
        hint = f"move what it says to the {TEAM_FILE} beside it, and remove it"
    rule = "defaults/misnamed"
    return Rejected([Diagnostic(_shown(path, folder), Span(1, 1, 2), message, rule, hint)])


def refused(path: str, text: str | bytes, folder: Path) -> Rejected:
    """Why a team file is not taken for a spec, and what is wrong in it besides."""
    content = text.encode() if isinstance(text, str) else text
    message = f"{TEAM_FILE} holds the defaults of specs and is no spec itself"
    specs = os.path.relpath(folder) if PurePath(path).name != TEAM_FILE else folder
    hint = f"name specs or their folder: gen validate {specs}; each is merged over this file"
    flaw = Diagnostic(path, Span(1, 1, 2), message, "defaults/is-no-spec", hint)
    return Rejected([flaw, *_read(path, content, folder).flaws])


def _shown(path: Path, folder: Path) -> str:
    """The path as specs are shown: from the working directory, unless they are absolute."""
    relative = os.path.relpath(path)
    is_outside = relative.startswith(os.pardir)
    return str(path) if is_outside and folder.is_absolute() else relative


@lru_cache(maxsize=64)
def _read(name: str, content: bytes, folder: Path) -> TeamFile:
    """The file and its flaws; the same content is parsed and checked once in a run.

    No fix is offered: --fix changes the specs that it is given, and no file that others share.
    """
    try:
        document = source.load(name, content, folder, KIND)
    except Rejected as rejected:
        return TeamFile(Document(folder, {}, {}), rejected.diagnostics)
    return TeamFile(document, tuple(replace(flaw, fix=None) for flaw in _flaws(document)))


def _flaws(document: Document) -> Iterator[Diagnostic]:
    if told := revealed(document):
        yield from told
        return
    misplaced = list(_misplaced(document))
    for problem in misplaced:
        yield located(problem, "defaults/of-one-spec", document)
    unshared = list(_unshared(document))
    for problem in unshared:
        yield located(problem, "defaults/not-shared", document)
    told_of = {problem.pointer for problem in (*misplaced, *unshared)}
    without_nulls = Document(document.folder, _without_nulls(document.data), document.places)
    for problem in schema.problems_in(_shape(), without_nulls):
        if problem.pointer not in told_of:
            yield located(problem, "schema", document)


def _misplaced(document: Document) -> Iterator[Problem]:
    """What only a spec can say, and no team for all of them."""
    for at, place in document.places.items():
        layer = at[2:-1] if at[:1] == ("environments",) and len(at) > 2 else at[:-1]
        of_layer = layer == () or (len(layer) == 2 and layer[0] == "targets")
        if place.key and of_layer and at[-1] in editor_schema.OF_ONE_SPEC:
            message = f"`{at[-1]}` is of one spec, and no default of all"
            yield Problem(at, message, "write it in the spec", at_key=True)
        elif at[-4:] == _SPEC_OF_THE_PLUGIN:
            message = "`plugin.spec` is the path of one spec, and no default of all"
            yield Problem(at, message, "write it in the spec", at_key=True)


_SPEC_OF_THE_PLUGIN = ("gitops", "argo_cd", "plugin", "spec")


def _unshared(document: Document) -> Iterator[Problem]:
    """Storage whose address names one model, and has no folder for each project."""
    for at, place in document.places.items():
        uri = place.written or ""
        if at[-2:] == ("storage", "uri") and uri.startswith(_OF_ONE_MODEL):
            message = f"`{shown(uri)}` holds one model, and has no folder for each project"
            hint = "write it in each spec, at targets.<target>.storage.uri"
            yield Problem(at, message, hint)


_OF_ONE_MODEL = ("oci://", "hf://")


@lru_cache(maxsize=1)
def _shape() -> schema.Schema:
    """The schema that editors have, without the nulls that layers above may hold."""
    shape: schema.Schema = _strict(editor_schema.defaults_schema())
    return shape


def _strict(part: Any) -> Any:  # Any: JSON Schema is recursive JSON
    if isinstance(part, list):
        return [_strict(each) for each in part]
    if not isinstance(part, dict):
        return part
    result = {key: _strict(value) for key, value in part.items()}
    if isinstance(kinds := result.get("type"), list):
        left = [kind for kind in kinds if kind != "null"]
        result["type"] = left[0] if len(left) == 1 else left
    if isinstance(words := result.get("enum"), list):
        result["enum"] = [word for word in words if word is not None]
    return result


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    """The data without keys that hold nothing: they remove, or name a target."""
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in data.items()
        if value is not None
    }


def _seen_from(folder: Path, document: Document) -> Document:
    """The document with its paths starting at another folder."""
    data = copy.deepcopy(document.data)
    for layer in layers(data):
        kubernetes = layer.get("kubernetes")
        if isinstance(kubernetes, dict) and isinstance(kubernetes.get("crds"), str):
            there = os.path.relpath(document.folder / kubernetes["crds"], folder)
            kubernetes["crds"] = str(PurePosixPath(Path(there)))
    return Document(folder, data, document.places)
