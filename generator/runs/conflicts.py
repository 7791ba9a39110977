"""What is wrong with specs together: names used twice, a selection that fits none."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from generator.diagnostics import CannotRun, Rejected, Related, Span
from generator.document import Document
from generator.problem import Problem, located
from generator.runs.loading import loaded
from generator.runs.summary import Summary
from generator.selection import Selection
from generator.specs import Spec

Summaries = Mapping[Spec, Summary]
"""Of the specs that could be loaded, in order."""


class Conflict(Struct, frozen=True):
    """Why a spec is refused beside the others; `related` are their places."""

    rule: str
    problem: Problem
    related: tuple[Related, ...]

    def refusal(self, document: Document) -> Rejected:
        """The refusal, at the place of the name in the spec itself."""
        return Rejected([replace(located(self.problem, self.rule, document), related=self.related)])


def conflicts(summaries: Summaries) -> dict[Spec, Conflict]:
    """The conflict of each spec that has one; that of names before that of Applications."""
    found = dict(_same_applications(summaries)) | dict(_same_names(summaries))
    involved = {other for each in found.values() for other in each.others}
    named = {spec: place for spec in involved if (place := _named_in(spec))}
    return {
        spec: Conflict(each.rule, each.problem, tuple(_related(each, named)))
        for spec, each in found.items()
    }


class _Found(Struct, frozen=True):
    """A conflict before its places are known: only the few specs that have one are read again."""

    rule: str
    problem: Problem
    others: tuple[Spec, ...]
    what: str
    """What is said at the places of the others."""


def _same_names(summaries: Summaries) -> Iterator[tuple[Spec, _Found]]:
    """What is wrong with each spec whose project's name another spec has too."""
    holders: dict[str, list[Spec]] = {}
    for spec, summary in summaries.items():
        if summary.name is not None:
            holders.setdefault(summary.name, []).append(spec)
    for name, specs in holders.items():
        for spec in specs if len(specs) > 1 else ():
            others = tuple(other for other in specs if other != spec)
            message = f"project `{name}` is also in {', '.join(o.shown for o in others)}"
            problem = Problem(("name",), message, "each project of a run has a name of its own")
            yield spec, _Found("specs/name-used-twice", problem, others, "the same name")


def _same_applications(summaries: Summaries) -> Iterator[tuple[Spec, _Found]]:
    """What is wrong with each spec that renders an Application of a name that another's has too.

    Applied to one Argo CD the two replace each other, and what one has applied is pruned.
    """
    holders: dict[tuple[str, str, str], dict[Spec, str]] = {}
    for spec, summary in summaries.items():
        for each in summary.applications:
            made = each.namespace, each.kind, each.name
            holders.setdefault(made, {})[spec] = each.told
    for (_, kind, name), specs in holders.items():
        for spec in specs if len({summaries[s].name for s in specs}) > 1 else ():
            others = ", ".join(f"{told} of {o.shown}" for o, told in specs.items() if o != spec)
            message = f"{specs[spec]} renders the {kind} `{name}`, as does {others}"
            problem = Problem(("name",), message, "rename the project or the environment")
            apart = tuple(other for other in specs if other != spec)
            yield spec, _Found("specs/application-used-twice", problem, apart, "the other")


def _named_in(spec: Spec) -> tuple[str, Span, str] | None:
    """The path, place and line of a spec's name, unless it cannot be read any more."""
    document = loaded(spec)
    if not isinstance(document, Document):
        return None
    place = document.place(("name",))
    return place.text.path, place.span, place.text.line(place.span.line)


def _related(found: _Found, named: Mapping[Spec, tuple[str, Span, str]]) -> Iterator[Related]:
    for other in found.others:
        if other in named:
            path, span, line = named[other]
            yield Related(path, span, found.what, line)


def misfit(selection: Selection, summaries: Summaries) -> CannotRun | None:
    """Why a selection fits no spec at all, or names what no spec has."""
    known = {name for each in summaries.values() for name in each.environments if name}
    for name in selection.environments:
        if name not in known:
            told = f"known here: {', '.join(sorted(known))}" if known else "no spec here has any"
            return CannotRun(f"unknown environment {name}; {told}")
    if summaries and not any(each.concerns(selection) for each in summaries.values()):
        return CannotRun("no spec here has the selected targets and environments")
    return None
