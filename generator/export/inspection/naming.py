"""Inputs and outputs of a module in the words of a spec, with names."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch

from generator.export.inspection.arguments import INPUTS, Argument, forward_arguments
from generator.export.inspection.attempts import (
    MAX_VALUES,
    Answer,
    Attempts,
    OutOfAttempts,
    Report,
)
from generator.export.inspection.dimensions import OTHER_BATCHES, Dimensions, Free, vary
from generator.export.inspection.guesses import Guess, guesses
from generator.export.inspection.probe import Found, Guesses, dtypes, find
from generator.export.refusal import Refusal
from generator.problem import did_you_mean
from generator.project import Dimension, Dtype, Tensor


@dataclass(frozen=True)
class Signature:
    """What a module takes and returns; `remarks` are sentences on what was found."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    remarks: tuple[str, ...]


def signature(module: torch.nn.Module, given: Sequence[Tensor], report: Report) -> Signature:
    """Find the signature of a module in evaluation mode on the CPU.

    `given` are inputs that are known; `report` is told of every attempt. Raises Refusal where
    the module is none that a server could call, and where an input cannot be found.
    """
    _refuse_lazy_layers(module)
    arguments = forward_arguments(module)
    names = _inputs(arguments, given)
    defaults = {each.name: each.default for each in arguments if each.name not in names}
    attempts = Attempts(module, report, MAX_VALUES + sum(map(_numbers, given)))
    found = find(attempts, names, _choices(module, names, defaults, given))
    try:
        dimensions = vary(attempts, found)
    except OutOfAttempts as limit:
        message = f"forward takes {found.shapes}, and {limit} were not enough to vary them"
        hint = f"give its shape with --input, as in --input {names[0]}:float32:N,3,32,32"
        raise Refusal(INPUTS, message, hint) from None
    inputs = map(Tensor, names, dtypes(found.guesses), dimensions.inputs)
    answered = cast(tuple[Dtype, ...], found.answer.dtypes)  # the schema says which are none
    named = _output_names(found.answer, dimensions.outputs[0])
    outputs = map(Tensor, named, answered, dimensions.outputs)
    return Signature(tuple(inputs), tuple(outputs), tuple(_remarks(names, found, dimensions)))


def _numbers(tensor: Tensor) -> int:
    """How many numbers the largest batch of an input has, 0 where its size is looked for."""
    sizes = [size for size in tensor.sample_shape if isinstance(size, int)]
    if len(sizes) < len(tensor.sample_shape):
        return 0
    return math.prod(sizes) * (max(OTHER_BATCHES) if tensor.has_batch else 1)


def _refuse_lazy_layers(module: torch.nn.Module) -> None:
    if any(torch.nn.parameter.is_lazy(each) for each in module.parameters()):
        message = "the module has lazy layers, which take the first size that they see"
        raise Refusal(("model", "source"), message, "give their sizes where the module is built")


def _inputs(arguments: Sequence[Argument], given: Sequence[Tensor]) -> list[str]:
    """The arguments that become inputs: those without default, and others up to a given one."""
    names = [argument.name for argument in arguments]
    for tensor in given:
        if tensor.name not in names:
            message = f"forward has no argument `{tensor.name}`"
            raise Refusal(INPUTS, message, did_you_mean(tensor.name, names))
    told = {tensor.name for tensor in given}
    wanted = [each.name in told or not each.has_default for each in arguments]
    if not any(wanted):
        first = arguments[0].name
        hint = f"give those that servers send, as in --input {first}:float32:N,3,32,32"
        raise Refusal(INPUTS, "every argument of forward has a default", hint)
    last = max(position for position, is_wanted in enumerate(wanted) if is_wanted)
    return names[: last + 1]


def _choices(
    module: torch.nn.Module,
    names: Sequence[str],
    defaults: Mapping[str, object],
    given: Sequence[Tensor],
) -> list[Guesses]:
    """What each input may be; of one that is given, what it is."""
    known = {each.name: (Guess(each.dtype, each.shape, is_given=True),) for each in given}
    choices = {**guesses(module, names, defaults), **known}
    return [choices[name] for name in names]


def _output_names(answer: Answer, first: Sequence[Dimension]) -> tuple[str, ...]:
    """Of a named tuple its own; else numbers, or what a classifier's one output is called."""
    if answer.names:
        return answer.names
    if len(answer.shapes) > 1:
        return tuple(f"output_{number}" for number in range(len(answer.shapes)))
    if answer.sums_to_one[0]:
        return ("probabilities",)
    is_of_classes = len(first) == 2 and first[0] == "N" and isinstance(first[1], int)
    is_score = is_of_classes and answer.dtypes[0].startswith("float")
    return ("logits",) if is_score else ("output",)


def _remarks(names: Sequence[str], found: Found, dimensions: Dimensions) -> Iterator[str]:
    for name, guess in zip(names, found.guesses, strict=True):
        if guess.remark:
            yield f"{name} is {guess.remark}"
    for free in dimensions.free:
        if free.letter == "N":
            continue
        if len(free.axes) > 1:
            yield f"{free.letter} is one size wherever it stands: the model takes no others"
        if free.step > 1:
            yield f"{free.letter} takes {_stepwise(free)} only"
    if found.has_batch and not any(free.letter == "N" for free in dimensions.free):
        yield "no batch dimension: the outputs for 1 and 3 samples do not begin with 1 and 3"
    elif not found.has_batch:
        yield "no batch dimension: the outputs do not follow a first dimension of all inputs"


def _stepwise(free: Free) -> str:
    if free.size % free.step == 0:
        return f"multiples of {free.step}"
    return f"sizes such as {free.size} and {free.size + free.step}"
