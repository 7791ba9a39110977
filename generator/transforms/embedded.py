"""Which transforms run inside the exported program, with run_in: model, and which stay outside."""

from collections.abc import Iterator

from msgspec.structs import replace

from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Project, Step, Tensor, Transforms
from generator.transforms.postprocessing import ACTIVATIONS
from generator.transforms.preprocessing import flow_preprocess

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


def as_called(project: Project) -> Project:
    """The project with the inputs and outputs of its program as callers see them.

    With transforms inside, the program takes the pixels of one image, uint8 [channels, height,
    width], and returns the output for it without batch dimension; else they are the model's.
    """
    if not is_embedded(project.transforms):
        return project
    decoded = flow_preprocess(project.transforms.preprocess[:1]).value.shape
    _, activation = embedded_steps(project.transforms)
    outputs = tuple(
        Tensor(output.name, "float32" if activation else output.dtype, output.sample_shape)
        for output in project.model.outputs
    )
    channels = decoded[-1:] or ("C",)  # none where a rule has told that the first step is no decode
    # The name is that of forward's argument.
    image = Tensor("image", "uint8", (*channels, "H", "W"))
    return replace(project, model=replace(project.model, inputs=(image,), outputs=outputs))


def why_not(transforms: Transforms) -> Iterator[Problem]:
    """What keeps the transforms of a project out of its program, with run_in: model."""
    for index, step in enumerate(transforms.preprocess):
        if step.operation == "custom":
            message = "a custom function cannot run inside the model"
            hint = "choose another run_in, or do it in the model's forward"
            at: Pointer = ("transforms", "preprocess", index)
            yield Problem(at, message, hint, related=(_INSIDE,))


_INSIDE = says(("transforms", "run_in"), "model")


def several_outputs(project: Project) -> Iterator[Problem]:
    """The program answers with one tensor; a target makes a rule of it."""
    outputs = len(project.model.outputs)
    if is_embedded(project.transforms) and outputs > 1:
        message = f"a program with transforms inside returns one tensor, and the model {outputs}"
        hint = "return one tensor from the model, or choose another run_in"
        yield Problem(("model", "outputs", 1), message, hint, related=(_INSIDE,))
