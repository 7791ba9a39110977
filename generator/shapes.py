"""Whether data fits a JSON Schema: yes or no, fast, and without a word of why not.

`schema` and `kinds` ask here first. Only of what does not fit, or where `Unsure` is raised, does
jsonschema make the messages: to load it costs more than to check a whole spec. So a yes from here
has to be a yes from there, which tests/test_shapes.py holds for every schema that is shipped; a no
costs time alone.

A part of a schema becomes a function when the first value stands before it: most of a pod's schema
is never met.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sized
from functools import cache
from numbers import Number
from typing import Any

from msgspec import Struct

Schema = Mapping[str, Any]  # Any: JSON Schema is recursive JSON
Shape = Callable[[Any], bool]  # Any: data of every kind, which is what is asked here
Maker = Callable[[Schema, "Dialect"], Shape]


class Unsure(Exception):
    """A schema or a value that only jsonschema can tell of."""


class Dialect(Struct, frozen=True):
    """What readers of schemas differ in."""

    is_integer: Shape
    search: Callable[[str], Callable[[str], object]]
    """What looks for a pattern in a text."""
    referred: Callable[[str], tuple[Schema, "Dialect"]]
    """What a `$ref` stands for, and how that is read; raises Unsure."""
    keywords: Mapping[str, Maker]


def shape(schema: Schema, dialect: Dialect) -> Shape:
    """What tells whether a value is sure to fit a schema."""
    whole = _later(schema, dialect)

    def fits(value: object) -> bool:
        try:
            return whole()(value)
        except (Unsure, AttributeError, KeyError, TypeError, ValueError):
            return False  # also of a schema that is none, where jsonschema may not look

    return fits


def _shape(schema: object, dialect: Dialect) -> Shape:
    """What tells whether a value fits a schema; both raise Unsure where they cannot tell."""
    if schema is True or schema is False:
        return _anything if schema else _nothing
    if not isinstance(schema, dict) or not LEFT_OUT.isdisjoint(schema):
        raise Unsure
    if "$ref" in schema:  # what stands beside it counts for nothing in draft 7
        return _shape(*dialect.referred(schema["$ref"]))
    makers = dict.fromkeys(dialect.keywords[key] for key in schema if key in dialect.keywords)
    checks = [make(schema, dialect) for make in makers]
    return _all(checks)


def searcher(pattern: str, flags: int = 0) -> Callable[[str], object]:
    """What looks for a pattern; `$` ends the text, and is not also before its last line feed."""
    return re.compile(re.sub(r"\$$", r"\\Z", pattern), flags).search


def _anything(_value: object) -> bool:
    return True


def _nothing(_value: object) -> bool:
    return False


def _all(checks: list[Shape]) -> Shape:
    if len(checks) < 2:
        return checks[0] if checks else _anything
    first, others = checks[0], _all(checks[1:])
    return lambda value: first(value) and others(value)


def _any(checks: list[Shape]) -> Shape:
    if len(checks) < 2:
        return checks[0] if checks else _nothing
    first, others = checks[0], _any(checks[1:])
    return lambda value: first(value) or others(value)


class _Parts(dict[object, Shape]):
    """The shapes of a map's values by key, each made when it is first asked for."""

    def __init__(self, schema: Schema, dialect: Dialect) -> None:
        self.named: Schema = schema.get("properties", {})
        self.schema = schema
        self.dialect = dialect
        self.others: Shape | None = None

    def __missing__(self, key: object) -> Shape:
        if key in self.named:
            return self.setdefault(key, _shape(self.named[key], self.dialect))  # type: ignore[index]  # it is in it
        if not isinstance(key, str):
            raise Unsure
        # Not kept by its key, of which users have any number.
        if self.others is None:
            self.others = _shape(self.schema.get("additionalProperties", True), self.dialect)
        return self.others


def _map(schema: Schema, dialect: Dialect) -> Shape:
    required, parts = tuple(schema.get("required", ())), _Parts(schema, dialect)

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        for name in required:
            if name not in value:
                return False
        for key, held in value.items():  # noqa: SIM110  # half the time of all() of a generator
            if not parts[key](held):
                return False
        return True

    return fits


def _later(schema: object, dialect: Dialect) -> Callable[[], Shape]:
    """A shape that is made when it is first asked for."""
    return cache(lambda: _shape(schema, dialect))


def _items(schema: Schema, dialect: Dialect) -> Shape:
    item = _later(schema["items"], dialect)
    return lambda value: not isinstance(value, list) or not value or all(map(item(), value))


def _property_names(schema: Schema, dialect: Dialect) -> Shape:
    name = _later(schema["propertyNames"], dialect)
    return lambda value: not isinstance(value, dict) or not value or all(map(name(), value))


def _is_number(value: object) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


_TYPES: Mapping[str, Shape] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _nothing,  # the dialect's
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _type(schema: Schema, dialect: Dialect) -> Shape:
    wanted = schema["type"]
    names = [wanted] if isinstance(wanted, str) else wanted
    if not _TYPES.keys() >= set(names):
        raise Unsure
    return _any([dialect.is_integer if name == "integer" else _TYPES[name] for name in names])


def _enum(schema: Schema, _dialect: Dialect) -> Shape:
    return _one_of(schema["enum"])


def _const(schema: Schema, _dialect: Dialect) -> Shape:
    return _one_of([schema["const"]])


def _one_of(choices: list[object]) -> Shape:
    """Texts or whole numbers; to JSON Schema 1.0 is 1 and true is not."""
    if all(type(choice) is str for choice in choices):
        words = frozenset(choices)
        return lambda value: isinstance(value, str) and value in words
    if all(type(choice) is int for choice in choices):
        return lambda value: _is_number(value) and value in choices
    raise Unsure


def _pattern(schema: Schema, dialect: Dialect) -> Shape:
    try:
        search = dialect.search(schema["pattern"])
    except re.error:
        raise Unsure from None
    return lambda value: not isinstance(value, str) or search(value) is not None


def _all_of(schema: Schema, dialect: Dialect) -> Shape:
    return _all([_shape(part, dialect) for part in schema["allOf"]])


def _any_of(schema: Schema, dialect: Dialect) -> Shape:
    return _any([_shape(part, dialect) for part in schema["anyOf"]])


def _if(schema: Schema, dialect: Dialect) -> Shape:
    condition, then, otherwise = (
        _shape(schema.get(key, True), dialect) for key in ("if", "then", "else")
    )
    return lambda value: then(value) if condition(value) else otherwise(value)


def _unique(schema: Schema, _dialect: Dialect) -> Shape:
    return _is_unique if schema["uniqueItems"] else _anything


def _is_unique(value: object) -> bool:
    if not isinstance(value, list) or len(value) < 2:
        return True
    if not set(map(type, value)) <= {str, int}:  # lists have no hash, and true is not 1
        raise Unsure
    return len(set(value)) == len(value)


Fails = Callable[[Any, Any], bool]  # Any: numbers of every kind


def _of_numbers(keyword: str, fails: Fails) -> Maker:
    def make(schema: Schema, _dialect: Dialect) -> Shape:
        limit = schema[keyword]
        return lambda value: not (_is_number(value) and fails(value, limit))

    return make


def _of_sizes(keyword: str, kind: type[Sized], fails: Fails) -> Maker:
    def make(schema: Schema, _dialect: Dialect) -> Shape:
        limit = schema[keyword]
        return lambda value: not (isinstance(value, kind) and fails(len(value), limit))

    return make


KEYWORDS: Mapping[str, Maker] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    # Each says when a value fails, not when it fits: nan does neither.
    "minimum": _of_numbers("minimum", operator.lt),
    "maximum": _of_numbers("maximum", operator.gt),
    "exclusiveMinimum": _of_numbers("exclusiveMinimum", operator.le),
    "exclusiveMaximum": _of_numbers("exclusiveMaximum", operator.ge),
    "minLength": _of_sizes("minLength", str, operator.lt),
    "maxLength": _of_sizes("maxLength", str, operator.gt),
    "minItems": _of_sizes("minItems", list, operator.lt),
    "maxItems": _of_sizes("maxItems", list, operator.gt),
    "minProperties": _of_sizes("minProperties", dict, operator.lt),
    "maxProperties": _of_sizes("maxProperties", dict, operator.gt),
    "items": _items,
    "uniqueItems": _unique,
    "propertyNames": _property_names,
    "allOf": _all_of,
    "anyOf": _any_of,
    "if": _if,
    **dict.fromkeys(("required", "properties", "additionalProperties"), _map),
}
LEFT_OUT = frozenset(
    (
        "additionalItems",
        "contains",
        "dependencies",
        "multipleOf",
        "not",
        "oneOf",
        "patternProperties",
    )
)
"""Keywords of draft 7 that no shipped schema has."""
