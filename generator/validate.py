"""Turn a document into projects, or say everything that is wrong with it at once."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from generator import class_names, schema
from generator.diagnostics import Diagnostic, Rejected, in_file_order, shown
from generator.document import Document, Pointer, merged
from generator.problem import Problem, did_you_mean, located
from generator.project import Project
from generator.rules import RULES
from generator.targets import TARGETS
from generator.targets.base import Target

OVERRIDABLE = ("model", "storage", "transforms", "serving", "hardware", "images", "kubernetes")
"""What a target may say for itself, merged over the project's."""
MOST_ENVIRONMENTS = 100


@dataclass(frozen=True, eq=False)
class Deployment:
    """A project on one target in one environment that every rule has passed."""

    project: Project
    target: Target
    options: Any  # Any: each target has its own options type
    document: Document


@dataclass(frozen=True)
class Selection:
    """Which targets and environments are asked for; empty means all."""

    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def has_target(self, name: str) -> bool:
        return not self.targets or name in self.targets

    def has_environment(self, name: str | None) -> bool:
        return not self.environments or name in self.environments


EVERYTHING = Selection()


def validate(
    document: Document, selection: Selection = EVERYTHING
) -> tuple[list[Deployment], tuple[Diagnostic, ...]]:
    """The deployments that a spec asks for, and warnings; raises Rejected.

    Shapes are checked first: rules run only on a spec whose shape is right everywhere.
    """
    flaws = _located(_framed(document), "schema", document)
    views = list(_views(document, selection))
    for view in views:
        flaws += _shaped(view)
    if flaws:
        raise Rejected(flaws)
    deployments = list(map(_deployment, views))
    for deployment in deployments:
        flaws += _judged(deployment)
    if any(flaw.severity == "error" for flaw in flaws):
        raise Rejected(flaws)
    return deployments, in_file_order(flaws)


@dataclass(frozen=True)
class _View:
    """A spec as it stands for one target in one environment, still plain data."""

    document: Document
    target: Target | None
    """None where the spec names none that is known: only its shape is looked at."""
    environment: str | None
    storage_is_verbatim: bool


def _located(problems: Iterable[Problem], rule: str, document: Document) -> list[Diagnostic]:
    return [located(problem, rule, document) for problem in problems]


def _framed(document: Document) -> Iterator[Problem]:
    """What must hold before environments and targets can be merged into views."""
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


def _views(document: Document, selection: Selection) -> Iterator[_View]:
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
    return [target for target in TARGETS if _is_wanted(target, layers)]


def _is_wanted(target: str, layers: list[Document]) -> bool:
    """A bare `triton:` names the target in the project and removes it in an environment."""
    wanted = False
    for number, layer in enumerate(layers):
        targets = layer.data.get("targets")
        if isinstance(targets, dict) and target in targets:
            wanted = number == 0 or targets[target] is not None
    return wanted


def _view(layers: list[Document], target: Target | None, environment: str | None) -> _View:
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
    return _View(view, target, environment, verbatim)


def _with_options(layer: Document, own: Document, target: Target | None) -> Document:
    """The layer with one target's options as its only target."""
    name = target.name if target else ""
    options = own.only(key for key in own.data if key not in OVERRIDABLE)
    places = {p: place for p, place in layer.places.items() if p[:1] != ("targets",)}
    places[("targets",)] = layer.places[("targets",)]
    places |= {("targets", name, *p): place for p, place in options.places.items()}
    return Document(layer.folder, layer.data | {"targets": {name: options.data}}, places)


def _shaped(view: _View) -> Iterator[Diagnostic]:
    """What the schemas refuse, and a class name file that cannot be read."""
    document = view.document
    problems = list(schema.problems(schema.project_schema(), document))
    if view.target:
        at: Pointer = ("targets", view.target.name)
        problems += schema.problems(view.target.schema, document, at, also=OVERRIDABLE)
    yield from _located(problems, "schema", document)
    try:
        _class_names(document)
    except class_names.Unreadable as error:
        problem = Problem(("model", "class_names"), str(error), error.hint)
        yield located(problem, "model/class-names-unreadable", document)


def _class_names(document: Document) -> object:
    """The class names, read from their file where the spec names one; raises Unreadable."""
    model = document.data.get("model")
    names = model.get("class_names") if isinstance(model, dict) else None
    return class_names.read(document.folder, names) if isinstance(names, str) else names


def _deployment(view: _View) -> Deployment:
    """The typed image of a view whose shape is right."""
    target = view.target
    assert target is not None  # or the shape was not right
    data = cast(dict[str, Any], msgspec.to_builtins(view.document.data))
    if names := _class_names(view.document):
        data["model"]["class_names"] = names
    transforms = data.get("transforms", {})
    for section in ("preprocess", "postprocess"):
        if section in transforms:
            transforms[section] = list(map(_step, transforms[section]))
    options = data.pop("targets")[target.name]
    if "storage" in data:
        data["storage"]["bundle_uri"] = _bundle_uri(data["storage"].pop("uri"), view, target)
        data["storage"]["is_verbatim"] = view.storage_is_verbatim
    del data["spec_version"]
    data |= {"target": target.name, "environment": view.environment}
    data["folder"] = str(view.document.folder)
    return Deployment(
        msgspec.convert(data, Project, dec_hook=_decoded),
        target,
        msgspec.convert(options, target.options),
        view.document,
    )


def _decoded(kind: type, value: object) -> object:
    """What msgspec does not know by itself: paths, and `object` for free values."""
    return Path(str(value)) if kind is Path else value


def _step(step: str | dict[str, object]) -> dict[str, object]:
    if isinstance(step, str):
        return {"operation": step, "arguments": {}}
    [(operation, arguments)] = step.items()
    if not isinstance(arguments, dict):
        arguments = {operation: arguments}
    return {"operation": operation, "arguments": arguments}


def _bundle_uri(uri: str, view: _View, target: Target) -> str:
    if view.storage_is_verbatim:
        return uri
    return "/".join(filter(None, (uri.rstrip("/"), view.environment, target.name)))


def _judged(deployment: Deployment) -> Iterator[Diagnostic]:
    """What the rules say, under their names."""
    project, target, document = deployment.project, deployment.target, deployment.document
    for area, rules in RULES.items():
        for rule in rules:
            yield from _located(rule(project), _name(area, rule), document)
    for own in target.rules:
        problems = own(project, deployment.options)
        yield from _located(problems, _name(target.name, own), document)


def _name(area: str, rule: Any) -> str:
    return f"{area}/{rule.__name__.replace('_', '-')}"
