"""Sections that a team file only begins: they count once the spec completes them.

A team file may say `images.registry` for all and leave `tag` to each spec. A spec that has no use
for images says nothing of them, and is not to fail for the lack of a tag.
"""

from generator import schema
from generator.document import Document, Pointer
from generator.schema import Schema


def without_beginnings(document: Document) -> Document:
    """The document without maps that lack a required key and of which its spec says nothing."""
    spec = document.place(()).text
    if all(place.text is spec for place in document.places.values()):
        return document
    own = {
        at[:depth]
        for at, place in document.places.items()
        if place.text is spec
        for depth in range(1, len(at) + 1)
    }
    shape = schema.read(schema.project_schema())
    begun: set[Pointer] = set()
    data = _completed(document.data, shape, (), own, begun)
    places = {
        at: place
        for at, place in document.places.items()
        if not any(at[:depth] in begun for depth in range(1, len(at) + 1))
    }
    return Document(document.folder, data, places)


def _completed(
    data: dict[str, object], shape: Schema, at: Pointer, own: set[Pointer], begun: set[Pointer]
) -> dict[str, object]:
    """The data without what is only begun; notes the pointers of that."""
    result: dict[str, object] = {}
    for key, value in data.items():
        here, below = (*at, key), _resolved(shape.get("properties", {}).get(key, {}))
        if not isinstance(value, dict):
            result[key] = value
            continue
        if here not in own and not set(below.get("required", ())) <= set(value):
            begun.add(here)
            continue
        result[key] = _completed(value, below, here, own, begun)
    return result


def _resolved(shape: Schema) -> Schema:
    while "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        shape = schema.read(schema.project_schema())["definitions"][name]
    return shape
