"""Rules about the model's inputs and outputs."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.problem import Problem
from generator.project import Project, Tensor
from generator.target import Rule


def tensors(project: Project) -> Iterator[tuple[Pointer, Tensor]]:
    """Every input and output with its pointer."""
    for side, group in (("inputs", project.model.inputs), ("outputs", project.model.outputs)):
        for index, tensor in enumerate(group):
            yield ("model", side, index), tensor


def duplicate_name(project: Project) -> Iterator[Problem]:
    """Servers take two tensors of one name and serve one of them."""
    seen: set[tuple[str, str]] = set()
    for pointer, tensor in tensors(project):
        key = (str(pointer[1]), tensor.name)
        if key in seen:
            message = f"two {pointer[1]} are named `{tensor.name}`"
            yield Problem((*pointer, "name"), message, "give each its own name")
        seen.add(key)


def batch_dimension_inside(project: Project) -> Iterator[Problem]:
    """N is the batch dimension, and servers batch along the first one only."""
    for pointer, tensor in tensors(project):
        for position, size in enumerate(tensor.shape):
            if size == "N" and position > 0:
                message = f"N stands at position {position} of `{tensor.name}`, not at the front"
                hint = "move the batch dimension to the front, or use another letter"
                yield Problem((*pointer, "shape", position), message, hint)


def batch_dimension_in_some(project: Project) -> Iterator[Problem]:
    """A server batches all tensors of a model or none."""
    all_tensors = list(tensors(project))
    if len({tensor.has_batch for _, tensor in all_tensors}) == 2:
        first = all_tensors[0][1]
        for pointer, tensor in all_tensors:
            if tensor.has_batch != first.has_batch:
                has, lacks = (tensor, first) if tensor.has_batch else (first, tensor)
                message = f"`{has.name}` has a batch dimension and `{lacks.name}` has none"
                hint = "begin every shape with N, or none"
                yield Problem((*pointer, "shape"), message, hint)


RULES: tuple[Rule, ...] = (duplicate_name, batch_dimension_inside, batch_dimension_in_some)
