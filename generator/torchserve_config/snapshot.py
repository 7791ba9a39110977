"""The `model_snapshot` of a config.properties: the models that TorchServe starts with.

TorchServe stops at broken JSON and at what is missing of a model, and takes the rest in silence:
unknown fields, wrong counts, batches of 0.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping

from generator.torchserve_config.values import Fault, fault, table

Fields = Mapping[str, object]
_SMALLEST_DELAY = 1  # milliseconds


def faults(text: str) -> Iterator[Fault]:
    """Yield what is wrong with a snapshot."""
    try:
        snapshot = json.loads(text, object_pairs_hook=_map)
    except (ValueError, RecursionError) as error:
        yield Fault(f"`model_snapshot` is no JSON: {error}")
        return
    if not isinstance(snapshot, dict):
        yield Fault("`model_snapshot` is no map")
        return
    known = table()
    yield from _fields(snapshot, known.snapshot, known.snapshot_required, "`model_snapshot`")
    yield from _models(snapshot.get("models", {}), snapshot.get("modelCount"))


def batch_sizes(text: str) -> dict[str, int]:
    """The largest batch of each model of a snapshot that has no faults."""
    models = json.loads(text)["models"]
    return {
        name: max(entry["batchSize"] for entry in versions.values())
        for name, versions in models.items()
    }


def _map(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A map of JSON; raises ValueError where a key stands twice, of which Java keeps one."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"`{doubled}` stands twice in a map")
    return made


def _fields(
    given: Fields, types: Mapping[str, str], required: tuple[str, ...], owner: str
) -> Iterator[Fault]:
    for field, value in given.items():
        if field not in types:
            near = difflib.get_close_matches(field, types, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "leave it out"
            yield Fault(f"{owner} has no field `{field}`: TorchServe ignores it", hint)
        elif types[field] != "models" and (wrong := _wrong(field, value, types[field], owner)):
            yield wrong
    for field in required:
        if field not in given:
            yield Fault(f"{owner} lacks `{field}`")


def _wrong(field: str, value: object, wanted: str, owner: str) -> Fault | None:
    """What is wrong with a field's value: texts are JSON strings, all else is not."""
    name = f"`{field}` of {owner}"
    if wanted.startswith(("text", "archive", "one")):
        return fault(name, value, wanted) if isinstance(value, str) else Fault(f"{name} is no text")
    return fault(name, json.dumps(value), wanted)


def _models(given: object, count: object) -> Iterator[Fault]:
    if not isinstance(given, dict):
        yield Fault("`models` of `model_snapshot` is no map")
        return
    if isinstance(count, int) and count != len(given):
        text = f"`modelCount` of `model_snapshot` is {count}, and it has {len(given)} models"
        yield Fault(text, f"write {len(given)}")
    for name, versions in given.items():
        if isinstance(versions, dict) and versions:
            yield from _versions(name, versions)
        else:
            yield Fault(f"model `{name}` has no version")


def _versions(name: str, versions: Fields) -> Iterator[Fault]:
    defaults = 0
    for version, entry in versions.items():
        owner = f"model `{name}` {version}"
        if not isinstance(entry, dict):
            yield Fault(f"{owner} is no map")
            continue
        defaults += entry.get("defaultVersion") is True
        wrong = list(_fields(entry, table().model, table().model_required, owner))
        yield from wrong or _contradictions(entry, owner)
    if defaults != 1:
        yield Fault(f"model `{name}` has {defaults or 'no'} default versions", "let one have it")


def _contradictions(entry: Mapping[str, int], owner: str) -> Iterator[Fault]:
    """What fields that are each right say of one another."""
    low, high = entry["minWorkers"], entry["maxWorkers"]
    if low > high:
        yield Fault(f"{owner} has minWorkers {low} above maxWorkers {high}")
    # Of requests that wait it takes one beside the first, and then the delay is over.
    if entry["batchSize"] > 2 and entry["maxBatchDelay"] < _SMALLEST_DELAY:
        text = f"{owner} with maxBatchDelay 0 batches two requests at most"
        yield Fault(text, f"let it wait {_SMALLEST_DELAY} ms")
