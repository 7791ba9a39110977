"""Render a spec in memory, as it stands or with one value changed."""

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from generator.artefact import Artefact
from generator.diagnostics import Rejected
from generator.document import Document, Pointer
from generator.patches import patched
from generator.pinning import pinned
from generator.planned import planned, rendered
from generator.render import TemplateError
from generator.selection import Selection
from generator.validate import Deployment, unjudged, validate

_TRIPS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TemplateError,
    TypeError,
    ValueError,
)
"""What plans may raise of a spec that the rules would have refused."""


@dataclass(frozen=True)
class Key:
    """Which file of a project it is, also where a changed value has given it another path."""

    target: str
    environment: str | None
    template: str
    number: int


@dataclass(frozen=True)
class Sheet:
    """A rendered file; its path starts at the folder that holds all projects."""

    path: PurePosixPath
    template: str
    target: str
    environment: str | None
    lines: tuple[str, ...]


Sheets = Mapping[Key, Sheet]


def sheets(document: Document, selection: Selection, template: str | None = None) -> Sheets:
    """Every file of a spec, or of one template, whatever the rules say of it.

    Raises Rejected, also by a rule where without it nothing can be planned.
    """
    try:
        return _all_sheets(document, selection, template)
    except _TRIPS:
        validate(document, selection)
        raise  # no rule says why


def _all_sheets(document: Document, selection: Selection, template: str | None) -> Sheets:
    found: dict[Key, Sheet] = {}
    for deployment in unjudged(document, selection):
        found |= _sheets(deployment, template)
    return found


def trial(
    document: Document,
    pointer: Pointer,
    value: object,
    selection: Selection,
    template: str | None = None,
) -> Sheets | None:
    """`sheets` of a spec with one value changed, None where it cannot be rendered."""
    try:
        return _all_sheets(changed(document, pointer, value), selection, template)
    except Rejected:
        return None
    except _TRIPS:  # of a spec that no rule has passed
        return None


def _sheets(deployment: Deployment, template: str | None) -> Sheets:
    project, target = deployment.project, deployment.target
    artefacts = planned(target, project, deployment.options)
    patches = _patches(deployment)
    if not patches:  # which have to find the manifests that they change
        artefacts = [a for a in artefacts if template in (None, a.template)]
    at: Pointer = ("targets", target.name, "patches")
    files, problems = patched(rendered(artefacts, project), patches, at)
    if problems:
        raise ValueError(problems[0].message)
    files = pinned(files, patches, project.locked)
    found: dict[Key, Sheet] = {}
    for artefact, file in zip(artefacts, files, strict=True):
        key = _key(deployment, artefact, found)
        lines = tuple(file.text.splitlines())
        path = project.place / file.path
        found[key] = Sheet(path, artefact.template, target.name, project.environment, lines)
    return found


def _patches(deployment: Deployment) -> Any:  # Any: as Deployment.options
    return getattr(deployment.options, "patches", ())


def _key(deployment: Deployment, artefact: Artefact, taken: Mapping[Key, Sheet]) -> Key:
    """The file's key: of several of one template, the path tells which."""
    project = deployment.project
    key = Key(deployment.target.name, project.environment, artefact.template, 0)
    while key in taken:
        key = replace(key, number=key.number + 1)
    return key


class _Removed:
    """Stands for no value."""


REMOVED = _Removed()


def changed(document: Document, pointer: Pointer, value: object) -> Document:
    """The document with one value set, the maps on the way made, or `REMOVED`."""
    data = copy.deepcopy(document.data)
    holder: Any = data  # Any: YAML is recursive
    for key, following in itertools.pairwise(pointer):
        below = holder.get(key) if isinstance(holder, dict) else holder[key]
        if not isinstance(below, dict | list):  # nothing, or the bare name of an operation
            below = {} if below is None else {below: {}}
            holder[key] = below
        if isinstance(following, str) and isinstance(below, list):
            raise TypeError("a list has no keys")
        holder = below
    if value is REMOVED:
        del holder[pointer[-1]]
    else:
        holder[pointer[-1]] = value
    return Document(document.folder, data, document.places)
