"""Parts of a JSON object whose shape nobody has vouched for."""

from collections.abc import Iterator, Mapping

from generator.document import Pointer

Json = Mapping[str, object]
"""An object as a server has sent it."""


def part(value: object, *path: str | int) -> object:
    """What stands at a path, None where there is nothing."""
    for step in path:
        if isinstance(step, int):
            is_there = isinstance(value, list) and -len(value) <= step < len(value)
            value = value[step] if is_there and isinstance(value, list) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def mapping(value: object, *path: str | int) -> Json:
    """The map at a path, empty where there is none."""
    found = part(value, *path)
    return found if isinstance(found, Mapping) else {}


def listed(value: object, *path: str | int) -> list[object]:
    """The list at a path, empty where there is none."""
    found = part(value, *path)
    return found if isinstance(found, list) else []


def text(value: object, *path: str | int) -> str:
    """The text at a path, empty where there is none."""
    found = part(value, *path)
    return found if isinstance(found, str) else ""


def number(value: object, *path: str | int) -> int:
    """The integer at a path, 0 where there is none."""
    found = part(value, *path)
    return found if isinstance(found, int) else 0


def walk(value: object, at: Pointer = ()) -> Iterator[tuple[Pointer, object]]:
    """Every value in a value with its place, itself first."""
    yield at, value
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from walk(held, (*at, str(key)))
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield from walk(held, (*at, index))
