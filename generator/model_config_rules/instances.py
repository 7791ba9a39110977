"""Instances of a model, and the requests that warm them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from generator.model_config import integer
from generator.model_config_rules.model import (
    Model,
    at,
    first,
    fits,
    ineffective,
    is_number,
    word,
)
from generator.pbtxt import Message, Refusal

_SOURCES = ("zero_data", "random_data", "input_data_file")
_WARM_UP_FOLDER = "warmup"


def instance_count_below_one(model: Model) -> Iterator[Refusal]:
    """Triton takes an instance count of 0 or less and starts its default number [ran]."""
    for group in model.config.messages("instance_group"):
        for count in group.scalars("count"):
            told = ineffective if integer(count) == 0 else at
            if integer(count) < 1:
                yield told(count, f"instance count {integer(count)} is below 1")


def gpus_without_gpu_kind(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load an instance group that lists GPUs and is of another kind [core]."""
    for group in model.config.messages("instance_group"):
        if (kind := word(group, "kind")) in ("KIND_CPU", "KIND_MODEL"):
            for gpu in list(group.scalars("gpus"))[:1]:
                yield at(gpu, f"`gpus` in an instance group of {kind}", "use KIND_GPU")


def warm_up_outside_maximum(model: Model) -> Iterator[Refusal]:
    """Triton refuses or crashes on a warm-up batch above its maximum, and skips 0 [ran]."""
    for warm_up in model.config.messages("model_warmup"):
        size = first(warm_up, "batch_size")
        if size is None:
            yield ineffective(warm_up, "`model_warmup` without `batch_size` is skipped")
        elif integer(size) == 0:
            yield ineffective(size, "warm-up batch 0 is skipped")
        elif integer(size) > max(1, model.maximum) and (model.maximum or not model.is_completed):
            text = f"warm-up batch {integer(size)} exceeds max_batch_size {model.maximum}"
            yield at(size, text)


def warm_up_without_input(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose warm-up leaves out an input [ran]."""
    optional = {
        word(tensor, "name")
        for tensor in model.config.messages("input")
        if word(tensor, "optional") in ("true", "True", "t", "1")
    }
    known = _inputs(model)
    for warm_up, inputs in _warm_ups(model):
        for name in known:
            if name not in inputs and name not in optional:
                yield at(warm_up, f"`model_warmup` without input `{name}`")


def warm_up_of_unknown_input(model: Model) -> Iterator[Refusal]:
    """Triton hands a warm-up input that no input is named like to the model unasked [ran].

    Controls of a sequence are given so, and no others.
    """
    known = _inputs(model)
    for sequences in model.config.messages("sequence_batching"):
        for field, name in (("control_input", "name"), ("state", "input_name")):
            known |= {word(entry, name): entry for entry in sequences.messages(field)}
    for _, inputs in _warm_ups(model):
        for name, given in inputs.items():
            if known and name not in known:
                yield at(first(given, "key") or given, f"warm-up of unknown input `{name}`")


def warm_up_of_another_type(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose warm-up has no type, or not its input's [ran]."""
    for tensor, value in _warmed(model):
        wanted, given = word(tensor, "data_type"), first(value, "data_type")
        name = word(tensor, "name")
        if wanted and given is None:
            text = f"warm-up of input `{name}` without `data_type`"
            yield at(value, text, f"write `data_type: {wanted}`")
        elif wanted and given and given.text != wanted and not is_number(given, wanted):
            yield at(given, f"warm-up of {given.text} for input `{name}` of {wanted}")


def warm_up_of_another_shape(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose warm-up has not the dims of its input [ran]."""
    for tensor, value in _warmed(model):
        wanted = [integer(size) for size in tensor.scalars("dims")]
        given = [integer(size) for size in value.scalars("dims")]
        if not wanted or -1 in given:  # the latter is warm_up_of_open_size
            continue
        if not fits(given, wanted):
            text = f"warm-up of dims {given} for input `{word(tensor, 'name')}` of dims {wanted}"
            yield at(value, text, "the batch dimension is left out of both")


def warm_up_of_open_size(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose warm-up leaves a dimension at -1 [ran]."""
    for _, inputs in _warm_ups(model):
        for entry in inputs.values():
            for value in entry.messages("value"):
                for size in value.scalars("dims"):
                    if integer(size) == -1:
                        yield at(size, "a warm-up needs each dimension", "give it a number")


def warm_up_without_data(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose warm-up says not where its data come from [ran]."""
    for _, inputs in _warm_ups(model):
        for name, entry in inputs.items():
            values = list(entry.messages("value"))
            if not any(first(value, source) for value in values for source in _SOURCES):
                place = values[0] if values else entry
                yield at(place, f"warm-up of `{name}` without data", "write `zero_data: true`")


def warm_up_file_missing(model: Model) -> Iterator[Refusal]:
    """Triton reads warm-up data from the folder `warmup` beside the config, or stops [ran]."""
    if model.files is None or not model.is_in_place:
        return
    for _, inputs in _warm_ups(model):
        for entry in inputs.values():
            for value in entry.messages("value"):
                for file in value.scalars("input_data_file"):
                    path = PurePosixPath(_WARM_UP_FOLDER, file.text)
                    if path not in model.files:
                        yield at(file, f"no file `{path}` beside the config")


def _warm_ups(model: Model) -> Iterator[tuple[Message, Mapping[str, Message]]]:
    """Yield the warm-ups that are run, each with its inputs by name."""
    for warm_up in model.config.messages("model_warmup"):
        size = first(warm_up, "batch_size")
        if size is not None and integer(size):
            yield warm_up, {word(entry, "key"): entry for entry in warm_up.messages("inputs")}


def _warmed(model: Model) -> Iterator[tuple[Message, Message]]:
    """Yield each input with what warms it up."""
    known = _inputs(model)
    for _, inputs in _warm_ups(model):
        for name, entry in inputs.items():
            for value in entry.messages("value"):
                if name in known:
                    yield known[name], value


def _inputs(model: Model) -> dict[str, Message]:
    return {word(tensor, "name"): tensor for tensor in model.config.messages("input")}


RULES = (
    instance_count_below_one,
    gpus_without_gpu_kind,
    warm_up_outside_maximum,
    warm_up_without_input,
    warm_up_of_unknown_input,
    warm_up_of_another_type,
    warm_up_of_another_shape,
    warm_up_of_open_size,
    warm_up_without_data,
    warm_up_file_missing,
)
