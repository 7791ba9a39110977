"""Build many specs together: a failing one does not hold up the others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from generator import defaults, pipeline
from generator.diagnostics import CannotRun, Diagnostic, Rejected, Related
from generator.document import Document
from generator.pipeline import Build
from generator.problem import Problem, located
from generator.specs import Spec, find_specs
from generator.views import Selection, framed, named_targets, views
from generator.yaml_fixes import with_fixes

Failure = Rejected | CannotRun
Outcome = Build | Failure
Report = Callable[[int, int], None]
"""Told how many specs of how many are done."""


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


def build_all(
    specs: Iterable[Spec], selection: Selection, report: Report = silent
) -> Iterator[tuple[Spec, Outcome]]:
    """What becomes of each spec, in order; specs in which nothing is selected are left out.

    All are loaded before the first is built: two of one name are both refused. Raises CannotRun
    where the selection fits none of them.
    """
    loaded = {spec: _loaded(spec) for spec in specs}
    documents = {spec: item for spec, item in loaded.items() if isinstance(item, Document)}
    if misfit := _misfit(selection, list(documents.values())):
        for spec, item in loaded.items():
            if not isinstance(item, Document):
                yield spec, item
        raise misfit
    refused = dict(_same_applications(documents)) | dict(_same_names(documents))
    for done, (spec, item) in enumerate(loaded.items()):
        report(done, len(loaded))
        if not isinstance(item, Document):
            yield spec, item
        elif spec in refused:
            yield spec, refused[spec]
        elif _concerns(selection, item):
            yield spec, _built(item, selection)


def environments(paths: Sequence[str]) -> list[str]:
    """The environments of specs, for completion: what cannot be read has none."""
    names: dict[str, None] = {}
    try:
        for spec in find_specs(paths):
            item = _loaded(spec)
            if isinstance(item, Document):
                names |= dict.fromkeys(filter(None, _environments(item)))
    except CannotRun:
        return []
    return list(names)


def _loaded(spec: Spec) -> Document | Failure:
    try:
        text = spec.read()
        try:
            return defaults.load(spec.shown, text, spec.folder)
        except Rejected as rejected:
            return with_fixes(rejected, spec.shown, text)
    except CannotRun as failure:
        return failure


def diagnosed(spec: Spec, text: bytes, selection: Selection) -> tuple[Diagnostic, ...]:
    """Everything wrong with a spec if it had another text; nothing where that cannot be told."""
    loaded = _loaded(Held(spec.path, text))
    outcome = _built(loaded, selection) if isinstance(loaded, Document) else loaded
    if isinstance(outcome, Build):
        return outcome.warnings
    return outcome.diagnostics if isinstance(outcome, Rejected) else ()


@dataclass(frozen=True)
class Held(Spec):
    """A spec whose text is at hand, and need not be what its file holds."""

    text: bytes

    def read(self) -> bytes:
        return self.text


def _built(document: Document, selection: Selection) -> Outcome:
    try:
        return pipeline.build_document(document, selection)
    except (Rejected, CannotRun) as failure:
        return failure


def _same_names(documents: dict[Spec, Document]) -> Iterator[tuple[Spec, Rejected]]:
    """A refusal for each spec whose project's name another spec has too."""
    holders: dict[object, list[Spec]] = {}
    for spec, document in documents.items():
        if isinstance(name := document.data.get("name"), str):
            holders.setdefault(name, []).append(spec)
    for name, specs in holders.items():
        for spec in specs if len(specs) > 1 else ():
            others = ", ".join(other.shown for other in specs if other != spec)
            message = f"project `{name}` is also in {others}"
            problem = Problem(("name",), message, "each project of a run has a name of its own")
            flaw = located(problem, "specs/name-used-twice", documents[spec])
            also = [_named_here(documents[other]) for other in specs if other != spec]
            yield spec, Rejected([replace(flaw, related=tuple(also))])


def _same_applications(documents: dict[Spec, Document]) -> Iterator[tuple[Spec, Rejected]]:
    """A refusal for each spec that renders an Application of a name that another spec's has too.

    Applied to one Argo CD the two replace each other, and what one has applied is pruned.
    """
    holders: dict[_Application, dict[Spec, str]] = {}
    for spec, document in documents.items():
        for application, told in _applications(document):
            holders.setdefault(application, {})[spec] = told
    for (_, kind, name), specs in holders.items():
        for spec in specs if len({documents[s].data.get("name") for s in specs}) > 1 else ():
            others = ", ".join(f"{told} of {o.shown}" for o, told in specs.items() if o != spec)
            message = f"{specs[spec]} renders the {kind} `{name}`, as does {others}"
            problem = Problem(("name",), message, "rename the project or the environment")
            flaw = located(problem, "specs/application-used-twice", documents[spec])
            also = [_named_here(documents[o], "the other") for o in specs if o != spec]
            yield spec, Rejected([replace(flaw, related=tuple(also))])


_Application = tuple[object, str, str]


def _applications(document: Document) -> Iterator[tuple[_Application, str]]:
    """What a spec has Argo CD make: namespace, kind and name, and what it is made for."""
    name = document.data.get("name")
    if not isinstance(name, str) or any(framed(document)):
        return
    for view in views(document, Selection()):
        gitops = view.document.data.get("gitops")
        argo_cd = gitops.get("argo_cd") if isinstance(gitops, dict) else None
        if isinstance(argo_cd, dict) and view.target:
            kind = "ApplicationSet" if argo_cd.get("clusters") else "Application"
            parts = (name, view.environment, view.target.name)
            made = "-".join(filter(None, parts))
            told = view.target.name + (f" in {view.environment}" if view.environment else "")
            yield (str(argo_cd.get("namespace", "argocd")), kind, made), told


def _named_here(document: Document, what: str = "the same name") -> Related:
    place = document.place(("name",))
    line = place.text.line(place.span.line)
    return Related(place.text.path, place.span, what, line)


def _misfit(selection: Selection, documents: Sequence[Document]) -> CannotRun | None:
    """Why a selection fits no spec at all, or names what no spec has."""
    known = {name for document in documents for name in _environments(document) if name}
    for name in selection.environments:
        if name not in known:
            told = f"known here: {', '.join(sorted(known))}" if known else "no spec here has any"
            return CannotRun(f"unknown environment {name}; {told}")
    if documents and not any(_concerns(selection, document) for document in documents):
        return CannotRun("no spec here has the selected targets and environments")
    return None


def _concerns(selection: Selection, document: Document) -> bool:
    """Whether a selected target may stand in a selected environment; broken specs concern all."""
    if not any(map(selection.has_environment, _environments(document))):
        return False
    targets = named_targets(document)
    return not targets or any(map(selection.has_target, targets))


def _environments(document: Document) -> list[str | None]:
    environments = document.data.get("environments")
    return list(environments) if isinstance(environments, dict) and environments else [None]
