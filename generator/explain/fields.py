"""The fields of a spec: what the schema says of each, found by the path that users write."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from generator.document import Pointer
from generator.editor_schema import editor_schema
from generator.problem import did_you_mean, dotted
from generator.schema import Schema
from generator.targets import TARGETS
from generator.views import OVERRIDABLE

MOST_CHARACTERS = 500
_TOKEN = re.compile(r"""\.?(?P<key>[^.\[\]"]+)|\[(?P<index>\d{1,6})\]|\["(?P<quoted>[^"]*)"\]""")


@dataclass(frozen=True)
class Field:
    """A field by its pointer, in which an operation's name may stand for its index.

    `schema` has its references followed; `prefix` stands before the pointer in the path, where it
    is the value of one environment or target, which `target` and `environment` name.
    """

    pointer: Pointer
    schema: Schema
    target: str | None = None
    environment: str | None = None
    prefix: Pointer = ()

    @property
    def path(self) -> str:
        return dotted((*self.prefix, *self.pointer))


class Unknown(Exception):
    """A path that no spec can have; `hint` names what it can."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def find(path: str) -> Field:
    """The field of a path such as `model.inputs[0].name`; raises Unknown.

    An environment's path and a target's own value are those of the field that they override.
    """
    tokens = _tokens(path)
    environment = target = None
    prefix: Pointer = ()
    if tokens[0] == "environments" and len(tokens) > 2:
        environment, prefix, tokens = str(tokens[1]), tokens[:2], tokens[2:]
    if tokens[0] == "targets" and len(tokens) > 1 and tokens[1] in TARGETS:
        target = str(tokens[1])
        if len(tokens) > 2 and tokens[2] in OVERRIDABLE:
            prefix, tokens = (*prefix, *tokens[:2]), tokens[2:]
    pointer: Pointer = ()
    schema = resolved(_whole())
    while tokens:
        key, taken = _key(schema, tokens)
        child = _child(schema, key)
        if child is None:
            known = sorted(children(schema))
            where = f"`{dotted(pointer)}`" if pointer else "a spec"
            hint = did_you_mean(str(key), known) if known else f"{where} is a single value"
            raise Unknown(f"{where} has no field `{key}`", hint)
        pointer, tokens = (*pointer, key), tokens[taken:]
        about = {"description": schema.get("description", "")}  # an item is what its list is
        schema = about | resolved(child)
    return Field(pointer, schema, target, environment, prefix)


def schema_at(pointer: Pointer) -> Schema | None:
    """What the schema says of a pointer into a spec as it is written, None where nothing."""
    schema: Schema | None = resolved(_whole())
    for key in pointer:
        schema = _child(schema, key) if schema is not None else None
        schema = resolved(schema) if schema is not None else None
    return schema


def _tokens(path: str) -> Pointer:
    found: list[str | int] = []
    at = 0
    while at < len(path) and len(path) <= MOST_CHARACTERS:
        match = _TOKEN.match(path, at)
        if not match:
            break
        index = match["index"]
        found.append(int(index) if index else match["key"] or match["quoted"] or "")
        at = match.end()
    if not found or at < len(path) or path.startswith("."):
        raise Unknown("this is no path of a spec", "write keys with dots: serving.batching.delay")
    return tuple(found)


def _key(schema: Schema, tokens: Pointer) -> tuple[str | int, int]:
    """The next key and how many tokens it takes: the keys of labels may hold dots."""
    free = schema.get("additionalProperties")
    if isinstance(free, dict) and resolved(free).get("type") == "string":
        return ".".join(map(str, tokens)), len(tokens)
    return tokens[0], 1


def _child(schema: Schema, key: str | int) -> Schema | None:
    """The schema below a key or an index; of a list, also what a key leads to in its items."""
    for branch in branches(schema):
        if isinstance(key, int):
            if "items" in branch:
                return _schema(branch["items"])
            continue
        if key in branch.get("properties", {}):
            return _schema(branch["properties"][key])
        if _is_free(branch):
            free = branch.get("additionalProperties")
            return free if isinstance(free, dict) else {}
        if "items" in branch:
            return _child(resolved(branch["items"]), key)
    words = [word for branch in branches(schema) for word in branch.get("enum", ())]
    return {"description": "An operation without arguments."} if key in words else None


def _schema(value: Schema) -> Schema:
    """A part of a schema, typed as what it is."""
    return value


def _is_free(schema: Schema) -> bool:
    """Whether a map's keys are the user's own."""
    is_map = schema.get("type") == "object" or "object" in schema.get("type", ())
    return not schema or (is_map and schema.get("additionalProperties") is not False)


def branches(schema: Schema) -> list[Schema]:
    """The alternatives that a value may be of, or the one that there is."""
    return [resolved(each) for each in schema["anyOf"]] if "anyOf" in schema else [schema]


def children(schema: Schema) -> Mapping[str, Schema]:
    """The fields of a section, of a list's items, or of the operations of a list of steps."""
    found: dict[str, Schema] = {}
    for branch in branches(schema):
        if "items" in branch:
            found |= children(resolved(branch["items"]))
        found |= {name: resolved(child) for name, child in branch.get("properties", {}).items()}
    return found


def resolved(schema: Schema) -> Schema:
    """A schema with its references followed; what stands beside a reference wins."""
    whole = dict(schema)
    while "$ref" in whole or ("allOf" in whole and "$ref" in whole["allOf"][0]):
        reference = whole.pop("$ref", None) or whole.pop("allOf")[0]["$ref"]
        whole = _whole()["definitions"][reference.rpartition("/")[2]] | whole
    return whole


@cache
def _whole() -> Schema:
    """The schema of specs with every target's options in it."""
    whole = editor_schema()
    for options in whole["properties"]["targets"]["properties"].values():
        options["type"] = "object"
    return whole


def every_field() -> Iterator[Field]:
    """All fields that the schema names: sections, and what they hold."""
    yield from _below((), resolved(_whole()))


def _below(pointer: Pointer, schema: Schema) -> Iterator[Field]:
    for name, child in children(schema).items():
        at = (*pointer, name)
        if at[:1] == ("targets",) and at[2:] and at[2] in OVERRIDABLE:
            continue
        target = str(at[1]) if at[:1] == ("targets",) and at[1:] else None
        yield Field(at, child, target)
        if at != ("environments",):
            yield from _below(at, child)
