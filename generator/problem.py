"""What a rule says of a spec: a pointer and an explanation, never a line number."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from generator.diagnostics import Diagnostic, Fix, Related, Severity, shown
from generator.document import Document, Pointer


class Problem(Struct, frozen=True):
    """A mistake at a pointer; `message` and `hint` are in the words of the spec.

    `at_key` points at the key even where the value is a scalar. `related` are other values that
    this one contradicts, and what each says; a default, which stands nowhere, is left out. `fix` is
    the text that certainly belongs in the place of what is pointed at.
    """

    pointer: Pointer
    message: str
    hint: str = ""
    severity: Severity = "error"
    at_key: bool = False
    related: tuple[tuple[Pointer, str], ...] = ()
    fix: str | None = None


def located(problem: Problem, rule: str, document: Document) -> Diagnostic:
    """The problem as a diagnostic, at the line that won where a spec is merged."""
    from generator.blackening import blackened, kept_of  # where something is wrong

    place = document.place(problem.pointer)
    span = place.key if problem.at_key and place.key else place.span
    here = place.text.path, span
    related = [each for each in _related(problem, document) if (each.path, each.span) != here]
    is_own = document.is_own(place)
    found = Diagnostic(
        place.text.path,
        span,
        problem.message,
        rule,
        problem.hint,
        place.text.line(span.line),
        problem.severity,
        tuple(related if is_own else (*related, _asked_by(document))),
        Fix(span, problem.fix) if problem.fix is not None and is_own else None,
    )
    return blackened(found, kept_of(document))


def _asked_by(document: Document) -> Related:
    """The spec that a team's value does not fit; others that it does not fit are not told."""
    place = document.place(("name",))
    line = place.text.line(place.span.line)
    return Related(place.text.path, place.span, "it counts for this spec", line)


def _related(problem: Problem, document: Document) -> Iterator[Related]:
    for pointer, message in problem.related:
        if _is_written(pointer, document):
            place = document.place(pointer)
            line = place.text.line(place.span.line)
            yield Related(place.text.path, place.span, message, line)


def _is_written(pointer: Pointer, document: Document) -> bool:
    """Whether a value stands there; of one that a layer removes, only its null does."""
    value: object = document.data
    for key in pointer:
        if isinstance(value, dict):
            value = value.get(key)
        else:
            value = value[key] if isinstance(value, list) and isinstance(key, int) else None
    return value is not None and pointer in document.places


def says(pointer: Pointer, value: object) -> tuple[Pointer, str]:
    """A related value, told by its key: `max_size is 8`."""
    return pointer, f"{pointer[-1]} is {shown(value)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them where none is near."""
    words = sorted(known)
    if not words:
        return "remove it: nothing can stand here"
    import difflib  # likewise

    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(words)}"


def dotted(pointer: Pointer) -> str:
    """A pointer as users read it: `model.inputs[0].shape`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in pointer).lstrip(".")
