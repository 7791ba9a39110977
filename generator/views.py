"""A spec as it stands for each of its targets in each environment, still plain data."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from generator.beginnings import without_beginnings
from generator.diagnostics import shown
from generator.document import Document, Pointer, merged
from generator.problem import Problem, did_you_mean
from generator.selection import Selection
from generator.target import Target
from generator.targets import TARGETS

OVERRIDABLE = (
    "model",
    "storage",
    "transforms",
    "serving",
    "hardware",
    "images",
    "kubernetes",
    "security",
)
"""What a target may say for itself, merged over the project's."""
MOST_ENVIRONMENTS = 100
ALONE = "predictor"
"""The target of a spec that names none: it needs no server."""


class View(Struct, frozen=True):
    """The layers of a spec over each other: project, target's own, environment, its target's."""

    document: Document
    target: Target | None
    """None where the spec's targets are none that is known: only its shape is looked at."""
    environment: str | None
    storage_is_verbatim: bool


_OF_A_SERVER = ("storage", "serving", "perf", "kubernetes", "security", "images", "gitops")


def framed(document: Document) -> Iterator[Problem]:
    """What must hold before environments and targets can be merged into views."""
    environments = document.data.get("environments")
    layers = [document.data, *(environments.values() if isinstance(environments, dict) else ())]
    if not any("targets" in layer for layer in layers if isinstance(layer, dict)):
        for key in (key for key in _OF_A_SERVER if key in document.data and document.says(key)):
            message = f"`{key}` is for a server, and the spec names no targets"
            hint = "add `targets: {triton: {}}` or another, or remove it for the predictor alone"
            yield Problem((key,), message, hint, at_key=True)
    yield from _map_of_maps(document.data, ("targets",), "target", TARGETS)
    environments = document.data.get("environments", {})
    yield from _map_of_maps(document.data, ("environments",), "environment", None)
    if not isinstance(environments, dict):
        return
    if len(environments) > MOST_ENVIRONMENTS:
        message = f"{len(environments)} environments are more than the {MOST_ENVIRONMENTS} allowed"
        yield Problem(("environments",), message, "move some to a spec of their own", at_key=True)
    for name, environment in environments.items():
        at: Pointer = ("environments", name)
        if name in TARGETS:
            message = f"environment `{name}` has a target's name"
            yield Problem(at, message, "call the environment otherwise", at_key=True)
        elif not _ENVIRONMENT_NAME.fullmatch(name):
            message = f"`{shown(name)}` is not a DNS label of at most 63 characters"
            hint = "use lower-case letters, digits and inner hyphens"
            yield Problem(at, message, hint, at_key=True)
        if isinstance(environment, dict):
            for key in ("spec_version", "name", "environments"):
                if key in environment:
                    message = f"an environment cannot set `{key}`"
                    yield Problem((*at, key), message, "remove it", at_key=True)
            yield from _map_of_maps(environment, (*at, "targets"), "target", TARGETS)
            if _targets([document]) and not _targets(_layers(document, name)):
                message = f"environment `{name}` leaves no target"
                hint = "keep or add one"
                yield Problem((*at, "targets"), message, hint, at_key=True)


_ENVIRONMENT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _map_of_maps(
    data: dict[str, object], at: Pointer, noun: str, known: Iterable[str] | None
) -> Iterator[Problem]:
    """The value at the last key of a pointer is a map of maps (or nothing), with known keys."""
    if at[-1] not in data:
        return
    value = data[str(at[-1])]
    if not isinstance(value, dict) or not value:
        such = f"{next(iter(known))}: {{}}" if known else "production: {...}"
        message = f"`{at[-1]}` is not a map that names a {noun}"
        yield Problem(at, message, f"name one, such as `{such}`", at_key=True)
        return
    for name, item in value.items():
        if known is not None and name not in known:
            message = f"unknown {noun} `{shown(name)}`"
            yield Problem((*at, name), message, did_you_mean(name, known), at_key=True)
        elif not isinstance(item, dict | None):
            message = f"{noun} `{shown(name)}` is not a map"
            yield Problem((*at, name), message, f"write what the {noun} sets, or nothing")


def named_targets(document: Document) -> list[str]:
    """The targets that a spec names anywhere, known or not, and the one that it has without."""
    data = document.data
    environments = data.get("environments")
    own = list(environments.values()) if isinstance(environments, dict) else []
    layers = [layer if isinstance(layer, dict) else {} for layer in (data, *own)]
    maps = [layer["targets"] for layer in layers if "targets" in layer]
    names = [name for targets in maps if isinstance(targets, dict) for name in targets]
    is_alone = "targets" not in data and any("targets" not in one for one in layers[1:] or layers)
    return [*names, ALONE] if is_alone else names


def views(document: Document, selection: Selection) -> Iterator[View]:
    """Every selected target in every selected environment; one without a target where none is."""
    environments = document.data.get("environments")
    names = list(environments)[:MOST_ENVIRONMENTS] if isinstance(environments, dict) else []
    for environment in filter(selection.has_environment, names or [None]):
        layers = _layers(document, environment)
        targets = _targets(layers)
        for target in filter(selection.has_target, targets):
            yield _view(layers, TARGETS[target], environment)
        if not targets:
            yield _view(layers, None, environment)


def _layers(document: Document, environment: str | None) -> list[Document]:
    if environment is None:
        return [document]
    return [document, document.part(("environments", environment))]


def _targets(layers: list[Document]) -> list[str]:
    if not any("targets" in layer.data for layer in layers):
        return [ALONE]
    return [target for target in TARGETS if _is_wanted(target, layers)]


def _is_wanted(target: str, layers: list[Document]) -> bool:
    """A bare `triton:` names the target in the project and removes it in an environment."""
    wanted = False
    for number, layer in enumerate(layers):
        targets = layer.data.get("targets")
        if isinstance(targets, dict) and target in targets:
            wanted = number == 0 or targets[target] is not None
    return wanted


def _view(layers: list[Document], target: Target | None, environment: str | None) -> View:
    """The layers over each other: project, its target's own, environment, its target's own."""
    view: Document | None = None
    verbatim = False
    for layer in layers:
        project = layer.only(key for key in layer.data if key != "environments")
        own = layer.part(("targets", target.name)) if target else layer.only(())
        if "targets" in layer.data:
            project = _with_options(project, own, target)
        for part in (project, own.only(OVERRIDABLE)):
            storage = part.data.get("storage")
            if isinstance(storage, dict) and "uri" in storage:
                verbatim = part is not project
            view = merged(view, part) if view else part
    assert view is not None  # there is at least the spec itself
    view = without_beginnings(view)
    if target and "targets" not in view.data:
        view = replace(view, data=view.data | {"targets": {target.name: {}}})
    return View(view, target, environment, verbatim)


def _with_options(layer: Document, own: Document, target: Target | None) -> Document:
    """The layer with one target's options as its only target."""
    name = target.name if target else ""
    options = own.only(key for key in own.data if key not in OVERRIDABLE)
    places = {p: place for p, place in layer.places.items() if p[:1] != ("targets",)}
    places[("targets",)] = layer.places[("targets",)]
    places |= {("targets", name, *p): place for p, place in options.places.items()}
    return Document(layer.folder, layer.data | {"targets": {name: options.data}}, places)
