"""Walks a graph of Seldon nodes as the orchestrator does, which is a Go program of its own.

After executor/predictor/predictor_process.go and executor/api/{rest,grpc/seldon}/client.go of
Seldon Core, protocol `seldon`, without routers and combiners.
"""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from generator.engines import Report, client, seldon, silent

GRPC_PROGRAM = Path(__file__).with_name("seldon_grpc_program.py")
CALL_SECONDS = 60

Message = dict[str, Any]  # a SeldonMessage as JSON
UnitType = Literal["MODEL", "TRANSFORMER", "OUTPUT_TRANSFORMER"]


@dataclass(frozen=True)
class Unit:
    """A node of a graph with its type, and the nodes under it."""

    type: UnitType
    node: seldon.Node
    children: tuple["Unit", ...] = ()


@dataclass(frozen=True)
class Method:
    """What is called on a node: a path of REST; a service and its method of gRPC."""

    path: str
    service: str
    name: str


class Refused(Exception):
    """A node's refusal, which is the whole graph's."""

    def __init__(self, status: int | str, message: Message) -> None:
        super().__init__(status, message)
        self.status = status  # HTTP's number, or gRPC's name
        self.message = message


PREDICT = Method("/predict", "Model", "Predict")
TRANSFORM_INPUT = Method("/transform-input", "Transformer", "TransformInput")
TRANSFORM_OUTPUT = Method("/transform-output", "OutputTransformer", "TransformOutput")

BEFORE_CHILDREN = {"MODEL": PREDICT, "TRANSFORMER": TRANSFORM_INPUT}
AFTER_CHILDREN = {"OUTPUT_TRANSFORMER": TRANSFORM_OUTPUT}

Step = tuple[seldon.Node, Method]
Sent = TypeVar("Sent")


def steps(unit: Unit) -> Iterator[Step]:
    """List the calls that a message takes through a graph, in their order."""
    if unit.type in BEFORE_CHILDREN:
        yield unit.node, BEFORE_CHILDREN[unit.type]
    for child in unit.children:
        yield from steps(child)
    if unit.type in AFTER_CHILDREN:
        yield unit.node, AFTER_CHILDREN[unit.type]


def walk(unit: Unit, message: Sent, call: Callable[[seldon.Node, Method, Sent], Sent]) -> Sent:
    """Send a message through a graph, each of its calls made by `call`. Raises what that does."""
    for node, method in steps(unit):
        message = call(node, method, message)
    return message


def rest(node: seldon.Node, method: Method, message: Message) -> Message:
    """Call a node over REST. Raises Refused, and OSError where the node does not answer."""
    request = urllib.request.Request(
        f"http://{node.http}{method.path}",
        data=json.dumps(message).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310  http
            return dict(json.load(answer))
    except urllib.error.HTTPError as refusal:
        raise Refused(refusal.code, _told(refusal.read())) from None


@dataclass(frozen=True)
class GrpcClient:
    """A process in the wrapper's environment that calls nodes over gRPC."""

    running: client.Client

    def walk(self, unit: Unit, message: Message) -> Message:
        """Send a message through a graph. Raises Refused, and EngineError where the client ends."""
        return self.send(list(steps(unit)), message)

    def send(self, taken: list[Step], message: Message) -> Message:
        """Send a message through some calls, as `walk` does."""
        listed = [(node.grpc, method.service, method.name) for node, method in taken]
        answer = self.running.ask({"message": message, "steps": listed})
        if "status" in answer:
            raise Refused(answer["status"], {"details": answer["details"]})
        return dict(answer["message"])


@contextlib.contextmanager
def grpc_client(*, report: Report = silent) -> Iterator[GrpcClient]:
    """Start the process that calls nodes over gRPC."""
    command = [str(seldon.prepare(report=report).python), str(GRPC_PROGRAM)]
    with client.started("the gRPC client", command) as running:
        yield GrpcClient(running)


def _told(body: bytes) -> Message:
    """The message of a refusal; where it is none, as of an error nobody expected, its text."""
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if isinstance(message, dict):
        return message
    return {"status": {"info": " ".join(body.decode("utf-8", errors="replace").split())}}
