"""Build many specs together: a failing one does not hold up the others."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from generator import pipeline, source
from generator.diagnostics import CannotRun, Rejected
from generator.document import Document
from generator.pipeline import Build
from generator.problem import Problem, located
from generator.specs import Spec
from generator.views import Selection, named_targets

Failure = Rejected | CannotRun
Outcome = Build | Failure
Report = Callable[[int, int], None]
"""Told how many specs of how many are done."""


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


def build_all(
    specs: Iterable[Spec], selection: Selection, report: Report = silent
) -> Iterator[Outcome]:
    """What becomes of each spec, in order; specs in which nothing is selected are left out.

    All are loaded before the first is built: two of one name are both refused. Raises CannotRun
    where the selection fits none of them.
    """
    loaded = {spec: _loaded(spec) for spec in specs}
    documents = {spec: item for spec, item in loaded.items() if isinstance(item, Document)}
    if misfit := _misfit(selection, list(documents.values())):
        yield from (item for item in loaded.values() if not isinstance(item, Document))
        raise misfit
    refused = dict(_same_names(documents))
    for done, (spec, item) in enumerate(loaded.items()):
        report(done, len(loaded))
        if not isinstance(item, Document):
            yield item
        elif spec in refused:
            yield refused[spec]
        elif _concerns(selection, item):
            yield _built(item, selection)


def _loaded(spec: Spec) -> Document | Failure:
    try:
        return source.load(spec.shown, spec.read(), spec.folder)
    except (Rejected, CannotRun) as failure:
        return failure


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
            yield spec, Rejected([located(problem, "specs/name-used-twice", documents[spec])])


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
