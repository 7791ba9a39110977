"""What of a team file counts for a spec: nothing of targets and environments not named there."""

import copy
import re
from collections.abc import Collection, Iterator
from typing import Any

from generator.document import Document, Pointer
from generator.views import OVERRIDABLE

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]*")


def counting(team: Document, spec: Document) -> Document:
    """The part of a team file that counts for a spec, as it would stand in that."""
    data = {key: value for key, value in team.data.items() if key not in _OF_THE_FILE}
    places = dict(team.places)
    named = _maps(spec.data, "targets", bare=True)
    own = _maps(team.data, "targets")
    if kept := {name: value for name, value in own.items() if name in named}:
        data["targets"] = kept
    environments: dict[str, Any] = {}  # Any: YAML is recursive
    for name, layer in _maps(spec.data, "environments", bare=True).items():
        environments[name] = _environment(team, name, layer, named)
        for target in _maps(layer, "targets"):
            if target not in named and target in own:
                _move(team, target, name, layer, environments[name], places)
    if any(environments.values()):
        data["environments"] = {name: value for name, value in environments.items() if value}
    data = copy.deepcopy(data)
    _add_name(data, spec.data.get("name"))
    return Document(spec.folder, data, {at: p for at, p in places.items() if _stands(data, at)})


_OF_THE_FILE = ("defaults_version", "targets", "environments")


def _maps(data: dict[str, Any], key: str, *, bare: bool = False) -> dict[str, dict[str, Any]]:
    """The maps of a map of maps; `bare`: nothing counts as an empty one."""
    held = data.get(key)
    items = held.items() if isinstance(held, dict) else ()
    whole = {name: {} if bare and value is None else value for name, value in items}
    return {name: value for name, value in whole.items() if isinstance(value, dict)}


def _environment(
    team: Document, name: str, layer: dict[str, Any], named: Collection[str]
) -> dict[str, Any]:
    """What a team file says for an environment of the spec, and for the targets named in it."""
    shared = _maps(team.data, "environments").get(name, {})
    kept = {key: value for key, value in shared.items() if key != "targets"}
    held, own = shared.get("targets"), layer.get("targets")
    wanted = {*named, *(own if isinstance(own, dict) else ())}
    targets = held if isinstance(held, dict) else {}
    if of_targets := {target: value for target, value in targets.items() if target in wanted}:
        kept["targets"] = of_targets
    return kept


def _move(
    team: Document,
    target: str,
    environment: str,
    layer: dict[str, Any],
    shared: dict[str, Any],
    places: dict[Pointer, Any],
) -> None:
    """Put what is said for a target into the only layer that names it, below all that stands there.

    In the project's layer it would add the target to every environment.
    """
    moved = dict(_maps(team.data, "targets")[target])
    for over in (layer, shared):
        moved = {
            key: _without(value, over[key]) if key in OVERRIDABLE and key in over else value
            for key, value in moved.items()
        }
        moved = {key: value for key, value in moved.items() if value not in (_NOTHING, {})}
    at: Pointer = ("environments", environment, "targets", target)
    for source in [p for p in team.places if p[:2] == ("targets", target)]:
        places.setdefault((*at, *source[2:]), team.places[source])
    places.setdefault(at[:3], team.places[("targets",)])
    held = shared.setdefault("targets", {})
    shared["targets"] = held | {target: _over(held.get(target) or {}, moved)}


_NOTHING = object()


def _without(value: object, over: object) -> object:
    """A value without what another layer says too."""
    if not isinstance(value, dict) or not isinstance(over, dict):
        return _NOTHING
    left = {key: _without(each, over[key]) if key in over else each for key, each in value.items()}
    return {key: each for key, each in left.items() if each is not _NOTHING}


def _over(top: dict[str, Any], below: dict[str, Any]) -> dict[str, Any]:
    """Two maps, of which the first wins."""
    both = {key for key in top if isinstance(top[key], dict) and isinstance(below.get(key), dict)}
    return {**below, **top, **{key: _over(top[key], below[key]) for key in both}}


def _add_name(data: dict[str, Any], name: object) -> None:
    """Give each project a folder of its own below a storage that many have."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return
    for layer in layers(data):
        storage = layer.get("storage")
        if isinstance(storage, dict) and isinstance(storage.get("uri"), str):
            storage["uri"] = f"{storage['uri'].rstrip('/')}/{name}"


def layers(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The maps of a team file or a spec that hold sections."""
    for layer in (data, *_maps(data, "environments").values()):
        yield layer
        yield from _maps(layer, "targets").values()


def _stands(data: object, at: Pointer) -> bool:
    """Whether what stands at a pointer was not left out; inside a list nothing is."""
    for key in at:
        if not isinstance(data, dict):
            return True
        if key not in data:
            return False
        data = data[key]
    return True
