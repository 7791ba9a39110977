"""Turn the OpenAPI schemas of Kubernetes into small, closed JSON Schemas (draft-07)."""

import re
import warnings
from typing import Any

from msgspec import Struct

Schema = dict[str, Any]
"""A JSON Schema: data whose shape is only known to its keywords."""

# apimachinery, pkg/api/resource/quantity.go, as controller-gen writes it into every CRD
QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
# Go's encoding/base64 leaves line breaks out, wherever they stand.
BASE64 = (
    r"^(([\r\n]*[A-Za-z0-9+/]){4})*"
    r"(([\r\n]*[A-Za-z0-9+/]){2}([\r\n]*=){2}|([\r\n]*[A-Za-z0-9+/]){3}[\r\n]*=)?[\r\n]*$"
)

# The formats that we hold text to; the message names them, the pattern decides.
PATTERNS = {"quantity": QUANTITY, "byte": BASE64}

TYPES = {"array", "boolean", "integer", "number", "object", "string"}
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
# gives away the type; an empty text is the default: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
CHOICES = (
    ("terminationMessagePath", "imagePullPolicy", ("", "Always", "IfNotPresent", "Never")),
    ("terminationMessagePath", "terminationMessagePolicy", ("", "FallbackToLogsOnError", "File")),
    ("containerPort", "protocol", ("", "SCTP", "TCP", "UDP")),
    ("targetPort", "protocol", ("", "SCTP", "TCP", "UDP")),
    ("httpHeaders", "scheme", ("", "HTTP", "HTTPS")),
    ("initContainers", "restartPolicy", ("", "Always", "Never", "OnFailure")),
)


class Imported(Struct, frozen=True):
    """The compact schema of one kind in one version, and the size of what it was made from."""

    api_version: str
    kind: str
    schema: Schema
    source: str
    source_bytes: int

    @property
    def file_name(self) -> str:
        """`<group>_<version>_<Kind>.json`; Kubernetes' own unnamed group is `core`."""
        group, _, version = self.api_version.rpartition("/")
        return f"{group or 'core'}_{version}_{self.kind}.json"


def manifest_schema(openapi: Schema, api_version: str, kind: str) -> Schema:
    """The compact schema of a whole manifest; `metadata` has a schema of its own."""
    schema = compact(openapi)
    properties = schema.setdefault("properties", {})
    properties["apiVersion"] = {"enum": [api_version]}
    properties["kind"] = {"enum": [kind]}
    properties["metadata"] = {"type": "object"}
    if "status" in properties:  # written by controllers only: nothing that we render
        properties["status"] = {"type": "object"}
    schema["required"] = sorted({*schema.get("required", ()), "apiVersion", "kind", "metadata"})
    return schema


def compact(openapi: Schema) -> Schema:
    """Keep names, types and limits, and refuse the fields that an object does not name.

    Descriptions, defaults, CEL rules and `oneOf`, `anyOf`, `allOf` and `not` go: dropping them can
    only accept more. Raises ValueError or TypeError at what is no schema.
    """
    kept = {limit: openapi[limit] for limit in LIMITS if limit in openapi}
    for limit, number in kept.items():
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"{limit} is {number}")
    kept |= _types(openapi) | _text(openapi) | _fields(openapi) | _elements(openapi)
    if "enum" in openapi:
        kept["enum"] = [*openapi["enum"], *([None] if openapi.get("nullable") else [])]
    return kept


def _types(openapi: Schema) -> Schema:
    """The JSON types that a value may have."""
    either = openapi.get("x-kubernetes-int-or-string")
    types = ["integer", "string"] if either else openapi.get("type", [])
    types = [types] if isinstance(types, str) else list(types)
    if unknown := set(types) - TYPES:
        raise ValueError(f"there is no type {min(unknown)}")
    if types and openapi.get("nullable"):
        types.append("null")
    if not types:
        return {}
    return {"type": types if len(types) > 1 else types[0]}


def _text(openapi: Schema) -> Schema:
    """The pattern of a text, and the name of the pattern where it has one.

    Go's patterns (RE2) know words that Python's do not; such a pattern goes.
    """
    form = "quantity" if openapi.get("pattern") == QUANTITY else openapi.get("format")
    if form in PATTERNS:
        return {"format": form, "pattern": PATTERNS[form]}
    return {"pattern": openapi["pattern"]} if _is_readable(openapi.get("pattern")) else {}


def _is_readable(pattern: object) -> bool:
    """Whether Python reads a pattern, and reads it as Go does."""
    if not isinstance(pattern, str):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # `[[:alpha:]]` is a class in Go alone
            re.compile(pattern)
    except (re.error, FutureWarning):
        return False
    return True


def _fields(openapi: Schema) -> Schema:
    """The fields of an object, closed unless upstream keeps unknown ones."""
    values = openapi.get("additionalProperties")
    if isinstance(values, dict):
        return {"additionalProperties": compact(values)}
    is_open = values is True or openapi.get("x-kubernetes-preserve-unknown-fields")
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
    required = [
        name for name in openapi.get("required", ()) if "default" not in named.get(name, {})
    ]
    if required:
        kept["required"] = sorted(required)
    if not is_open:
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


def opened(schema: Schema) -> Schema:
    """The schema with every object open, for a definition that keeps unknown fields everywhere."""
    whole = {key: value for key, value in schema.items() if value is not False}
    if "properties" in schema:
        fields = schema["properties"].items()
        whole["properties"] = {name: opened(field) for name, field in fields}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            whole[keyword] = opened(schema[keyword])
    return whole
