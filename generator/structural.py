"""Turn the OpenAPI schemas of Kubernetes into small, closed JSON Schemas (draft-07)."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
"""A JSON Schema: data whose shape is only known to its keywords."""

# apimachinery, pkg/api/resource/quantity.go, as controller-gen writes it into every CRD
QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

# The formats that we hold text to; the message names them, the pattern decides.
PATTERNS = {"quantity": QUANTITY, "byte": BASE64}

LIMITS = (
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
)

# Closed choices that upstream schemas only tell in prose. The first column is a field that
# gives away the type: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
CHOICES = (
    ("terminationMessagePath", "imagePullPolicy", ("Always", "IfNotPresent", "Never")),
    ("terminationMessagePath", "terminationMessagePolicy", ("FallbackToLogsOnError", "File")),
    ("containerPort", "protocol", ("SCTP", "TCP", "UDP")),
    ("targetPort", "protocol", ("SCTP", "TCP", "UDP")),
    ("httpHeaders", "scheme", ("HTTP", "HTTPS")),
    ("initContainers", "restartPolicy", ("Always", "Never", "OnFailure")),
)

SMALLEST_SHARED = 60  # characters; a reference takes about forty
WIDTH = 100


def manifest_schema(openapi: Schema, api_version: str, kind: str) -> Schema:
    """The compact schema of a whole manifest; `metadata` has a schema of its own."""
    schema = compact(openapi)
    properties = schema["properties"]
    properties["apiVersion"] = {"enum": [api_version]}
    properties["kind"] = {"enum": [kind]}
    properties["metadata"] = {"type": "object"}
    if "status" in properties:  # written by controllers only: nothing that we render
        properties["status"] = {"type": "object"}
    schema["required"] = sorted({*schema.get("required", ()), "apiVersion", "kind", "metadata"})
    return schema


def compact(openapi: Schema) -> Schema:
    """Keep names, types and limits, and refuse the fields that an object does not name.

    Descriptions, defaults, CEL rules and `oneOf`, `allOf` and `not` go: dropping them can only
    accept more.
    """
    kept = {limit: openapi[limit] for limit in LIMITS if limit in openapi}
    kept |= _types(openapi) | _text(openapi) | _fields(openapi) | _elements(openapi)
    if "enum" in openapi:
        kept["enum"] = [*openapi["enum"], *([None] if openapi.get("nullable") else [])]
    return kept


def _types(openapi: Schema) -> Schema:
    """The JSON types that a value may have."""
    either = openapi.get("x-kubernetes-int-or-string")
    types = ["integer", "string"] if either else openapi.get("type", [])
    types = [types] if isinstance(types, str) else list(types)
    if types and openapi.get("nullable"):
        types.append("null")
    if not types:
        return {}
    return {"type": types if len(types) > 1 else types[0]}


def _text(openapi: Schema) -> Schema:
    """The pattern of a text, and the name of the pattern where it has one."""
    form = "quantity" if openapi.get("pattern") == QUANTITY else openapi.get("format")
    if form in PATTERNS:
        return {"format": form, "pattern": PATTERNS[form]}
    return {"pattern": openapi["pattern"]} if "pattern" in openapi else {}


def _fields(openapi: Schema) -> Schema:
    """The fields of an object, closed unless upstream keeps unknown ones."""
    values = openapi.get("additionalProperties")
    if isinstance(values, dict):
        return {"additionalProperties": compact(values)}
    named = dict(openapi.get("properties", {}))
    if openapi.get("x-kubernetes-embedded-resource"):
        named = {"apiVersion": {}, "kind": {}, "metadata": {}} | named
    if openapi.get("type") != "object" and not named:
        return {}
    kept: Schema = {}
    if named:
        kept["properties"] = {name: compact(field) for name, field in named.items()}
        _close_choices(kept["properties"])
    # The API server fills defaults in before it looks for what is missing.
    required = [name for name in openapi.get("required", ()) if "default" not in named[name]]
    if required:
        kept["required"] = sorted(required)
    if not openapi.get("x-kubernetes-preserve-unknown-fields"):
        kept["additionalProperties"] = False
    return kept


def _close_choices(properties: Schema) -> None:
    for sign, name, choices in CHOICES:
        if sign in properties and "enum" not in properties.get(name, {"enum": ()}):
            properties[name]["enum"] = list(choices)


def _elements(openapi: Schema) -> Schema:
    """The elements of a list, and what makes each of them the only one."""
    kept: Schema = {}
    if "items" in openapi:
        kept["items"] = compact(openapi["items"])
    if openapi.get("x-kubernetes-list-map-keys"):
        kept["x-list-map-keys"] = sorted(openapi["x-kubernetes-list-map-keys"])
    if openapi.get("x-kubernetes-list-type") == "set" or openapi.get("uniqueItems"):
        kept["uniqueItems"] = True
    return kept


def share(schema: Schema) -> Schema:
    """Move every subschema that stands in several places into `definitions`."""
    uses: Counter[str] = Counter()
    _count(schema, uses)
    names: dict[str, str] = {}
    definitions: Schema = {}

    def placed(node: Schema, name: str) -> Schema:
        text = _canonical(node)
        if uses[text] < 2 or len(text) < SMALLEST_SHARED:
            return rebuilt(node, name)
        if text not in names:
            names[text] = _free_name(name, set(names.values()))
            definitions[names[text]] = rebuilt(node, name)
        return {"$ref": f"#/definitions/{names[text]}"}

    def rebuilt(node: Schema, name: str) -> Schema:
        whole = dict(node)
        if "properties" in node:
            fields = sorted(node["properties"].items())
            whole["properties"] = {field: placed(child, field) for field, child in fields}
        if "items" in node:
            whole["items"] = placed(node["items"], f"{name}.item")
        if isinstance(node.get("additionalProperties"), dict):
            whole["additionalProperties"] = placed(node["additionalProperties"], f"{name}.value")
        return whole

    shared = rebuilt(schema, "")
    return {**shared, "definitions": definitions} if definitions else shared


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
