"""The certain fixes of what is refused in YAML because its readers differ.

It is certain where the schema wants one kind of value at that place, or takes the key there.
"""

import re
from collections.abc import Sequence
from functools import cache

from msgspec.structs import replace

from generator import source
from generator.diagnostics import Diagnostic, Fix, Rejected, Span
from generator.document import Pointer
from generator.editor_schema import editor_schema, is_one_kind, takes, takes_key
from generator.fixes import written
from generator.schema import Schema

_KEY = "yaml/key"
_SURPRISES = ("yaml/surprising-scalar", _KEY)
MOST = 100
"""Of more at once, something else is wrong."""


def with_fixes(rejected: Rejected, path: str, text: bytes) -> Rejected:
    """The refusal with a fix for each scalar that can only be meant in one way."""
    surprises = [d for d in rejected.diagnostics if d.rule in _SURPRISES and d.path == path]
    if not 0 < len(surprises) <= MOST:
        return rejected
    values, keys = _pointers(path, text)
    fixes: dict[Diagnostic, Fix | None] = {}
    for surprise in surprises:
        if surprise.rule == _KEY:
            fixes[surprise] = _meant_key(surprise, keys.get(surprise.span, ()))
        else:
            fixes[surprise] = _meant(surprise, values.get(surprise.span, ()))
    return Rejected(replace(d, fix=fixes[d]) if d in fixes else d for d in rejected.diagnostics)


@cache
def _whole() -> Schema:
    return editor_schema()


def _meant_key(surprise: Diagnostic, pointers: Sequence[Pointer]) -> Fix | None:
    """The fix, if the schema takes the key in all maps that it stands in."""
    text, whole = written(surprise), _whole()
    is_plain = bool(pointers) and _PLAIN.fullmatch(text)
    is_certain = is_plain and all(takes_key(whole, p[:-1], text) for p in pointers)
    return Fix(surprise.span, f'"{text}"') if is_certain else None


def _meant(surprise: Diagnostic, pointers: Sequence[Pointer]) -> Fix | None:
    """The fix, if the schema wants the same at all pointers to the scalar."""
    text, whole = written(surprise), _whole()

    def is_certain(kind: str, value: object) -> bool:
        return bool(pointers) and all(
            is_one_kind(whole, pointer, kind) and takes(whole, pointer, value)
            for pointer in pointers
        )

    if not _PLAIN.fullmatch(text):
        return None
    if is_certain("string", text):
        return Fix(surprise.span, f'"{text}"')
    word = _BOOLEANS.get(text.lower())
    if word and is_certain("boolean", word == "true"):
        return Fix(surprise.span, word)
    return None


_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_PLAIN = re.compile(r"[-+.:\w]+( +[-+.:\w]+)*")
"""What is the same text in quotes: no tag, and nothing that quotes would change."""
_Pointers = dict[Span, list[Pointer]]


def _pointers(path: str, text: bytes) -> tuple[_Pointers, _Pointers]:
    """Which values, and which keys, stand at a place: several, with an anchor."""
    values: _Pointers = {}
    keys: _Pointers = {}
    try:
        places = source.places(path, text)
    except Rejected:  # it has ended the first reading too
        return values, keys
    for pointer, place in places.items():
        values.setdefault(place.value, []).append(pointer)
        if place.key:
            keys.setdefault(place.key, []).append(pointer)
    return values, keys
