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
    """Servers take two tensors of one name and serve one of them.

    The other could not be named by any client.
    """
    seen: dict[tuple[str, str], Pointer] = {}
    for pointer, tensor in tensors(project):
        key = (str(pointer[1]), tensor.name)
        first = seen.setdefault(key, pointer)
        if first != pointer:
            message = f"two {pointer[1]} are named `{tensor.name}`"
            related = (((*first, "name"), "the first of them"),)
            yield Problem((*pointer, "name"), message, "give each its own name", related=related)


def batch_dimension_inside(project: Project) -> Iterator[Problem]:
    """N is the batch dimension, and servers batch along the first one only.

    Joined along the first dimension, the samples of several requests would be mixed up.
    """
    for pointer, tensor in tensors(project):
        for position, size in enumerate(tensor.shape):
            if size == "N" and position > 0:
                message = f"N stands at position {position} of `{tensor.name}`, not at the front"
                hint = "move the batch dimension to the front, or use another letter"
                yield Problem((*pointer, "shape", position), message, hint)


def batch_dimension_in_some(project: Project) -> Iterator[Problem]:
    """A server batches all tensors of a model or none: Triton's have one max_batch_size.

    It joins every input of a batch and cuts every output apart again, one sample for each request;
    a tensor without a batch dimension can be neither joined nor cut.
    [github.com/triton-inference-server/common protobuf/model_config.proto, max_batch_size]
    """
    all_tensors = list(tensors(project))
    if len({tensor.has_batch for _, tensor in all_tensors}) == 2:
        at, first = all_tensors[0]
        for pointer, tensor in all_tensors:
            if tensor.has_batch != first.has_batch:
                has, lacks = (tensor, first) if tensor.has_batch else (first, tensor)
                message = f"`{has.name}` has a batch dimension and `{lacks.name}` has none"
                hint = "begin every shape with N, or none"
                what = "has" if first.has_batch else "lacks"
                related = (((*at, "shape"), f"`{first.name}` {what} the batch dimension"),)
                yield Problem((*pointer, "shape"), message, hint, related=related)


RULES: tuple[Rule, ...] = (duplicate_name, batch_dimension_inside, batch_dimension_in_some)
