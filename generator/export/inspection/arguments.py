"""What forward takes: the names that inputs get."""

import inspect
from dataclasses import dataclass
from inspect import Parameter

import torch

from generator.document import Pointer
from generator.export.refusal import Refusal

INPUTS: Pointer = ("model", "inputs")
BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Argument:
    """An argument of forward; one with a default can be left out."""

    name: str
    has_default: bool
    default: object = None


def forward_arguments(module: torch.nn.Module) -> tuple[Argument, ...]:
    """The arguments of forward that can be given by position, in its order.

    Raises Refusal where servers, which pass tensors by position, could not call it.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return _of_program(module)
    parameters = list(inspect.signature(module.forward).parameters.values())
    for parameter in parameters:
        if parameter.kind is Parameter.KEYWORD_ONLY and parameter.default is Parameter.empty:
            message = f"forward takes `{parameter.name}` by keyword only"
            raise Refusal(INPUTS, message, "servers pass inputs by position: take the * away")
    arguments = tuple(_argument(each) for each in parameters if each.kind in BY_POSITION)
    if arguments:
        return arguments
    anything = [each for each in parameters if each.kind is Parameter.VAR_POSITIONAL]
    message = f"forward takes *{anything[0].name}" if anything else "forward takes no tensor"
    raise Refusal(INPUTS, message, "give each input of forward a name of its own")


def _argument(parameter: Parameter) -> Argument:
    if parameter.default is Parameter.empty:
        return Argument(parameter.name, has_default=False)
    return Argument(parameter.name, has_default=True, default=parameter.default)


def _of_program(program: torch.jit.ScriptModule) -> tuple[Argument, ...]:
    arguments = []
    for each in program.forward.schema.arguments[1:]:  # the first is the module itself
        kind = str(each.type)
        if kind != "Tensor" and not each.has_default_value():
            message = f"forward takes `{each.name}`, which is {kind}"
            raise Refusal(INPUTS, message, "servers send tensors: let forward take only tensors")
        name = each.name.partition(".")[0]  # a trace numbers a name that it has seen: x.1
        arguments.append(Argument(name, each.has_default_value()))
    if not arguments:
        message, hint = "forward takes no tensor", "give each input of forward a name of its own"
        raise Refusal(INPUTS, message, hint)
    return tuple(arguments)
