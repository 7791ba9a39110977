"""JSON Schema as an API server reads it: each unknown or missing field told on its own.

Imports jsonschema, which takes longer than the rest of `kinds`: import this where it is needed.
"""

import difflib
import json
from collections.abc import Iterator, Mapping

from jsonschema import Draft7Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from generator.list_maps import doubled
from generator.manifest_shapes import search
from generator.objectmeta import Refusal

TYPE_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a map",
    "string": "a string",
}
TYPES = (  # in the order to ask: Python's booleans are integers
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (Mapping, "object"),
    (type(None), "null"),
)
FORMAT_WORDS = {"byte": "base64", "quantity": "a quantity"}
FORMAT_HINTS = {
    "byte": "encode it, or write it plainly under `stringData`",
    "quantity": "write a number and one of m, k, M, G, T, Ki, Mi, Gi, Ti, as in `500m` or `2Gi`",
}
LIMIT_WORDS = {
    "maxItems": "{size} elements, the most is {limit}",
    "maxLength": "{size} characters, the most is {limit}",
    "maxProperties": "{size} fields, the most is {limit}",
    "maximum": "{value} is over the maximum {limit}",
    "minItems": "{size} elements, the least is {limit}",
    "minLength": "{size} characters, the least is {limit}",
    "minProperties": "{size} fields, the least is {limit}",
    "minimum": "{value} is under the minimum {limit}",
    "multipleOf": "{value} is not a multiple of {limit}",
    "uniqueItems": "an element stands twice in the list",
}
LONGEST_SHOWN = 60
# Lists whose elements the validation of Kubernetes' own kinds tells apart by itself. In other ones
# of these kinds only server-side apply refuses a key that stands twice:
# https://github.com/kubernetes/kubernetes/issues/113482
TOLD_APART = (
    "claims",
    "containers",
    "ephemeralContainers",
    "initContainers",
    "resourceClaims",
    "schedulingGates",
    "topologySpreadConstraints",
    "volumeDevices",
    "volumeMounts",
    "volumes",
)
TAKEN_TWICE = "remove one: server-side apply refuses it, other ways take the last"

Pointer = tuple[str | int, ...]


def check(
    value: object, validator: Validator, path: Pointer, *, is_core: bool = False
) -> Iterator[Refusal]:
    """What the schema of a validator refuses about the value at a path.

    `is_core`: of a kind of Kubernetes' own, which is validated by code and not by its schema.
    """
    for error in validator.iter_errors(value):
        place = tuple(part if isinstance(part, int) else str(part) for part in error.path)
        if is_core and _is_taken_twice(error, place):
            yield Refusal((*path, *place), _message(error), TAKEN_TWICE, severity="warning")
        else:
            yield Refusal((*path, *place), _message(error), _hint(error))


def _is_taken_twice(error: ValidationError, place: Pointer) -> bool:
    """Whether keys stand twice in a list of which that is not validated."""
    if error.validator != "x-list-map-keys":
        return bool(error.validator == "uniqueItems")
    keys = error.validator_value
    is_of_a_service = set(keys) == {"port", "protocol"}
    return not is_of_a_service and place[-3] not in TOLD_APART


def validator(schema: Mapping[str, object]) -> Validator:
    """A validator of a compact schema without references."""
    return _Dialect(schema)


def _additional_properties(
    validator: Validator, allowed: object, value: object, schema: Mapping[str, object]
) -> Iterator[ValidationError]:
    named = schema.get("properties", {})
    if not isinstance(value, Mapping) or not isinstance(named, Mapping):
        return
    for key in value:
        if key in named:
            continue
        if not isinstance(key, str):
            yield ValidationError(f"the key {_typed(key)}, expected a string", path=(str(key),))
        elif allowed is False:
            yield ValidationError(f"unknown field `{_cut(key)}`", path=(key,))
        else:
            yield from validator.descend(value[key], allowed, path=key)


def _required(
    validator: Validator, names: list[str], value: object, schema: object
) -> Iterator[ValidationError]:
    if isinstance(value, Mapping):
        for name in names:
            if name not in value:
                yield ValidationError(f"required field `{name}` is missing")


def _pattern(
    validator: Validator, pattern: str, value: object, schema: Mapping[str, object]
) -> Iterator[ValidationError]:
    if isinstance(value, str) and not search(pattern)(value):
        words = FORMAT_WORDS.get(str(schema.get("format")))
        said = f"is not {words}" if words else f"does not match `{pattern}`"
        yield ValidationError(f"{_said(value)} {said}")


def _list_map_keys(
    validator: Validator, keys: list[str], value: object, schema: object
) -> Iterator[ValidationError]:
    for index, first, held in doubled(value, keys):
        pairs = ", ".join(f"`{key}` {_said(one)}" for key, one in zip(keys, held, strict=True))
        message = f"duplicate {pairs}, first at index {first}"
        yield ValidationError(message, path=(index, keys[0]))


_Dialect = extend(
    Draft7Validator,
    {
        "additionalProperties": _additional_properties,
        "pattern": _pattern,
        "required": _required,
        "x-list-map-keys": _list_map_keys,
    },
)


def _message(error: ValidationError) -> str:
    """Our words for the errors that jsonschema makes, the error's own for ours."""
    keyword, value, limit = error.validator, error.instance, error.validator_value
    if keyword == "type":
        expected = [limit] if isinstance(limit, str) else limit
        words = " or ".join(TYPE_WORDS[name] for name in expected)
        return f"{_typed(value)}, expected {words}"
    if keyword == "enum":
        choices = [_said(choice) for choice in limit if choice != ""]
        return f"{_said(value)} is not one of {', '.join(choices)}"
    if keyword in LIMIT_WORDS:
        size = len(value) if isinstance(value, (str, list, Mapping)) else 0
        return LIMIT_WORDS[keyword].format(value=_said(value), limit=limit, size=size)
    return str(error.message)


def _hint(error: ValidationError) -> str:
    """What to type instead, where that can be told."""
    keyword, value, limit = error.validator, error.instance, error.validator_value
    if keyword == "additionalProperties" and limit is False:
        return _near(str(error.path[-1]), error.schema.get("properties", {}))
    if keyword == "enum":
        return _near(str(value), [str(choice) for choice in limit])
    if keyword == "pattern":
        return FORMAT_HINTS.get(error.schema.get("format"), "")
    if keyword == "type" and "string" in limit and isinstance(value, (bool, int, float)):
        return f'quote it: `"{_plain(value)}"`'
    if keyword == "type" and "integer" in limit and isinstance(value, str) and value.isdigit():
        return f"write `{value}` without quotes"
    return ""


def _near(word: str, choices: Mapping[str, object] | list[str]) -> str:
    lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), lower, n=1)
    return f"did you mean `{lower[found[0]]}`?" if found else ""


def _typed(value: object) -> str:
    """A value and its type, or the type alone where there is no one value to show."""
    name = next((name for kind, name in TYPES if isinstance(value, kind)), "")
    words = TYPE_WORDS.get(name, type(value).__name__)
    if isinstance(value, (str, int, float)):
        return f"{_said(value)} is {words}"
    return f"found {words}"


def _said(value: object) -> str:
    return f"`{_cut(_plain(value))}`"


def _plain(value: object) -> str:
    """A scalar as YAML has it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
