"""Turn a document into projects, or say everything that is wrong with it at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from generator import class_names, defaults, image_lock, reads, schema
from generator.diagnostics import Diagnostic, Rejected, in_file_order
from generator.document import Document, Pointer
from generator.problem import Problem, did_you_mean, located
from generator.project import Project, Served
from generator.rules import RULES
from generator.secrecy import guessed, revealed
from generator.selection import EVERYTHING, Selection
from generator.startup import startup
from generator.target import Target
from generator.unused import is_of_no_use, unless_used
from generator.views import ALONE, OVERRIDABLE, View, framed, views


class Deployment(Struct, frozen=True, eq=False):
    """A project on one target in one environment that every rule has passed."""

    project: Project
    target: Target
    options: Any  # Any: each target has its own options type
    document: Document


def validate(
    document: Document, selection: Selection = EVERYTHING
) -> tuple[list[Deployment], tuple[Diagnostic, ...]]:
    """The deployments that a spec asks for, and warnings; raises Rejected.

    Shapes are checked first: rules run only on a spec whose shape is right everywhere.
    """
    flaws: list[Diagnostic] = []
    deployments, found = [], []
    for view in _well_shaped(document, selection):
        deployment, problems = _with_served(_deployment(view))
        deployments.append(deployment)
        flaws += problems
        found.append(list(_found(deployment)))
    everywhere = (view.document for view in views(document, EVERYTHING))
    for deployment, told in zip(deployments, unless_used(found, everywhere), strict=True):
        flaws += _judged(deployment, told)
    if not any(flaw.severity == "error" for flaw in flaws):
        flaws += _collisions(deployments)
    if any(flaw.severity == "error" for flaw in flaws):
        raise Rejected(flaws)
    return deployments, in_file_order(flaws)


def unjudged(document: Document, selection: Selection = EVERYTHING) -> list[Deployment]:
    """The deployments of a spec whose shape is right, whatever the rules say; raises Rejected."""
    return [_with_served(_deployment(view))[0] for view in _well_shaped(document, selection)]


def _well_shaped(document: Document, selection: Selection) -> list[View]:
    """The views of a spec that no schema refuses; raises Rejected.

    With a credential in it nothing else is told: other messages would show it.
    """
    if told := revealed(document):
        raise Rejected(told)
    flaws = _located(framed(document), "schema", document)
    seen = list(views(document, selection))
    for view in seen:
        flaws += _shaped(view)
    if flaws:
        raise Rejected(flaws)
    return seen


def _located(problems: Iterable[Problem], rule: str, document: Document) -> list[Diagnostic]:
    return [located(problem, rule, document) for problem in problems]


def _shaped(view: View) -> Iterator[Diagnostic]:
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


def _deployment(view: View) -> Deployment:
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
    size = data["model"].get("size")
    if size is not None and target.name != ALONE:
        data.setdefault("serving", {}).setdefault("startup", startup(size))
    del data["spec_version"]
    data |= {"target": target.name, "environment": view.environment}
    data["folder"] = str(view.document.folder)
    data["file"] = _file(view.document)
    if lock := image_lock.nearest(view.document.folder):
        data["locked"] = dict(lock.digests)
    return Deployment(
        msgspec.convert(data, Project, dec_hook=_decoded),
        target,
        msgspec.convert(options, target.options),
        view.document,
    )


def _file(document: Document) -> str:
    """The name of the spec's own file; none of what has no file."""
    path = document.place(("name",)).text.path
    return "" if path.startswith("<") else Path(path).name


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


def _bundle_uri(uri: str, view: View, target: Target) -> str:
    if view.storage_is_verbatim:
        return uri
    return "/".join(filter(None, (uri.rstrip("/"), view.environment, target.name)))


def _with_served(deployment: Deployment) -> tuple[Deployment, list[Diagnostic]]:
    """The deployment with what it serves beside its own model, and what is wrong with that."""
    served: list[Served] = []
    flaws: list[Diagnostic] = []
    for index, path in enumerate(getattr(deployment.options, "also_serves", ())):
        try:
            other, warnings = _served(deployment, path)
            flaws += warnings
            served.append(Served(other.project, other.options, other.document))
        except _CannotServe as reason:
            at: Pointer = ("targets", deployment.target.name, "also_serves", index)
            problem = Problem(at, str(reason), reason.hint)
            flaws.append(located(problem, _ALSO_SERVES, deployment.document))
        except Rejected as rejected:
            flaws += rejected.diagnostics
    project = replace(deployment.project, also_serves=tuple(served))
    return replace(deployment, project=project), flaws


class _CannotServe(Exception):
    """Why another spec's model cannot stand on the same server."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


_ALSO_SERVES = "also-serves/cannot-be-served"


def _served(deployment: Deployment, path: str) -> tuple[Deployment, tuple[Diagnostic, ...]]:
    """Another spec for the same target and environment, with warnings of it.

    Raises _CannotServe or Rejected.
    """
    file, target = deployment.project.folder / path, deployment.target.name
    try:
        document = defaults.load(str(file), reads.read_bytes(file), file.parent)
    except OSError as error:
        hint = "paths start at the spec's folder"
        raise _CannotServe(f"cannot read `{path}`: {error.strerror}", hint) from None
    if any(_also_serves(document.data, target)):
        hint = "list all of them here"
        raise _CannotServe(f"`{path}` itself has also_serves", hint)
    environment = deployment.project.environment
    environments = (environment,) if environment and "environments" in document.data else ()
    others, warnings = validate(document, Selection((target,), environments))
    if len(others) != 1:
        among = f" in environment `{environment}`" if environment else ", or has environments"
        hint = f"name `{target}` in its targets" + (", and the environment" if environment else "")
        raise _CannotServe(f"`{path}` has no single target {target}{among}", hint)
    return others[0], warnings


def _also_serves(data: Mapping[str, object], target: str) -> Iterator[object]:
    """What a spec names under also_serves of a target, in any environment."""
    environments = data.get("environments")
    layers = [data, *(environments.values() if isinstance(environments, dict) else ())]
    for layer in layers:
        targets = layer.get("targets") if isinstance(layer, Mapping) else None
        options = targets.get(target) if isinstance(targets, dict) else None
        if isinstance(options, dict) and options.get("also_serves"):
            yield options["also_serves"]


def _collisions(deployments: Sequence[Deployment]) -> Iterator[Diagnostic]:
    """Two targets of one project that are called the same, where both cannot be.

    The same service may be meant, so that one target takes the other's place; an image never is.
    """
    if len(deployments) == 1:
        return  # one deployment cannot collide with itself
    images: dict[str, tuple[object, str]] = {}
    services: dict[tuple[str | None, str], str] = {}
    for deployment in deployments:
        project, target = deployment.project, deployment.target
        names = target.names(project, deployment.options)
        where = f"targets.{target.name}.names"
        at: Pointer = ("targets", target.name)
        environment = f" in environment {project.environment}" if project.environment else ""
        for image, content in names.images.items():
            own = ((target.name, content), target.name + environment)
            other = images.setdefault(image, own)
            if other[0] != own[0]:
                message = f"{other[1]} builds image `{image}` too, with other content"
                hint = f"set {where}.images, or another images.tag{environment}"
                problem = Problem(at, message, hint, at_key=True)
                yield located(problem, "names/same-image", deployment.document)
        if names.service and _SAME_SERVICE not in project.accepted_warnings:
            first = services.setdefault((project.environment, names.service), target.name)
            if first != target.name:
                message = f"{first} makes a service `{names.service}` too: the last applied stays"
                hint = f"set {where}.service, or accept {_SAME_SERVICE} where that is meant"
                problem = Problem(at, message, hint, severity="warning", at_key=True)
                yield located(problem, _SAME_SERVICE, deployment.document)


_SAME_SERVICE = "names/same-service"


def _judged(deployment: Deployment, told: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """What the rules say, but for the warnings that the spec accepts."""
    accepted = deployment.project.accepted_warnings
    known = _warnings_known() if accepted else ()
    for name in accepted:
        if name not in known:
            at: Pointer = ("accepted_warnings", name)
            message = f"there is no rule `{name}`"
            problem = Problem(at, message, did_you_mean(name, known), at_key=True)
            yield located(problem, "accepted-warnings/unknown-rule", deployment.document)
    for flaw in told:
        if flaw.severity == "error" or flaw.rule not in accepted:
            yield flaw


def _warnings_known() -> Collection[str]:
    """The names that accepted_warnings may hold: of all rules, those on what is rendered too."""
    from generator.catalogue import all_documented  # reads every docstring, for specs that name one

    return all_documented()


def _found(deployment: Deployment) -> Iterator[Diagnostic]:
    """What the rules say, under their names."""
    project, target, document = deployment.project, deployment.target, deployment.document
    yield from guessed(document)
    for area, rules in RULES.items():
        for rule in rules:
            for problem in rule(project):
                yield located(_as_written(problem, document), _name(area, rule), document)
    for own in target.rules:
        for problem in own(project, deployment.options):
            told = located(problem, _name(target.name, own), document)
            if not is_of_no_use(told, document):
                yield told


def _as_written(problem: Problem, document: Document) -> Problem:
    """The problem of a folder that a team file names, in its words, and not as seen from a spec."""
    if problem.pointer != _CRDS:
        return problem
    written, kubernetes = document.place(_CRDS).written, document.data["kubernetes"]
    assert isinstance(kubernetes, dict)  # or the rule had nothing to say
    seen = str(kubernetes["crds"])
    if written is None or written == seen:
        return problem
    message = problem.message.replace(f"`{seen}`", f"`{written}`")
    return replace(problem, message=message, hint=problem.hint.replace(seen, written))


_CRDS = ("kubernetes", "crds")


def _name(area: str, rule: Any) -> str:
    return f"{area}/{rule.__name__.replace('_', '-')}"
