"""Find the layers that read an input of forward first."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.fx

FLATTENING = ("flatten", "reshape", "view")
MEASURING = ("dim", "size")  # what follows reads sizes, and not the input


@dataclass(frozen=True)
class Reader:
    """A layer that reads an input; `flattens`: what it reads had more dimensions before."""

    layer: torch.nn.Module
    kind: str
    flattens: bool


def readers(
    module: torch.nn.Module,
    names: Sequence[str],
    defaults: Mapping[str, object],
    kinds: Collection[str],
) -> dict[str, list[Reader]]:
    """For each argument of forward the layers of these kinds that read it, the nearest first.

    `defaults` are those of the other arguments. Where forward cannot be followed, because it
    branches or is a program, all layers stand for each argument in the order of the module; so
    does a module that is such a layer itself.
    """
    graph = None if _kind(module, kinds) else _graph(module, defaults)
    if graph is None:
        return {name: list(_in_order(module, kinds)) for name in names}
    inputs = {str(node.target): node for node in graph.nodes if node.op == "placeholder"}
    made_of = _made_of(graph)
    return {name: list(_behind(inputs[name], module, kinds, made_of)) for name in names}


def _graph(module: torch.nn.Module, defaults: Mapping[str, object]) -> torch.fx.Graph | None:
    """What forward does with its other arguments, if it does it to any tensor."""
    try:
        return torch.fx.Tracer().trace(module, concrete_args=dict(defaults))
    except (Exception, SystemExit):  # the user's forward may do anything with what is no tensor
        return None


def _made_of(graph: torch.fx.Graph) -> dict[torch.fx.Node, frozenset[torch.fx.Node]]:
    """For each step the inputs that it is made of."""
    made_of: dict[torch.fx.Node, frozenset[torch.fx.Node]] = {}
    for node in graph.nodes:
        own = frozenset({node} if node.op == "placeholder" else ())
        made_of[node] = own.union(*(made_of[each] for each in node.all_input_nodes))
    return made_of


def _behind(
    node: torch.fx.Node,
    module: torch.nn.Module,
    kinds: Collection[str],
    made_of: Mapping[torch.fx.Node, frozenset[torch.fx.Node]],
) -> Iterator[Reader]:
    """The layers that read this input, or what is made of it alone."""
    waiting, seen = deque([(node, False)]), {node}
    while waiting:
        one, flattens = waiting.popleft()
        for user in one.users:
            measures = user.op == "call_method" and user.target in MEASURING
            if user in seen or measures:
                continue
            seen.add(user)
            layer = module.get_submodule(user.target) if user.op == "call_module" else None
            found = next(_known(layer, kinds), None) if layer is not None else None
            if found:
                yield Reader(*found, flattens=flattens)
            elif made_of[user] == {node}:
                waiting.append((user, flattens or _flattens(user, layer)))


def _flattens(node: torch.fx.Node, layer: torch.nn.Module | None) -> bool:
    if layer is not None:
        return isinstance(layer, torch.nn.Flatten)
    return str(getattr(node.target, "__name__", node.target)) in FLATTENING


def _in_order(module: torch.nn.Module, kinds: Collection[str]) -> Iterator[Reader]:
    flattens = False
    for layer in module.modules():
        flattens = flattens or "Flatten" in _kinds(layer)
        if found := _kind(layer, kinds):
            yield Reader(layer, found, flattens)


def _known(
    module: torch.nn.Module, kinds: Collection[str]
) -> Iterator[tuple[torch.nn.Module, str]]:
    """The layers of these kinds in a module, itself included."""
    for layer in module.modules():
        if kind := _kind(layer, kinds):
            yield layer, kind


def _kind(layer: torch.nn.Module, kinds: Collection[str]) -> str | None:
    return next((name for name in _kinds(layer) if name in kinds), None)


def _kinds(layer: torch.nn.Module) -> list[str]:
    """The names of torch.nn that a layer goes by, its own first."""
    if isinstance(layer, torch.jit.ScriptModule):
        return [layer.original_name]
    return [each.__name__ for each in type(layer).__mro__ if each.__module__.startswith("torch.nn")]
