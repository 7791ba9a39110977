"""Ensembles: models that only pass tensors from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from generator.model_config_rules.model import ENSEMBLE, Model, at, first, word
from generator.pbtxt import Message, Refusal, Scalar


class _Step(NamedTuple):
    """A step, and the tensors of the ensemble that it reads and writes."""

    place: Message
    reads: tuple[Scalar, ...]
    writes: tuple[Scalar, ...]


def schedule_outside_ensemble(model: Model) -> Iterator[Refusal]:
    """Triton refuses ensemble_scheduling on a platform other than ensemble [core]."""
    if not model.is_ensemble:
        for schedule in model.config.messages("ensemble_scheduling"):
            text = f"`ensemble_scheduling` needs platform `{ENSEMBLE}`"
            yield at(schedule, text, f'write `platform: "{ENSEMBLE}"`')


def ensemble_without_steps(model: Model) -> Iterator[Refusal]:
    """Triton refuses an ensemble that has no step [core]."""
    if model.is_ensemble and not any(_steps(model)):
        place = next(model.config.messages("ensemble_scheduling"), None)
        platform = first(model.config, "platform")
        yield at(place or platform or model.config, "an ensemble without `step`")


def backend_of_ensemble(model: Model) -> Iterator[Refusal]:
    """Triton refuses an ensemble that names a backend [core]."""
    if model.is_ensemble:
        for backend in model.config.scalars("backend"):
            if backend.text:
                text = f"backend `{backend.text}` does not serve platform `{ENSEMBLE}`"
                yield at(backend, text, "drop `backend`")


def instances_of_ensemble(model: Model) -> Iterator[Refusal]:
    """Triton refuses instance_group, optimization and model_warmup of an ensemble [core]."""
    if any(model.config.messages("ensemble_scheduling")):
        for field in ("instance_group", "optimization", "model_warmup"):
            for place in list(model.config.messages(field))[:1]:
                yield at(place, f"an ensemble takes no `{field}`", "set it on the models it calls")


def incomplete_step(model: Model) -> Iterator[Refusal]:
    """Triton refuses a step without a model, without inputs or without outputs [core].

    It refuses an entry without `value` too, as a tensor without a name that nothing writes or uses.
    """
    for step in _steps(model):
        if not word(step.place, "model_name"):
            yield at(step.place, "a step without `model_name`")
        for field in ("input_map", "output_map"):
            if not any(step.place.messages(field)):
                yield at(step.place, f"a step without `{field}`")
            for entry in step.place.messages(field):
                if not word(entry, "value"):
                    yield at(first(entry, "value") or entry, f"an `{field}` without `value`")


def ensemble_of_itself(model: Model) -> Iterator[Refusal]:
    """Triton refuses an ensemble that calls itself [ran]."""
    own = {model.text("name"), model.folder} - {"", None}
    for step in _steps(model):
        name = first(step.place, "model_name")
        if name is not None and name.text in own:
            yield at(name, f"ensemble `{name.text}` calls itself", "name another model")


def tensor_mapped_twice(model: Model) -> Iterator[Refusal]:
    """Protobuf keeps the last of two entries of one key and says nothing."""
    for step in _steps(model):
        for field in ("input_map", "output_map"):
            seen = set()
            for entry in step.place.messages(field):
                key = word(entry, "key")
                if key in seen:
                    yield at(first(entry, "key") or entry, f"`{key}` is mapped twice in `{field}`")
                seen.add(key)


def tensor_written_twice(model: Model) -> Iterator[Refusal]:
    """Triton refuses an ensemble in which two steps write one tensor [core]."""
    seen = set()
    for step in _steps(model):
        for name in step.writes:
            if name.text in seen:
                yield at(name, f"a second step writes `{name.text}`")
            seen.add(name.text)


def tensor_that_nothing_writes(model: Model) -> Iterator[Refusal]:
    """Triton refuses an ensemble whose steps or outputs wait for what nothing writes [core]."""
    steps, inputs = list(_steps(model)), _names(model, "input")
    written = {name.text for step in steps for name in step.writes} | set(inputs)
    missing = [name for step in steps for name in step.reads if name.text not in written]
    for name in missing:
        yield at(name, f"no step writes `{name.text}`, and it is no input")
    for name in _names(model, "output").values():
        if steps and name.text not in written:
            yield at(name, f"no step writes output `{name.text}`")
    ready = _ready(steps, inputs)
    for step in steps:
        if not missing and any(name.text not in ready for name in step.reads):
            yield at(step.place, "a step waits for what it leads to itself")
            return


def tensor_that_nothing_reads(model: Model) -> Iterator[Refusal]:
    """Triton refuses an ensemble that has inputs or writes tensors that nothing uses [core]."""
    steps, outputs = list(_steps(model)), _names(model, "output")
    read = {name.text for step in steps for name in step.reads}
    used = read | {name.text for step in steps for name in step.writes}
    for name in _names(model, "input").values():
        if steps and name.text not in used:
            yield at(name, f"no step reads input `{name.text}`")
    for step in steps:
        for name in step.writes:
            if name.text not in read and name.text not in outputs:
                yield at(name, f"`{name.text}` is written, and nothing uses it", "drop the entry")


def _steps(model: Model) -> Iterator[_Step]:
    for schedule in model.config.messages("ensemble_scheduling"):
        for step in schedule.messages("step"):
            yield _Step(step, _values(step, "input_map"), _values(step, "output_map"))


def _values(step: Message, field: str) -> tuple[Scalar, ...]:
    values = (first(entry, "value") for entry in step.messages(field))
    return tuple(value for value in values if value is not None and value.text)


def _names(model: Model, kind: str) -> dict[str, Scalar]:
    named = (first(tensor, "name") for tensor in model.config.messages(kind))
    return {name.text: name for name in named if name is not None}


def _ready(steps: list[_Step], inputs: Iterable[str]) -> set[str]:
    """The tensors that come about once the inputs are there."""
    waiting: dict[str, list[int]] = {}
    missing = [len({name.text for name in step.reads}) for step in steps]
    for index, step in enumerate(steps):
        for name in {name.text for name in step.reads}:
            waiting.setdefault(name, []).append(index)
    ready: set[str] = set()
    coming = [*inputs, *_written_by(step for step in steps if not step.reads)]
    while coming:
        name = coming.pop()
        if name in ready:
            continue
        ready.add(name)
        for index in waiting.get(name, ()):
            missing[index] -= 1
            if not missing[index]:
                coming += _written_by([steps[index]])
    return ready


def _written_by(steps: Iterable[_Step]) -> Iterator[str]:
    return (name.text for step in steps for name in step.writes)


RULES = (
    schedule_outside_ensemble,
    ensemble_without_steps,
    backend_of_ensemble,
    instances_of_ensemble,
    incomplete_step,
    ensemble_of_itself,
    tensor_mapped_twice,
    tensor_written_twice,
    tensor_that_nothing_writes,
    tensor_that_nothing_reads,
)
