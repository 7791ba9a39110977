"""The graph of a SeldonDeployment: its nodes, each inside the one that calls it."""

from collections.abc import Iterator

from msgspec import Struct

from generator.project import Project
from generator.targets.seldon.service import Component, NodeType, Service

MODEL_FOLDER = "/mnt/models"  # where the operator's own initializer puts a model too


class Node(Struct, frozen=True):
    """A node of the graph; `implementation` names a server that Seldon itself starts."""

    name: str
    type: NodeType
    implementation: str | None = None
    model_uri: str | None = None
    secret: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


def nodes(project: Project, service: Service) -> tuple[Node, ...]:
    """The nodes from the outermost in: what a node does not do before its child, it does after."""
    transformers = [c for c in service.components if c.role != "model"]
    return (*map(_transformer, transformers), _model(project, service))


def _transformer(component: Component) -> Node:
    return Node(component.node, component.type)


def _model(project: Project, service: Service) -> Node:
    if service.model_server == "container":
        return Node(service.model_node, "MODEL", parameters=tuple(_parameters(service)))
    assert project.storage is not None  # rule storage-missing
    return Node(
        name=service.model_node,
        type="MODEL",
        implementation=service.model_server,
        model_uri=service.model_uri,
        secret=project.storage.secret,
    )


def _parameters(service: Service) -> Iterator[tuple[str, str]]:
    """What the operator tells the servers that it starts itself, and no other container."""
    if service.model_uri:
        yield "model_uri", MODEL_FOLDER


def laid_out(nodes: tuple[Node, ...]) -> list[dict[str, object]]:
    """Each node with the white space before its first line and before the others."""
    outermost = " " * 8
    return [
        {
            "node": node,
            "first": outermost + ("    " * depth if depth == 0 else "    " * (depth - 1) + "  - "),
            "rest": outermost + "    " * depth,
            "is_innermost": depth == len(nodes) - 1,
        }
        for depth, node in enumerate(nodes)
    ]
