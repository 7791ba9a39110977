"""What a rule says of a spec: a pointer and an explanation, never a line number."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from generator.diagnostics import Diagnostic, Severity
from generator.document import Document, Pointer


@dataclass(frozen=True)
class Problem:
    """A mistake at a pointer; `message` and `hint` are in the words of the spec.

    `at_key` points at the key even where the value is a scalar.
    """

    pointer: Pointer
    message: str
    hint: str = ""
    severity: Severity = "error"
    at_key: bool = False


def located(problem: Problem, rule: str, document: Document) -> Diagnostic:
    """The problem as a diagnostic, at the line that won where a spec is merged."""
    place = document.place(problem.pointer)
    span = place.key if problem.at_key and place.key else place.span
    return Diagnostic(
        place.text.path,
        span,
        problem.message,
        rule,
        problem.hint,
        place.text.line(span.line),
        problem.severity,
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them where none is near."""
    words = sorted(known)
    if not words:
        return "remove it: nothing can stand here"
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(words)}"


def dotted(pointer: Pointer) -> str:
    """A pointer as users read it: `model.inputs[0].shape`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in pointer).lstrip(".")
