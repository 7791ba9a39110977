"""A compose.yaml held against the Compose Specification: keys and types, and what a service needs.

https://github.com/compose-spec/compose-spec
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple  # Any: what YAML holds

from generator.document import Pointer
from generator.shipped import shipped

_SCALARS: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}
_ANY = "any"
_OURS = "x-"  # keys that anybody may use
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?[-?+][^{}]*)?\}")
_PORT = re.compile(
    r"(?:[0-9a-zA-Z.]+:|\[[0-9a-fA-F:]+\]:)?(?:[0-9]+(?:-[0-9]+)?)?:?[0-9]+(?:-[0-9]+)?(?:/(?:tcp|udp))?"
)


class Refusal(NamedTuple):
    """What docker compose would refuse at a place in the file."""

    path: Pointer
    message: str
    hint: str = ""


def refusals(compose: object) -> Iterator[Refusal]:
    """Everything that docker compose would refuse of a file's data."""
    if not isinstance(compose, dict):
        yield Refusal((), "a compose file is a map")
        return
    found = list(_checked((), compose, "Compose"))
    yield from found
    if not found:
        yield from _services(compose)


class Table(NamedTuple):
    """The types of the fields of each kind of map, and names for types of which one has to fit.

    A type is a scalar's, `list` or `map` of another, a kind of map, or several with | between.
    """

    types: Mapping[str, Mapping[str, str]]
    choices: Mapping[str, str]


@cache
def table() -> Table:
    """Load the committed table."""
    data = json.loads(shipped("schemas/compose.json").read_text(encoding="utf-8"))
    return Table(data["types"], data["choices"])


def _checked(path: Pointer, value: object, wanted: str) -> Iterator[Refusal]:
    """Yield what is wrong with a value that may be of several types."""
    wanted = table().choices.get(wanted, wanted)
    for choice in wanted.split("|"):
        if choice == _ANY:
            return
        kind, _, items = choice.partition(" ")
        if kind in table().types and isinstance(value, dict):
            yield from _map(path, value, kind)
        elif kind == "map" and isinstance(value, dict):
            for key, item in value.items():
                yield from _checked((*path, key), item, items)
        elif kind == "list" and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _checked((*path, index), item, items)
        elif not _is_scalar(value, kind):
            continue
        return
    yield Refusal(path, f"takes {_wording(wanted)}, not `{str(value)[:60]}`")


def _map(path: Pointer, value: Mapping[object, object], kind: str) -> Iterator[Refusal]:
    fields = table().types[kind]
    for key, item in value.items():
        name = str(key)
        if name in fields:
            yield from _checked((*path, name), item, fields[name])
        elif not name.startswith(_OURS):
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "leave it out"
            yield Refusal((*path, name), f"unknown field `{name}`", hint)


def _is_scalar(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return kind in _SCALARS and isinstance(value, _SCALARS[kind])


def _wording(wanted: str) -> str:
    return " or ".join(f"a {choice.split()[0].lower()}" for choice in wanted.split("|"))


def _services(compose: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield what services of the right shape lack or have wrong."""
    services = compose.get("services")
    if not services:
        yield Refusal((), "there are no `services`")
        return
    for name, service in services.items():
        path: Pointer = ("services", name)
        if "image" not in service and "build" not in service:
            yield Refusal(path, "a service has an `image`, a `build`, or both")
        for index, port in enumerate(service.get("ports", ())):
            if isinstance(port, str) and not _PORT.fullmatch(_VARIABLE.sub("1", port)):
                yield Refusal((*path, "ports", index), f"`{port}` is no published port")
        for other in service.get("depends_on", ()):
            if other not in services:
                yield Refusal((*path, "depends_on"), f"there is no service `{other}`")
