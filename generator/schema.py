"""Hold data against the project's JSON Schemas and say what is wrong in the words of the spec."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from generator.diagnostics import shown
from generator.document import Document, Pointer
from generator.problem import Problem, did_you_mean
from generator.shapes import KEYWORDS, Dialect, Shape, Unsure, searcher, shape
from generator.shipped import shipped

PROJECT = "project.schema.json"
Schema = dict[str, Any]  # Any: JSON Schema is recursive JSON


@cache
def read(path: Path) -> Schema:
    """A JSON Schema file; the same object each time, not to be changed."""
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def project_schema() -> Path:
    """The schema of specs; targets' options are held against schemas of their own."""
    return shipped("schemas") / PROJECT


def problems(
    schema: Path, document: Document, at: Pointer = (), also: Iterable[str] = ()
) -> Iterator[Problem]:
    """Everything the schema refuses in the value at a pointer of the document.

    `also` are keys that can stand there besides the schema's, to name them in hints.
    """
    data: Any = document.data
    for key in at:
        data = data[key]
    if not _shape(schema)(data):
        yield from _problems(_validator(schema), data, document, at, also)


def problems_in(schema: Schema, document: Document) -> Iterator[Problem]:
    """`problems` of a whole document by a schema that is in no file."""
    if not shape(schema, _dialect(schema))(document.data):
        yield from _problems(_made(schema), document.data, document)


def _problems(
    validator: Any,  # Any: as _validator
    data: object,
    document: Document,
    at: Pointer = (),
    also: Iterable[str] = (),
) -> Iterator[Problem]:
    leaves = [leaf for error in validator.iter_errors(data) for leaf in _leaves(error)]
    of_wrong_type = {tuple(leaf.absolute_path) for leaf in leaves if leaf.validator == "type"}
    for leaf in leaves:
        path = tuple(leaf.absolute_path)
        if leaf.validator == "type" or path not in of_wrong_type:
            yield _explained(leaf, document, (*at, *path), also if len(path) == 1 else ())


@cache
def _shape(schema: Path) -> Shape:
    return shape(read(schema), _dialect(read(schema)))


def _dialect(root: Schema) -> Dialect:
    """How `_made` reads a schema, for the fast yes or no."""

    def referred(reference: str) -> tuple[Schema, Dialect]:
        file, _, name = str(reference).partition("#/definitions/")
        named = read(project_schema()) if file == PROJECT else root
        if file not in ("", PROJECT) or name not in named.get("definitions", {}):
            raise Unsure
        return named["definitions"][name], _dialect(named)

    return Dialect(_is_integer, _search, referred, KEYWORDS)


@cache
def _validator(schema: Path) -> Any:  # Any: jsonschema makes its validator classes at run time
    return _made(read(schema))


def _made(schema: Schema) -> Any:  # Any: as above
    import jsonschema
    import referencing.jsonschema

    resource = referencing.jsonschema.DRAFT7.create_resource(read(project_schema()))
    registry: Any = referencing.Registry().with_resource(PROJECT, resource)
    keywords = {
        "pattern": _pattern,
        "additionalProperties": _additional_properties,
        "required": _required,
    }
    types = jsonschema.Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _checker, instance: _is_integer(instance)
    )
    exact = jsonschema.validators.extend(jsonschema.Draft7Validator, keywords, type_checker=types)
    return exact(schema, registry=registry)


def _is_integer(instance: object) -> bool:
    """JSON Schema takes 1.0 for an integer, and rendered code would say 1.0."""
    return isinstance(instance, int) and not isinstance(instance, bool)


def _pattern(_validator: Any, pattern: str, instance: object, _schema: Schema) -> Iterator[Any]:
    import jsonschema

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield jsonschema.ValidationError("pattern")


def _matches(pattern: str, text: str) -> bool:
    return _search(pattern)(text) is not None


_search = cache(searcher)
"""What looks for a pattern as ECMA does, but with Python's classes."""


def _additional_properties(
    validator: Any, allowed: Any, instance: object, schema: Schema
) -> Iterator[Any]:
    """Blames each unknown key, where jsonschema blames their parent."""
    import jsonschema

    for key in instance if isinstance(instance, dict) else ():
        if key in schema.get("properties", {}):
            continue
        if allowed is False:
            yield jsonschema.ValidationError("unknown key", path=[key])
        elif isinstance(allowed, dict):
            yield from validator.descend(instance[key], allowed, path=key)  # type: ignore[index]  # a dict, see above


def _required(_validator: Any, keys: list[str], instance: object, _schema: Schema) -> Iterator[Any]:
    """Blames the map once for each key that it lacks; the message is the key."""
    import jsonschema

    for key in keys if isinstance(instance, dict) else ():
        if key not in instance:  # type: ignore[operator]  # a dict, see above
            yield jsonschema.ValidationError(key)


def _leaves(error: Any) -> Iterator[Any]:
    """Of alternatives, the errors of the one that the value was meant to be."""
    if error.validator != "anyOf":
        yield error
        return
    branches: dict[int, list[Any]] = {}
    for child in error.context:
        branches.setdefault(child.schema_path[0], []).append(child)
    meant = [b for b in branches.values() if not any(_is_of_another_type(child) for child in b)]
    for child in meant[0] if meant else [error]:
        if child is error:
            yield error
        else:
            yield from _leaves(child)


def _is_of_another_type(error: Any) -> bool:
    of_type = error.validator == "type"
    of_enum = error.validator == "enum" and not isinstance(error.instance, str)
    return not error.relative_path and (of_type or of_enum)


def _explained(error: Any, document: Document, pointer: Pointer, also: Iterable[str]) -> Problem:
    value, limit, schema = error.instance, error.validator_value, error.schema
    if "propertyNames" in error.schema_path:
        return Problem((*pointer, value), _not_what_it_says(value, schema), at_key=True)
    match error.validator:
        case "additionalProperties":
            key = pointer[-1]
            known = [*schema.get("properties", {}), *also]
            right = only_spelling(str(key), known)
            fix = right if right not in value and _is_key(str(key), pointer, document) else None
            message = f"unknown {schema.get('x-key', 'key')} `{shown(key)}`"
            hint = did_you_mean(right or str(key), known)
            return Problem(pointer, message, hint, at_key=True, fix=fix)
        case "required":
            missing = error.message
            told = _description(schema.get("properties", {}).get(missing, {}))
            hint = f"add `{missing}:`" + (f", {_first_sentence(told)}" if told else "")
            removed = (*pointer, missing)  # a null above has taken it away
            at = removed if removed in document.places else pointer
            return Problem(at, f"`{missing}` is missing", hint, at_key=True)
        case "type" | "anyOf":
            return _wrong_type(value, limit, schema, document, pointer)
        case "enum":
            found = _not_one_of(value, [str(word) for word in limit], schema, pointer)
            words = [word for word in limit if isinstance(word, str)]
            return _with_word(found, value, words, schema, document)
        case "const":
            only = json.dumps(limit)
            return Problem(pointer, f"`{shown(value)}` is not {only}", f"write {only}")
        case "pattern":
            return Problem(pointer, _not_what_it_says(value, schema))
        case "uniqueItems":
            index = next(i for i, item in enumerate(value) if item in value[:i])
            message = f"`{shown(value[index])}` stands twice in this list"
            return Problem((*pointer, index), message, "keep one of the two")
    hint = schema.get("x-hint", "")
    return Problem(pointer, _beyond_limit(error.validator, value, limit), hint)


def _not_what_it_says(value: object, schema: Schema) -> str:
    says = schema.get("x-says", "of the form that is needed here")
    return f"{'an empty text' if value == '' else f'`{shown(value)}`'} is not {says}"


def _not_one_of(value: object, words: list[str], schema: Schema, pointer: Pointer) -> Problem:
    """A choice's words are few and all told; of operations the nearest is."""
    noun = schema.get("x-key", "value")
    if not isinstance(value, str):
        return Problem(pointer, f"`{shown(value)}` is none of {', '.join(words)}")
    if value in schema.get("x-with-arguments", ()):
        hint = f"it takes arguments: `{value}: ...`"
    elif "x-key" in schema:
        hint = did_you_mean(value, [*words, *schema.get("x-with-arguments", ())])
    else:
        hint = f"known here: {', '.join(words)}"
    return Problem(pointer, f"unknown {noun} `{shown(value)}`", hint)


def _with_word(
    problem: Problem, value: object, words: list[str], schema: Schema, document: Document
) -> Problem:
    """The problem with the word that was meant, where only one can be."""
    if not isinstance(value, str):
        return problem
    renamed = {_letters(old): word for old, word in schema.get("x-renamed", {}).items()}
    meant: str | None = renamed.get(_letters(value)) or only_spelling(value, words)
    if meant is None:
        return problem
    place = document.place(problem.pointer)
    fix = meant if place.is_plain or place.is_quoted else None
    return replace(problem, hint=f"write `{meant}`", fix=fix)


def only_spelling(word: str, known: Iterable[str]) -> str | None:
    """The one known word that differs in case, hyphens and underscores alone."""
    alike = [other for other in known if _letters(other) == _letters(word) and other != word]
    return alike[0] if len(alike) == 1 else None


def _letters(word: str) -> str:
    return re.sub("[-_ ]", "", word).lower()


def _is_key(key: str, pointer: Pointer, document: Document) -> bool:
    """Whether the key stands at its place as it is, and not by way of an anchor or a merge."""
    place = document.places.get(pointer)
    if place is None or place.key is None:
        return False
    return place.text.at_span(place.key).strip("\"'") == key


def _description(schema: Schema) -> str:
    """What a property is, also where a definition says it."""
    while "$ref" in schema and "description" not in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = read(project_schema())["definitions"].get(name, {})
    return str(schema.get("description", ""))


def _beyond_limit(keyword: str, value: Any, limit: object) -> str:
    told = {
        "minimum": f"{shown(value)} is less than {limit}",
        "exclusiveMinimum": f"{shown(value)} is not above {limit}",
        "maximum": f"{shown(value)} is more than {limit}",
        "maxLength": f"{{}} characters are more than the {limit} allowed here",
        "minItems": f"{{}} items are fewer than the {limit} needed here",
        "maxItems": f"{{}} items are more than the {limit} allowed here",
        "minProperties": f"{{}} keys are fewer than the {limit} needed here",
        "maxProperties": f"{{}} keys are more than the {limit} allowed here",
    }
    size = len(value) if isinstance(value, str | list | dict) else 0
    if size == 0 and keyword in ("minItems", "minProperties"):
        return "nothing stands in here"
    return told.get(keyword, f"`{shown(value)}` does not fit here").replace("{}", str(size))


TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _wrong_type(
    value: object, limit: Any, schema: Schema, document: Document, pointer: Pointer
) -> Problem:
    names = [limit] if isinstance(limit, str) else limit
    expected = schema.get("x-says") or " or ".join(TYPES[name] for name in names)
    if value is None:
        return Problem(pointer, f"nothing stands here; expected {expected}", at_key=True)
    place = document.place(pointer)
    written = place.written
    if names == ["string"] and isinstance(value, int | float) and written is not None:
        if not _fits(written, schema):
            return Problem(pointer, _not_what_it_says(written, schema))
        kind = "a boolean" if isinstance(value, bool) else "a number"
        quoted = f'"{written}"'
        fix = quoted if place.is_plain else None
        return Problem(pointer, f"`{written}` is {kind} in YAML", f"quote it: {quoted}", fix=fix)
    message = f"expected {expected}, found {_found(value, written)}"
    meant = _UNQUOTED.get(names[0], _NEVER) if isinstance(names[0], str) else _NEVER
    if isinstance(value, str) and place.is_quoted and meant(value):
        return Problem(pointer, message, f"write it without quotes: {value}", fix=value)
    return Problem(pointer, message)


_NEVER: Callable[[str], object] = re.compile(r"(?!)").fullmatch
_UNQUOTED: dict[str, Callable[[str], object]] = {
    "boolean": re.compile(r"true|false").fullmatch,
    "integer": re.compile(r"0|-?[1-9][0-9]{0,18}").fullmatch,
}
"""Texts that are, without their quotes, what a type wants."""


def _found(value: object, written: str | None) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a map"
    return f"text `{shown(value)}`" if isinstance(value, str) else shown(written or value)


def _fits(text: str, schema: Schema) -> bool:
    return "pattern" not in schema or _matches(schema["pattern"], text)


def _first_sentence(text: str) -> str:
    head = re.split(r"[.;:] ", text + " ", maxsplit=1)[0].rstrip(".;: ")
    return head[:1].lower() + head[1:]
