"""The model-config.yaml of a model archive, held against what TorchServe 0.12 makes of it.

TorchServe logs a value that it cannot use, and takes its own. What else stands in the file is the
handler's, so that an unknown key is no mistake, unless it is one of TorchServe's but for its case.
https://github.com/pytorch/serve/blob/v0.12.0/model-archiver/README.md#config-file
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from generator.objectmeta import Refusal

AREA = "model-config-yaml"
_Path = tuple[str | int, ...]


class _Count(Struct, frozen=True):
    """A whole number and the least that TorchServe takes."""

    least: int


# The keys of ModelConfig.build and TorchRun.build, org.pytorch.serve.archive.model.ModelConfig.
_KEYS: Mapping[str, _Count | tuple[str, ...] | type] = {
    "minWorkers": _Count(0),
    "maxWorkers": _Count(0),
    "batchSize": _Count(1),
    "maxBatchDelay": _Count(0),
    "responseTimeout": _Count(1),
    "startupTimeout": _Count(1),
    "deviceType": ("cpu", "gpu"),
    "parallelType": ("pp", "tp", "pptp", "custom"),
    "parallelLevel": _Count(1),
    "deviceIds": list,
    "torchrun": dict,
    "asyncCommunication": bool,
    "continuousBatching": bool,
    "sequenceBatching": bool,
    "useJobTicket": bool,
    "useVenv": bool,
}
_TORCHRUN = {"nnodes": _Count(1), "nproc-per-node": _Count(1)}
_LARGEST = 2**31 - 1


def refusals(config: Mapping[object, object]) -> Iterator[Refusal]:
    """Yield what TorchServe would not use of a model-config.yaml, and where it stands."""
    for key, value in config.items():
        if key in _KEYS:
            yield from _wrong(str(key), value, _KEYS[str(key)], (str(key),))
        elif isinstance(key, str) and (meant := _of_another_case(key)):
            text = f"TorchServe does not read `{key}`"
            yield _warned((key,), text, f"write `{meant}`", "key-of-another-case")
    torchrun = config.get("torchrun")
    if isinstance(torchrun, Mapping):
        for key, wanted in _TORCHRUN.items():
            if key in torchrun:
                name = f"torchrun.{key}"
                yield from _wrong(name, torchrun[key], wanted, ("torchrun", key))
    yield from _contradictions(config)


def _wrong(
    name: str, value: object, wanted: _Count | tuple[str, ...] | type, path: _Path
) -> Iterator[Refusal]:
    if isinstance(wanted, _Count):
        if not _is_count(value) or not wanted.least <= int(str(value)) <= _LARGEST:
            yield _refused(name, value, f"a whole number from {wanted.least}", path)
    elif isinstance(wanted, tuple):
        if not isinstance(value, str) or value.lower() not in ("", *wanted):
            yield _refused(name, value, " or ".join(wanted), path)
    elif not isinstance(value, wanted):
        meant = {list: "a list of whole numbers", dict: "a map", bool: "true or false"}[wanted]
        yield _refused(name, value, meant, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if not _is_count(item):
                yield _refused(name, item, "a list of whole numbers", (*path, index))


def _refused(name: str, value: object, meant: str, path: _Path) -> Refusal:
    shown = str(value) if isinstance(value, (str, int, float)) else type(value).__name__
    text = f"`{name}` takes {meant}, not `{shown[:60]}`: TorchServe takes its default"
    return _warned(path, text, "", "value-of-another-type")


def _contradictions(config: Mapping[object, object]) -> Iterator[Refusal]:
    low, high = config.get("minWorkers"), config.get("maxWorkers")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        text = f"minWorkers {low} is above maxWorkers {high}"
        yield Refusal(("minWorkers",), text, rule=f"{AREA}/contradicting-fields")


def _of_another_case(key: str) -> str:
    """The key of TorchServe's that one is but for its case."""
    return next((known for known in _KEYS if known.lower() == key.lower()), "")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _warned(path: _Path, message: str, hint: str, rule: str) -> Refusal:
    return Refusal(path, message, hint, f"{AREA}/{rule}", "warning")
