"""Hold the signature of a module against the spec's inputs, outputs and class names."""

import inspect
from dataclasses import dataclass
from typing import get_args

import torch

from generator.export.refusal import Refusal
from generator.export.samples import Tensors
from generator.project import Dtype, Project, Tensor


@dataclass(frozen=True)
class Parameters:
    """What forward takes by position: all names, and how many of them have no default."""

    names: tuple[str, ...]
    required: int


def check_inputs(project: Project, module: torch.nn.Module, *, by_name: bool) -> None:
    """Raise Refusal where forward takes other inputs than the spec names, or in another order.

    `by_name`: the server finds forward's arguments by the names of the spec.
    """
    parameters = _parameters(module)
    if parameters is None:
        return
    names = tuple(tensor.name for tensor in project.model.inputs)
    taken = parameters.names[: len(names)]
    if not parameters.required <= len(names) <= len(parameters.names):
        message = f"forward takes {_listed(parameters.names)}, and the spec names {_listed(names)}"
        raise Refusal(("model", "inputs"), message, _of_another_number(parameters, len(names)))
    if names != taken and set(names) <= set(parameters.names):
        message = f"forward takes {_listed(taken)} in this order, not {_listed(names)}"
        raise Refusal(("model", "inputs"), message, "name the inputs in forward's order")
    for index, (name, wanted) in enumerate(zip(names, taken, strict=True)):
        if by_name and name != wanted:
            message = f"forward calls this input `{wanted}`, and the server looks it up by name"
            hint = f"write name: {wanted}"
            raise Refusal(("model", "inputs", index, "name"), message, hint)


def check_outputs(project: Project, outputs: Tensors, batch_size: int) -> None:
    """Raise Refusal where a model has answered a batch otherwise than the spec says."""
    wanted = project.model.outputs
    if len(outputs) != len(wanted):
        message = f"the model returns {len(outputs)} tensors, and the spec names {len(wanted)}"
        raise Refusal(("model", "outputs"), message, "name every output, in forward's order")
    for index, (tensor, output) in enumerate(zip(wanted, outputs, strict=True)):
        dtype = str(output.dtype).removeprefix("torch.")
        if output.device.type != "cpu":
            message = f"output `{tensor.name}` lies on {output.device}, and the model on the CPU"
            raise Refusal(("model", "outputs", index), message, "keep the device of the input")
        if dtype != tensor.dtype:
            message = f"output `{tensor.name}` is {dtype} in the model"
            raise Refusal(("model", "outputs", index, "dtype"), message, _of_another(output.dtype))
        if not _fits(tensor, tuple(output.shape), batch_size):
            found = list(output.shape)
            message = f"output `{tensor.name}` has shape {found} for batches of {batch_size}"
            if not tensor.has_batch:
                message = f"output `{tensor.name}` has shape {found}"
            hint = f"write shape: [{', '.join(_written(tensor, found))}]"
            raise Refusal(("model", "outputs", index, "shape"), message, hint)
    _check_class_names(project, outputs[0])


def _check_class_names(project: Project, output: torch.Tensor) -> None:
    """A rule has compared them where the spec gives the number of classes."""
    names, tensor = len(project.model.class_names), project.model.outputs[0]
    if names and output.shape[-1] != names:
        message = f"{names} class names for the {output.shape[-1]} classes of `{tensor.name}`"
        hint = "give one name per class, in the order of the output's last dimension"
        raise Refusal(("model", "class_names"), message, hint)


def _parameters(module: torch.nn.Module) -> Parameters | None:
    """What forward takes, None where any number of arguments is taken or nobody can tell."""
    if isinstance(module, torch.jit.ScriptModule):
        arguments = [each for each in module.forward.schema.arguments if each.name != "self"]
        required = sum(not each.has_default_value() for each in arguments)
        return Parameters(tuple(each.name for each in arguments), required)
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):
        return None
    found = signature.parameters.values()
    if any(each.kind == each.VAR_POSITIONAL for each in found):
        return None
    by_position = [each for each in found if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]
    required = sum(each.default is each.empty for each in by_position)
    return Parameters(tuple(each.name for each in by_position), required)


def _of_another_number(parameters: Parameters, given: int) -> str:
    """What to do where forward takes more or fewer inputs than are given."""
    taken = len(parameters.names)
    if not taken:
        return "let forward take each input by position, with a name of its own"
    if given < parameters.required:
        return f"add an input for {_listed(parameters.names[given : parameters.required])}"
    return f"name {taken} input" + ("s" if taken != 1 else "")


def _of_another(dtype: torch.dtype) -> str:
    """What to do where an output is of this dtype."""
    name = str(dtype).removeprefix("torch.")
    if name in get_args(Dtype):
        return f"write dtype: {name}"
    if dtype.is_complex:
        return "no spec has complex numbers: let forward return torch.view_as_real(...)"
    return f"no spec has {name}: let forward return it as .float()"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "no inputs"


def _fits(tensor: Tensor, shape: tuple[int, ...], batch_size: int) -> bool:
    wanted = (batch_size, *tensor.sample_shape) if tensor.has_batch else tensor.shape
    return len(wanted) == len(shape) and all(
        isinstance(want, str) or want == size for want, size in zip(wanted, shape, strict=True)
    )


def _written(tensor: Tensor, found: list[int]) -> list[str]:
    """A shape that was found, in the words of the spec: its letters stay."""
    words = list(map(str, found))
    if len(found) == len(tensor.shape):
        pairs = zip(tensor.shape, words, strict=True)
        words = [each if isinstance(each, str) else word for each, word in pairs]
    elif tensor.has_batch and words:
        words[0] = "N"
    return words
