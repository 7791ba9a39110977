"""Stands in for Seldon's orchestrator at both of its doors, in front of real nodes.

Of what they send to its gRPC service the messages are passed on unread.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from generator.engines import seldon, seldon_graph
from generator.engines.seldon_graph import Message, Method, Unit
from generator.engines.seldon_orchestrator import rest_door

grpc = pytest.importorskip("grpc")

TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Door:
    """Addresses of a stand-in as host:port, and what its callers came with."""

    http: str
    grpc: str
    paths: list[str] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def serve(graph: Unit) -> Iterator[Door]:
    """Open both doors in front of a graph."""
    paths: list[str] = []
    metadata: list[dict[str, Any]] = []
    with rest_door(graph, paths) as http_address, grpc_door(graph, metadata) as grpc_address:
        yield Door(http_address, grpc_address, paths, metadata)


@contextlib.contextmanager
def grpc_door(graph: Unit, metadata: list[dict[str, Any]]) -> Iterator[str]:
    """Answer seldon.protos.Seldon/Predict."""

    def predict(message: bytes, context: Any) -> bytes:
        metadata.append(dict(context.invocation_metadata()))
        try:
            return seldon_graph.walk(graph, message, raw)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
            raise AssertionError from None  # abort raises

    methods = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        handler = grpc.method_handlers_generic_handler("seldon.protos.Seldon", methods)
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def raw(node: seldon.Node, method: Method, message: bytes) -> bytes:
    """Call a node over gRPC with a message that is written already."""
    path = f"/seldon.protos.{method.service}/{method.name}"
    with grpc.insecure_channel(node.grpc) as channel:
        answer: bytes = channel.unary_unary(path)(message, timeout=TIMEOUT_SECONDS)
    return answer


def over_grpc(node: seldon.Node, method: Method, message: Message) -> Message:
    """Call a node over gRPC, as `seldon_graph.rest` does over REST."""
    with seldon_graph.grpc_client() as client:
        return client.send([(node, method)], message)
