"""Where two states of an object differ, as people speak of fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from generator.document import Pointer
from generator.live_cluster.parts import Json, mapping

# Written by the server or by whoever applies, and no part of what is wanted.
_SERVERS: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
# Argo CD notes on what it applies which Application it belongs to: no render holds that.
_APPLIERS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
)
_TRACKING_LABEL: Final = "app.kubernetes.io/instance"
ABSENT: Final = object()
ELEMENT: Final = "\0"
"""Stands before the name of an element of a list, which no key of a map can begin with."""


@dataclass(frozen=True)
class Difference:
    """A field; `live` or `rendered` is ABSENT where it is not there.

    In `path` a text is a key of a map, or the name of an element of a list.
    """

    path: Pointer
    live: object
    rendered: object

    @property
    def field(self) -> str:
        """The path as people write it: `spec.containers[name].image`."""
        steps = (f".{s}" if _is_plain(s) else f"[{s}]" for s in self.path)
        return "".join(steps).replace(ELEMENT, "").removeprefix(".")


def _is_plain(step: str | int) -> bool:
    return isinstance(step, str) and not {".", "/", ELEMENT} & set(step)


def wanted_part(held: Json) -> Json:
    """An object without its status and what the server keeps about it."""
    metadata = {
        key: value for key, value in mapping(held, "metadata").items() if key not in _SERVERS
    }
    for name, theirs in (("annotations", _APPLIERS), ("labels", (_TRACKING_LABEL,))):
        noted = mapping(metadata.pop(name, {}))
        if own := {key: value for key, value in noted.items() if key not in theirs}:
            metadata[name] = own
    rest = {key: value for key, value in held.items() if key not in ("status", "metadata")}
    return {**rest, "metadata": metadata}


def differences(live: object, rendered: object, at: Pointer = ()) -> Iterator[Difference]:
    """The smallest fields that differ; elements of a list go by their name where all have one."""
    if isinstance(live, Mapping) and isinstance(rendered, Mapping):
        yield from _of_maps(live, rendered, at)
    elif isinstance(live, list) and isinstance(rendered, list):
        yield from _of_lists(live, rendered, at)
    elif live is not rendered and (live != rendered or type(live) is not type(rendered)):
        yield Difference(at, live, rendered)


def _of_maps(live: Json, rendered: Json, at: Pointer) -> Iterator[Difference]:
    for key in dict.fromkeys((*live, *rendered)):
        yield from differences(live.get(key, ABSENT), rendered.get(key, ABSENT), (*at, key))


def _of_lists(live: list[object], rendered: list[object], at: Pointer) -> Iterator[Difference]:
    there, here = _by_name(live), _by_name(rendered)
    if there is not None and here is not None:
        yield from _of_maps(there, here, at)
        return
    if all(not isinstance(item, (Mapping, list)) for item in (*live, *rendered)):
        if live != rendered:
            yield Difference(at, live, rendered)
        return
    for index in range(max(len(live), len(rendered))):
        left = live[index] if index < len(live) else ABSENT
        right = rendered[index] if index < len(rendered) else ABSENT
        yield from differences(left, right, (*at, index))


def value_at(held: object, path: Pointer) -> object:
    """What stands at the path of a difference, ABSENT where there is nothing."""
    for step in path:
        if isinstance(held, list):
            named = _by_name(held)
            if isinstance(step, int):
                held = held[step] if step < len(held) else ABSENT
            else:
                held = (named or {}).get(step, ABSENT)
        else:
            held = mapping(held).get(str(step), ABSENT)
    return held


def _by_name(items: list[object]) -> dict[str, object] | None:
    """The elements by their names, None where not all have one of their own."""
    named: dict[str, object] = {}
    for item in items:
        name = mapping(item).get("name")
        if not isinstance(name, str) or name in named:
            return None
        named[f"{ELEMENT}{name}"] = item
    return named
