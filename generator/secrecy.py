"""Refuse a spec that holds a credential, and warn of what looks like one, without telling it."""

from collections.abc import Iterator

from generator.credentials import any_in, kind
from generator.diagnostics import Diagnostic, Span
from generator.document import Document, Place, Pointer
from generator.passwords import named
from generator.problem import Problem, dotted, located

RULE = "credentials/spec-holds-a-credential"
GUESSED = "credentials/looks-like-a-credential"
_HINT = "keep it in a Secret of the cluster and name that; revoke this one if it was ever committed"
_GUESS_HINT = (
    f"name a Secret of the cluster instead; where it is no secret, accept the warning {GUESSED}"
)
# What TorchServe reads as a password and nothing else: docs/configuration.md of it.
_CERTAIN = ("keystore_pass",)
_CERTAIN_HINT = (
    "name private_key_file and certificate_file of a mounted Secret: they need no password"
)


def revealed(document: Document) -> list[Diagnostic]:
    """Every credential of a spec that is one for certain, told with its line blackened."""
    found = dict(_found(document))
    places = [document.place(pointer) for pointer in found]
    told = [
        _told(pointer, what, place, places)
        for (pointer, what), place in zip(found.items(), places, strict=True)
    ]
    return [*told, *_elsewhere(document, places)]


def guessed(document: Document) -> Iterator[Diagnostic]:
    """Values that look like credentials by their names: warnings, told without the values."""
    for pointer, name, _ in named(document.data):
        message = f"`{_route(pointer)}` looks like a credential: a value for `{name}`"
        yield located(Problem(pointer, message, _GUESS_HINT, "warning"), GUESSED, document)


def _told(pointer: Pointer, what: str, place: Place, others: list[Place]) -> Diagnostic:
    from generator.blackening import blackened  # for a spec that holds one

    source = _blackened(place, others)
    message = f"`{_route(pointer)}` holds {what}"
    hint = _CERTAIN_HINT if _is_setting(pointer) else _HINT
    return blackened(Diagnostic(place.text.path, place.span, message, RULE, hint, source))


def _found(document: Document) -> Iterator[tuple[Pointer, str]]:
    for pointer, name, _ in named(document.data):
        if _is_setting(pointer):
            yield pointer, f"a value for `{name}`"
    written = {at: each.written for at, each in document.places.items() if each.written}
    if not any_in([*written.values()]):
        return
    for pointer, text in written.items():
        if what := kind(text):
            yield pointer, what


def _is_setting(pointer: Pointer) -> bool:
    return pointer[-2:-1] == ("settings",) and pointer[-1] in _CERTAIN


def _elsewhere(document: Document, places: list[Place]) -> Iterator[Diagnostic]:
    """Credentials in keys and comments: the file is committed with them."""
    text = document.place(()).text
    if not any_in([text.content]):
        return
    from generator.blackening import blackened, excerpt  # likewise

    told = {
        line
        for place in places
        if place.text is text
        for line in range(place.span.line, _last_line(place) + 1)
    }
    for number, line in enumerate(text.lines, start=1):
        if number not in told and (what := kind(line)):
            span = Span(number, len(line) - len(line.lstrip()) + 1, len(line) + 1)
            message = f"line {number} holds {what}"
            shown, kept = excerpt(text, number)
            yield blackened(Diagnostic(text.path, span, message, RULE, _HINT, shown), kept)


def _last_line(place: Place) -> int:
    """The last line that a value may take."""
    below = 0 if _is_short(place) else (place.written or "").count("\n") + 1
    return place.span.line + below


def _is_short(place: Place) -> bool:
    return place.is_plain or place.is_quoted


def _route(pointer: Pointer) -> str:
    """The pointer in words; of a key that holds a credential itself, only what is above."""
    texts = [str(key) for key in pointer]
    held = next((n for n, text in enumerate(texts) if kind(text)), len(texts))
    return dotted(pointer[:held])


def _blackened(place: Place, others: list[Place]) -> str:
    """The line with stars for all that must not be told; nothing where that goes on below."""
    line = place.text.line(place.span.line)
    for other in others:
        if other.text.path != place.text.path or other.span.line != place.span.line:
            continue
        if not _is_short(other) or not other.written:
            return ""
        line = line.replace(other.written, "*" * len(other.written))
    return "" if kind(line) else line
