"""Which transforms run inside the exported program, with run_in: model, and which stay outside."""

from collections.abc import Iterator
from dataclasses import replace

from generator.problem import Problem
from generator.project import Step, Transforms
from generator.transforms.postprocessing import ACTIVATIONS

Steps = tuple[Step, ...]


def is_embedded(transforms: Transforms) -> bool:
    """Whether the program takes the pixels of an image in place of the model's input."""
    return transforms.run_in == "model" and bool(transforms.preprocess)


def embedded_steps(transforms: Transforms) -> tuple[Steps, Steps]:
    """The preprocess steps behind the leading decode, and a leading softmax or sigmoid."""
    first = transforms.postprocess[:1]
    activates = bool(first) and first[0].operation in ACTIVATIONS
    return transforms.preprocess[1:], first if activates else ()


def remaining(transforms: Transforms) -> Transforms:
    """What is left to do around the program: decode before it, the selection of classes after."""
    _, activation = embedded_steps(transforms)
    return replace(
        transforms,
        preprocess=transforms.preprocess[:1],
        postprocess=transforms.postprocess[len(activation) :],
    )


def why_not(transforms: Transforms) -> Iterator[Problem]:
    """What keeps the transforms of a project out of its program, with run_in: model."""
    for index, step in enumerate(transforms.preprocess):
        if step.operation == "custom":
            message = "a custom function cannot run inside the model"
            hint = "choose another run_in, or do it in the model's forward"
            yield Problem(("transforms", "preprocess", index), message, hint)
