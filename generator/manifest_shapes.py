"""How an API server reads the schemas of `schemas/kubernetes/`, for the fast yes or no."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from generator.list_maps import doubled
from generator.shapes import KEYWORDS, Dialect, Schema, Shape, searcher


def dialect(referred: Callable[[str], tuple[Schema, Dialect]]) -> Dialect:
    """How a schema is read whose references mean what `referred` says.

    A manifest is held against it as it is, its nulls in place: where a server reads null as nothing
    written, the schema takes no null, so that the manifest does not fit and is looked at closely.
    """
    return Dialect(_is_integer, search, referred, _KEYWORDS)


@cache
def search(pattern: str) -> Callable[[str], object]:
    """What looks for a pattern as Go does: `\\d` is ASCII."""
    return searcher(pattern, re.ASCII)


def _is_integer(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _list_map_keys(schema: Schema, _dialect: Dialect) -> Shape:
    keys: list[str] = schema["x-list-map-keys"]

    def has_no_doubled(value: Any) -> bool:  # Any: a shape is asked of all data
        return next(doubled(value, keys), None) is None

    return has_no_doubled


_KEYWORDS = {**KEYWORDS, "x-list-map-keys": _list_map_keys}
