"""What a spec gives and a target does not look at: it is reported, never dropped.

A target lists such values with the reason; its rule `no-effect` reports those that a spec gives. A
value that another target or environment of the same spec uses is no mistake, and stays unreported.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from generator.diagnostics import Diagnostic, Severity, Span
from generator.document import Document, Pointer
from generator.problem import Problem, dotted
from generator.project import Project

_NAME = "/no-effect"


class Idle(Struct, frozen=True):
    """A value that a target does not look at, and why.

    `must` marks what nobody can do without: that is an error, not a warning.
    """

    pointer: Pointer
    why: str
    hint: str = "remove it"
    must: bool = False


NO_CLASS_NAME = (
    "no step of postprocess names classes",
    "end transforms.postprocess with class_name, or remove it",
)
"""Why class names have no effect, and what to type."""


def names_classes(project: Project) -> bool:
    """Whether a step turns numbers of classes into names."""
    return any(step.operation == "class_name" for step in project.transforms.postprocess)


def told(
    project: Project, target: str, idle: Iterable[Idle], *, severity: Severity
) -> Iterator[Problem]:
    """A problem for each of the values that the spec gives."""
    for each in idle:
        if _is_given(project, each.pointer):
            message = f"`{dotted(each.pointer)}` has no effect on {target}: {each.why}"
            gravity: Severity = "error" if each.must else severity
            yield Problem(each.pointer, message, each.hint, gravity, at_key=True)


_TYPED: dict[Pointer, Pointer] = {("storage", "uri"): ("storage", "bundle_uri")}


def _is_given(project: Project, pointer: Pointer) -> bool:
    """Whether a value differs from what it is where nobody writes it."""
    node: object = project
    for key in _TYPED.get(pointer, pointer):
        if not isinstance(node, Struct):
            return True  # an item of a list, which has no default
        default = _defaults(node).get(str(key), NODEFAULT)
        node = getattr(node, str(key))
        if node == default:
            return False
    return True


def _defaults(node: object) -> dict[str, object]:
    assert isinstance(node, Struct)
    return {
        each.name: each.default if each.default_factory is NODEFAULT else each.default_factory()
        for each in _fields(type(node))
    }


@cache
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    return fields(kind)


def is_of_no_use(diagnostic: Diagnostic, document: Document) -> bool:
    """Whether nobody needs to know: what a team says for all, a spec need not have a use for."""
    is_warning = diagnostic.rule.endswith(_NAME) and diagnostic.severity == "warning"
    return is_warning and diagnostic.path != document.place(()).text.path


def unless_used(
    found: Sequence[Sequence[Diagnostic]], documents: Iterable[Document]
) -> list[list[Diagnostic]]:
    """What the rules say of each view, but for values that are of use in another view.

    `documents` are those of all views of the spec, also of such as are not judged. Of a view with
    another error nobody knows what it will use once that is mended.
    """
    judged = [list(told) if _is_sound(told) else _others(told) for told in found]
    places = [{(d.path, d.span) for d in told if d.rule.endswith(_NAME)} for told in judged]
    idle = Counter(place for each in places for place in each)
    if not idle:
        return judged
    holders = Counter(place for document in documents for place in _spans(document) & set(idle))
    return [
        [d for d in told if not d.rule.endswith(_NAME) or _is_idle(d, idle, holders)]
        for told in judged
    ]


def _is_sound(told: Iterable[Diagnostic]) -> bool:
    return not any(each.severity == "error" for each in _others(told))


def _others(told: Iterable[Diagnostic]) -> list[Diagnostic]:
    return [each for each in told if not each.rule.endswith(_NAME)]


def _is_idle(
    diagnostic: Diagnostic,
    idle: Counter[tuple[str, Span]],
    holders: Counter[tuple[str, Span]],
) -> bool:
    place = (diagnostic.path, diagnostic.span)
    return holders[place] <= idle[place]


def _spans(document: Document) -> set[tuple[str, Span]]:
    """Where a diagnostic about a value of the document can stand."""
    places = document.places.values()
    return {(p.text.path, span) for p in places for span in (p.key, p.span) if span}
