"""Lay compact schemas out as text, what stands in several places written once."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from generator.structural import Schema

SMALLEST_SHARED = 60  # characters; a reference takes about forty
WIDTH = 100


def share(schema: Schema) -> Schema:
    """Move every subschema that stands in several places into `definitions`."""
    (shared,), definitions = share_all([schema], "")
    return {**shared, "definitions": definitions} if definitions else shared


def share_all(schemas: Iterable[Schema], file: str) -> tuple[list[Schema], Schema]:
    """Move every subschema that stands in several places of several schemas into one map.

    The map, whose references are its own, is for the file that the schemas refer to.
    """
    roots = list(schemas)
    uses: Counter[str] = Counter()
    for text in sorted({_canonical(root) for root in roots}):
        _count(json.loads(text), uses)
    names: dict[str, str] = {}
    definitions: Schema = {}

    def placed(node: Schema, name: str, file: str) -> Schema:
        text = _canonical(node)
        if uses[text] < 2 or len(text) < SMALLEST_SHARED:
            return rebuilt(node, name, file)
        if text not in names:
            names[text] = _free_name(name, set(names.values()))
            definitions[names[text]] = rebuilt(node, name, "")
        return {"$ref": f"{file}#/definitions/{names[text]}"}

    def rebuilt(node: Schema, name: str, file: str) -> Schema:
        whole = dict(node)
        if "properties" in node:
            fields = sorted(node["properties"].items())
            whole["properties"] = {field: placed(child, field, file) for field, child in fields}
        if "items" in node:
            whole["items"] = placed(node["items"], f"{name}.item", file)
        if isinstance(node.get("additionalProperties"), dict):
            child = node["additionalProperties"]
            whole["additionalProperties"] = placed(child, f"{name}.value", file)
        return whole

    return [rebuilt(root, "", file) for root in roots], definitions


def _count(schema: Schema, uses: Counter[str]) -> None:
    """Count the places of each subschema, once for all copies of what holds it."""
    for child in _children(schema):
        text = _canonical(child)
        uses[text] += 1
        if uses[text] == 1:
            _count(child, uses)


def _children(schema: Schema) -> Iterator[Schema]:
    yield from schema.get("properties", {}).values()
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield schema[keyword]


def _canonical(schema: Schema) -> str:
    return json.dumps(schema, sort_keys=True)


def _free_name(name: str, taken: set[str]) -> str:
    candidates = (
        name if number == 1 else f"{name}.{number}" for number in range(1, len(taken) + 2)
    )
    return next(candidate for candidate in candidates if candidate not in taken)


def written(schema: Schema) -> str:
    """The text of a schema: sorted, and on one line whatever fits on one."""
    return _laid_out(schema, 0) + "\n"


def _laid_out(value: object, depth: int) -> str:
    flat = json.dumps(value, sort_keys=True)
    if not isinstance(value, dict) or depth + len(flat) <= WIDTH:
        return flat
    pad = " " * (depth + 1)
    entries = (
        f"{pad}{json.dumps(key)}: {_laid_out(value[key], depth + 1)}" for key in sorted(value)
    )
    return "{\n" + ",\n".join(entries) + "\n" + " " * depth + "}"
