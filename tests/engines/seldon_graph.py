"""Walks a graph of Seldon nodes as the orchestrator does, which is a Go program of its own.

After executor/predictor/predictor_process.go and executor/api/{rest,grpc/seldon}/client.go of
Seldon Core, protocol `seldon`, without routers and combiners.
"""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from generator.engines import seldon

TIMEOUT_SECONDS = 20

Message = dict[str, Any]  # a SeldonMessage as JSON


@dataclass(frozen=True)
class Unit:
    """A node of a graph with its type, and the nodes under it."""

    type: Literal["MODEL", "TRANSFORMER", "OUTPUT_TRANSFORMER"]
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

Call = Callable[[seldon.Node, Method, Message], Message]


def walk(unit: Unit, message: Message, call: Call) -> Message:
    """Send a message through a graph; `call` is `rest` or `grpc`. Raises Refused."""
    if unit.type in BEFORE_CHILDREN:
        message = call(unit.node, BEFORE_CHILDREN[unit.type], message)
    if unit.children:
        message, *_ = [walk(child, message, call) for child in unit.children]
    if unit.type in AFTER_CHILDREN:
        message = call(unit.node, AFTER_CHILDREN[unit.type], message)
    return message


def rest(node: seldon.Node, method: Method, message: Message) -> Message:
    """Call a node over REST. Raises Refused."""
    request = urllib.request.Request(
        f"http://{node.http}{method.path}",
        data=json.dumps(message).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refusal:
        raise Refused(refusal.code, json.load(refusal)) from None


def grpc(node: seldon.Node, method: Method, message: Message) -> Message:
    """Call a node over gRPC, from the wrapper's environment, which has the messages' classes."""
    client = [str(seldon.prepare().python), "-c", GRPC_CLIENT, node.grpc]
    called = subprocess.run(
        [*client, method.service, method.name],
        input=json.dumps(message),
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_SECONDS,
        check=True,
    )
    answer = json.loads(called.stdout)
    if answer["status"] != "OK":
        raise Refused(answer["status"], {"details": answer["details"]})
    return dict(answer["message"])


GRPC_CLIENT = f"""
import json
import sys

import grpc
from google.protobuf import json_format
from seldon_core.proto import prediction_pb2, prediction_pb2_grpc

address, service, method = sys.argv[1:]
message = json_format.Parse(sys.stdin.read(), prediction_pb2.SeldonMessage())
unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
stub = getattr(prediction_pb2_grpc, service + "Stub")(grpc.insecure_channel(address, unlimited))
try:
    reply = getattr(stub, method)(message, timeout={TIMEOUT_SECONDS})
    answer = {{"status": "OK", "message": json_format.MessageToDict(reply)}}
except grpc.RpcError as error:
    answer = {{"status": error.code().name, "details": error.details()}}
print(json.dumps(answer))
"""
