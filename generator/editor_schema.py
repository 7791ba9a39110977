"""One JSON Schema for editors: the spec's, with every target's options in it."""

import copy
import json

from generator import schema
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
