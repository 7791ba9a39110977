"""What in the graph of a TorchScript program is bound to a device, or to training."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from generator.export.refusal import Refusal
from generator.export.running import code_at, is_torchs
from generator.project import Project

TRAINED = {
    "aten::alpha_dropout": "train",
    "aten::batch_norm": "training",
    "aten::dropout": "train",
    "aten::feature_alpha_dropout": "train",
    "aten::feature_dropout": "train",
    "aten::rrelu": "training",
}
"""Operators that do otherwise in training, and the argument that says so."""
ON_THE_GPU = "write device=x.device, or register the tensor as a buffer of the module"

Node = Any  # torch._C.Node, which has no types

_TRACED = re.compile(r"^(\S+\.py)\((\d+)\): ", re.MULTILINE)
_SCRIPTED = re.compile(r'File "([^"]+\.py)", line (\d+)')


def check_graph(project: Project, program: torch.jit.ScriptModule) -> None:
    """Raise Refusal where a program is bound to a GPU, or where something in it still trains.

    A trace holds the device that each tensor was made on: where the server has a GPU, one that
    was made on the CPU stays there, and the weights do not.
    """
    for name, module in program.named_modules():
        if getattr(module, "training", False):  # a frozen module has no mode
            _refuse_training(project, f"`{name or 'the model'}` is in training mode")
    for node in _nodes(program.inlined_graph):
        device = _device(node)
        if device:
            _check_device(project, device, _line_of(node))
        if project.hardware.accelerator == "nvidia" and _is_left_on_the_cpu(node):
            message = f"the program makes a tensor on the CPU{_line_of(node)}"
            raise Refusal(code_at(project), f"{message}, and the server has a GPU", ON_THE_GPU)
        if node.kind() in TRAINED and node.namedInput(TRAINED[node.kind()]).toIValue() is True:
            operator = node.kind().partition("::")[2]
            _refuse_training(project, f"{operator} is in training mode{_line_of(node)}")


def _check_device(project: Project, device: str, line: str) -> None:
    if device != "cpu":
        hint = "write x.to(other.device) or device=x.device, and export with method: script"
        raise Refusal(code_at(project), f"the program is bound to {device}{line}", hint)
    if project.hardware.accelerator == "nvidia" and not project.model.program:
        message = f"the trace makes a tensor on the CPU for good{line}, and the server has a GPU"
        raise Refusal(("export", "method"), message, f"use method: script, and {ON_THE_GPU}")


def _refuse_training(project: Project, message: str) -> None:
    hint = "let it follow self.training, which gen export sets to False"
    raise Refusal(code_at(project), message, hint)


def _nodes(graph: Any) -> Iterator[Node]:
    """The nodes of a graph, or of a block, and of all blocks inside."""
    for node in graph.nodes():
        yield node
        for block in node.blocks():
            yield from _nodes(block)


def _device(node: Node) -> str | None:
    """The device that a node names."""
    if node.kind() == "aten::cuda":
        return "cuda"
    if node.kind() != "prim::Constant" or node.output().type().kind() != "DeviceObjType":
        return None
    return str(node.output().toIValue())


def _is_left_on_the_cpu(node: Node) -> bool:
    """Whether a node makes a tensor of several numbers on the default device, which is the CPU.

    One that is like another tensor has the other's device, and a single number goes with any.
    """
    names = _arguments(node)
    if "device" not in names or _names_a_device(node):
        return False
    kind = next(node.inputs()).type().kind()
    is_single = node.kind() == "aten::scalar_tensor" or (
        node.kind() == "aten::tensor" and kind != "ListType"
    )
    if kind == "TensorType" or is_single:
        return False
    return not all(_moves(use.user) for use in node.output().uses())


def _moves(node: Node) -> bool:
    """Whether a node brings a tensor to the device of another."""
    if node.kind() != "aten::to":
        return bool(node.kind() == "aten::type_as")
    names = _arguments(node)
    return "other" in names or ("device" in names and _names_a_device(node))


def _names_a_device(node: Node) -> bool:
    """Whether an operator that takes a device gets one."""
    return not node.namedInput("device").node().mustBeNone()


def _arguments(node: Node) -> tuple[str, ...]:
    """The names of an operator's arguments; control flow has none."""
    if node.schema() == "(no schema)":
        return ()
    return tuple(each.name for each in torch._C.parse_schema(node.schema()).arguments)


def _line_of(node: Node) -> str:
    """The line of the user's code that a node, or else one that uses it, was made for."""
    users = [use.user for output in node.outputs() for use in output.uses()]
    for each in (node, *users):
        told = each.sourceRange()
        for path, line in (*_TRACED.findall(told), *_SCRIPTED.findall(told)):
            if not is_torchs(Path(path)):
                return f" ({Path(path).name} line {line})"
    return ""
