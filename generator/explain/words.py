"""A field's schema in words: what it takes, and an example."""

import re

from generator.explain.fields import branches, resolved
from generator.schema import TYPES, Schema


def type_in_words(schema: Schema) -> str:
    """What a value looks like: `a whole number from 1 to 65536`, `one of http, grpc`."""
    if "const" in schema:
        return f"always {schema['const']}"
    if "enum" in schema:
        return f"one of {', '.join(str(word) for word in schema['enum'] if word is not None)}"
    if "x-says" in schema:
        return str(schema["x-says"])
    if "anyOf" in schema:
        return " or ".join(type_in_words(branch) for branch in branches(schema))
    if "type" not in schema:
        return "any value"
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if "array" in names:
        return _list_in_words(schema)
    return " or ".join(TYPES[name] for name in names if name != "null") + _limits(schema)


def _list_in_words(schema: Schema) -> str:
    items = resolved(schema.get("items", {}))
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    number = f" of {least} items" if least == most else f" of at most {most} items" if most else ""
    what = type_in_words(items)
    return f"a list{number}, each {what}"


def _limits(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if most is not None:
        return f" of at most {most}"
    return f" of at least {least}" if least is not None else ""


_SUCH_AS = re.compile(r"such as ([^\s,]+)")


def example(schema: Schema) -> object:
    """A value that the field takes, None where the schema tells none."""
    if "const" in schema or "default" in schema:
        return schema.get("const", schema.get("default"))
    if "enum" in schema:
        return schema["enum"][0]
    if found := _SUCH_AS.search(schema.get("x-says", "")):
        return found[1].strip(':"')
    kinds = schema.get("type", ())
    if "integer" in kinds or "number" in kinds:
        return schema.get("minimum", 1)
    return True if kinds == "boolean" else None
