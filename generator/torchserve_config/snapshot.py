"""`model_snapshot` and `models` of a config.properties: what TorchServe starts models with.

TorchServe stops at broken JSON, and at what is missing of a model of the snapshot, and takes the
rest in silence: unknown fields, wrong counts, batches of 0.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Generator, Iterator, Mapping

from generator.torchserve_config.values import Fault, fault, table

Fields = Mapping[str, object]
_SMALLEST_DELAY = 1  # milliseconds
_BROKEN, _IGNORED, _CONTRADICTS = "broken-models", "ignored-field", "contradicting-fields"


def faults(text: str) -> Iterator[Fault]:
    """Yield what is wrong with a snapshot."""
    snapshot = yield from _read("model_snapshot", text)
    if snapshot is not None:
        known = table()
        yield from _fields(snapshot, known.snapshot, known.snapshot_required, "`model_snapshot`")
        yield from _counted(snapshot.get("models"), snapshot.get("modelCount"))
        yield from _models(snapshot.get("models", {}), known.model_required)


def model_faults(text: str) -> Iterator[Fault]:
    """Yield what is wrong with `models`, which says only what it likes of each model."""
    models = yield from _read("models", text)
    if models is not None:
        yield from _models(models, ())


def batch_sizes(text: str) -> dict[str, int]:
    """The largest batch of each model of a snapshot that has no faults."""
    models = json.loads(text)["models"]
    return {
        name: max(entry["batchSize"] for entry in versions.values())
        for name, versions in models.items()
    }


def _read(key: str, text: str) -> Generator[Fault, None, dict[str, object] | None]:
    """The map of a key, or None and why there is none."""
    try:
        given = json.loads(text, object_pairs_hook=_map)
    except (ValueError, RecursionError) as error:
        yield Fault(f"`{key}` is no JSON: {error}", rule=_BROKEN)
        return None
    if not isinstance(given, dict):
        yield Fault(f"`{key}` is no map", rule=_BROKEN)
        return None
    return given


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
            text = f"{owner} has no field `{field}`: TorchServe ignores it"
            yield Fault(text, hint, _IGNORED, "warning")
        elif types[field] != "models" and (wrong := _wrong(field, value, types[field], owner)):
            yield wrong
    for field in required:
        if field not in given:
            yield Fault(f"{owner} lacks `{field}`", rule=_BROKEN)


def _wrong(field: str, value: object, wanted: str, owner: str) -> Fault | None:
    """What is wrong with a field's value: texts are JSON strings, all else is not."""
    name = f"`{field}` of {owner}"
    if wanted.startswith(("text", "archive", "one")):
        return fault(name, value, wanted) if isinstance(value, str) else Fault(f"{name} is no text")
    return fault(name, json.dumps(value), wanted)


def _counted(given: object, count: object) -> Iterator[Fault]:
    if isinstance(given, dict) and isinstance(count, int) and count != len(given):
        text = f"`modelCount` of `model_snapshot` is {count}, and it has {len(given)} models"
        if count:
            yield Fault(text, f"write {len(given)}", _IGNORED, "warning")
        else:  # the one count that TorchServe minds
            yield Fault(f"{text}: none starts", f"write {len(given)}", _CONTRADICTS)


def _models(given: object, required: tuple[str, ...]) -> Iterator[Fault]:
    if not isinstance(given, dict):
        yield Fault("`models` of `model_snapshot` is no map", rule=_BROKEN)
        return
    for name, versions in given.items():
        if isinstance(versions, dict) and versions:
            yield from _versions(name, versions, required)
        else:
            yield Fault(f"model `{name}` has no version", rule=_BROKEN)


def _versions(name: str, versions: Fields, required: tuple[str, ...]) -> Iterator[Fault]:
    defaults = 0
    for version, entry in versions.items():
        owner = f"model `{name}` {version}"
        if not isinstance(entry, dict):
            yield Fault(f"{owner} is no map", rule=_BROKEN)
            continue
        defaults += entry.get("defaultVersion") is True
        wrong = list(_fields(entry, table().model, required, owner))
        yield from wrong
        if not any(fault.severity == "error" for fault in wrong):
            yield from _contradictions(entry, owner)
    if defaults > 1 or (required and not defaults):
        text = f"model `{name}` has {defaults or 'no'} default versions"
        yield Fault(text, "let one have it", _CONTRADICTS)


def _contradictions(entry: Mapping[str, int], owner: str) -> Iterator[Fault]:
    """What fields that are each right say of one another."""
    low, high = entry.get("minWorkers", 0), entry.get("maxWorkers")
    if high is not None and low > high:
        text = f"{owner} has minWorkers {low} above maxWorkers {high}"
        yield Fault(text, rule=_CONTRADICTS)
    # Of requests that wait it takes one beside the first, and then the delay is over.
    delay = entry.get("maxBatchDelay", _SMALLEST_DELAY)
    if entry.get("batchSize", 1) > 2 and delay < _SMALLEST_DELAY:
        text = f"{owner} with maxBatchDelay 0 batches two requests at most"
        yield Fault(text, f"let it wait {_SMALLEST_DELAY} ms", _CONTRADICTS)
