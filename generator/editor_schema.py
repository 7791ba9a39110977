"""One JSON Schema for editors: the spec's, with every target's options in it."""

import copy
import json
from collections.abc import Iterator

from generator import schema
from generator.document import Pointer
from generator.schema import Schema
from generator.targets import TARGETS
from generator.views import OVERRIDABLE

_NOT_IN_AN_ENVIRONMENT = ("spec_version", "name", "targets", "environments")


def editor_schema() -> Schema:
    """Completes and documents; laxer than `gen validate` where values are merged.

    A target and an environment hold parts of what the project holds, and null to remove a
    key: there, nothing is required and null is allowed.
    """
    whole: Schema = copy.deepcopy(schema.read(schema.project_schema()))
    sections = [name for name in whole["properties"] if name not in _NOT_IN_AN_ENVIRONMENT]
    targets: Schema = {}
    for target in TARGETS.values():
        text = json.dumps(schema.read(target.schema)).replace(f"{schema.PROJECT}#", "#")
        options = json.loads(text)
        whole["definitions"] |= options.pop("definitions", {})
        del options["$schema"]
        targets[target.name] = options
    partial = {f"partial_{name}": _partial(part) for name, part in whole["definitions"].items()}
    whole["definitions"] |= partial
    for options in targets.values():
        options["type"] = ["object", "null"]
        options["properties"] |= {name: _partial_of(name) for name in OVERRIDABLE}
    whole["properties"]["targets"] |= {"properties": targets, "additionalProperties": False}
    environment = {name: _partial_of(name) for name in sections}
    environment["targets"] = _partial(whole["properties"]["targets"])
    whole["properties"]["environments"]["additionalProperties"] = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": environment,
    }
    return whole


def defaults_schema() -> Schema:
    """The schema of a team file: all that specs may share, and nothing required of it."""
    whole = editor_schema()
    sections = whole["properties"]
    targets = _partial(sections.pop("targets"))
    environments = _partial(sections.pop("environments"))
    own = [sections.pop(name) for name in OF_ONE_SPEC]
    assert all(own)
    for options in targets["properties"].values():
        options["properties"].pop("model")
    targets["x-key"] = "target"
    for holder in (targets, environments):
        holder["type"] = "object"
    environment = environments["additionalProperties"]["properties"]
    environment.pop("model")
    environment["targets"] = targets
    return whole | {
        "title": "serving-generator team file",
        "description": "What a team says for all its specs; a spec's own words win.",
        "required": [VERSION],
        "properties": {
            VERSION: {"const": 1, "description": "The version of this format, 1."},
            **{name: _partial(part) for name, part in sections.items()},
            "targets": targets,
            "environments": environments,
        },
    }


VERSION = "defaults_version"
OF_ONE_SPEC = ("spec_version", "name", "model")


def _partial_of(name: str) -> Schema:
    return {"$ref": f"#/definitions/partial_{name}"}


def _partial(part: Schema) -> Schema:
    """The schema without what it requires, and with null beside every type."""
    result: Schema = {}
    for key, value in part.items():
        if key in ("required", "minProperties"):
            continue
        if key == "$ref" and "/partial_" not in value:
            value = value.replace("#/definitions/", "#/definitions/partial_")
        elif key == "type":
            value = sorted({"null", *([value] if isinstance(value, str) else value)})
        elif key == "enum":
            value = [*value, None]
        elif key == "properties":
            value = {name: _partial(child) for name, child in value.items()}
        elif isinstance(value, dict) and key != "default":
            value = _partial(value)
        elif key in ("anyOf", "allOf"):
            value = [_partial(child) for child in value]
        result[key] = value
    return result


def is_one_kind(whole: Schema, pointer: Pointer, kind: str) -> bool:
    """Whether a value of this JSON type, or null, is all that can stand at a pointer.

    `whole` is what `editor_schema` gives.
    """
    kinds: set[str] = set()
    for part in (part for node in _nodes(whole, pointer) for part in _parts(whole, node)):
        told = part.get("type", ())
        kinds |= {told} if isinstance(told, str) else set(told)
        if all(word is None or isinstance(word, str) for word in part.get("enum", [0])):
            kinds.add("string")
    return kinds - {"null"} == {kind}


def takes(whole: Schema, pointer: Pointer, value: object) -> bool:
    """Whether the schema takes a value at a pointer."""
    import jsonschema

    definitions = {"definitions": whole["definitions"]}
    nodes = _nodes(whole, pointer)
    return all(jsonschema.Draft7Validator(definitions | node).is_valid(value) for node in nodes)


def takes_key(whole: Schema, pointer: Pointer, key: str) -> bool:
    """Whether the map at a pointer may have a key."""
    import jsonschema

    for part in (part for node in _nodes(whole, pointer) for part in _parts(whole, node)):
        if key in part.get("properties", {}):
            return True
        if isinstance(part.get("additionalProperties"), dict):
            return bool(jsonschema.Draft7Validator(part.get("propertyNames", {})).is_valid(key))
    return False


def _nodes(whole: Schema, pointer: Pointer) -> list[Schema]:
    """The schemas of what stands at a pointer."""
    nodes = [whole]
    for key in pointer:
        nodes = [below for node in nodes for below in _below(whole, node, key)]
    return nodes


def _below(whole: Schema, node: Schema, key: str | int) -> Iterator[Schema]:
    for part in _parts(whole, node):
        if isinstance(key, int):
            below = part.get("items")
        else:
            below = part.get("properties", {}).get(key, part.get("additionalProperties"))
        if isinstance(below, dict):
            yield below


def _parts(whole: Schema, node: Schema) -> Iterator[Schema]:
    """A schema, what it refers to, and its alternatives."""
    yield node
    children = [*node.get("allOf", ()), *node.get("anyOf", ())]
    if "$ref" in node:
        children.append(whole["definitions"][node["$ref"].rpartition("/")[2]])
    for child in children:
        yield from _parts(whole, child)
