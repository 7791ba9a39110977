"""Other values for a field: near the one that stands there, and of the same kind.

The schema has the last word on them; what it refuses is passed over by the one who tries.
"""

import re
from collections.abc import Iterator

from generator.explain.fields import branches, resolved
from generator.schema import Schema

SAMPLES = (
    *(
        "7s",
        "700m",
        "7",
        "sample",
        "sample.py:name",
        "sample.py",
        "s3://sample/folder",
        "26.10-py3",
    ),
    *("docker.io/sample/image", "docker.io/sample/image:1.0", "https://sample.org/file", "3.12"),
    *("0123456789abcdef" * 4, "S", "Sample", "sample.yaml", "/spec"),
)
"""Texts for a field that holds none yet."""


def others(schema: Schema, value: object) -> Iterator[object]:
    """Values unlike the given one, the likest first; of a choice all that are left."""
    return (other for other in _near(schema, value) if other != value and _fits(schema, other))


def _fits(schema: Schema, value: object) -> bool:
    """Whether the patterns of a field let a text through; the rest is left to who tries it."""
    patterns = [branch["pattern"] for branch in branches(schema) if "pattern" in branch]
    return not (isinstance(value, str) and patterns) or any(
        re.search(pattern, value) for pattern in patterns
    )


def _near(schema: Schema, value: object) -> Iterator[object]:
    words = [word for branch in branches(schema) for word in branch.get("enum", ())]
    if words and not isinstance(value, list | dict):
        yield from (word for word in words if word is not None)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from _numbers(value)
    elif isinstance(value, str):
        if any("items" in branch for branch in branches(schema)):
            yield ["sample", "other"]  # the list itself in place of the file that holds it
        yield from _texts(value)
    elif isinstance(value, list):
        yield from _lists(schema, value)


def is_choice(schema: Schema, value: object) -> bool:
    """Whether all other values are few, each with a meaning of its own."""
    return isinstance(value, bool) or any("enum" in branch for branch in branches(schema))


def samples(schema: Schema) -> Iterator[object]:
    """Values for a field that the spec leaves out, where no default is known either."""
    return (value for value in _samples(schema) if _fits(schema, value))


def _samples(schema: Schema) -> Iterator[object]:
    for branch in branches(schema):
        kinds = branch.get("type", ())
        if "enum" in branch:
            yield from (word for word in branch["enum"] if word is not None)
        elif kinds == "boolean" or "boolean" in kinds:
            yield from (True, False)
        elif "integer" in kinds or "number" in kinds:
            yield from (7, branch.get("minimum", 1), 0.5)
        if "string" in kinds:
            yield from SAMPLES
        if "array" in kinds:
            yield from ([item] * number for item in samples(_items(branch)) for number in (1, 2))


def _items(schema: Schema) -> Schema:
    return resolved(schema.get("items", {}))


def _numbers(value: int | float) -> Iterator[object]:
    yield from (value + 1, value * 2, value - 1)
    if isinstance(value, float):
        yield from (value / 2, 1 - value / 3)


_DIGITS = re.compile(r"\d+(?!.*\d)", re.S)
_FIRST_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[A-Za-z]+")


def _texts(value: str) -> Iterator[object]:
    """Other letters in the last word, in the one before, ...; other numbers."""
    if found := _FIRST_DIGITS.match(value):
        yield f"{int(found[0]) + 1}{value[found.end() :]}"
        yield f"{int(found[0]) * 2}{value[found.end() :]}"
    for word in reversed(list(_LETTERS.finditer(value))[-6:]):
        yield value[: word.start()] + _turned(word[0]) + value[word.end() :]
    if found := _DIGITS.search(value):
        yield f"{value[: found.start()]}{int(found[0][:18]) + 1}{value[found.end() :]}"
        yield f"{value[: found.start()]}{max(1, int(found[0][:18]) - 1)}{value[found.end() :]}"


def _turned(word: str) -> str:
    """Each letter's successor, in its case; hexadecimal letters stay such."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    following = dict(zip(letters, letters[1:] + letters[0], strict=True))
    if set(word) <= set("abcdef"):
        following["f"] = "a"
    return "".join(following[c] if c.islower() else following[c.lower()].upper() for c in word)


def _lists(schema: Schema, value: list[object]) -> Iterator[object]:
    """Every item another, as far as it has others; else one item fewer or more."""
    items = next((_items(branch) for branch in branches(schema) if "items" in branch), {})
    for number in range(3):
        yield [_other(items, item, number) for item in value]
    for number in range(3):
        yield [*value[:-1], *(_other(items, item, number) for item in value[-1:])]
    yield value[:-1]
    yield [*value, *value[-1:]]


def _other(schema: Schema, item: object, number: int) -> object:
    """The n-th of an item's others; a dimension's letter stays, it has a meaning."""
    if isinstance(item, str) and len(item) == 1:
        return item
    found = list(others(schema, item))
    return found[min(number, len(found) - 1)] if found else item
