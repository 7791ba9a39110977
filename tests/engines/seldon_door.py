"""Stands in for Seldon's orchestrator, a Go program of its own, in front of real nodes.

It walks the graph for what clients post to its REST door, and for what they send to its gRPC
service, whose messages it passes on unread. A refusal of a node is its answer. An ingress is in
it too: it takes paths under /seldon/<namespace>/<name>/.
"""

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import seldon_graph
from seldon_graph import Method, Refused, Unit

from generator.engines import seldon

grpc = pytest.importorskip("grpc")

PATH = re.compile("(/seldon/[^/]+/[^/]+)?/api/v1.0/predictions")
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
def rest_door(graph: Unit, paths: list[str]) -> Iterator[str]:
    """Answer POST requests; only JSON comes in and goes out."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not PATH.fullmatch(self.path):
                self.answer(404, {"status": {"info": "no such path"}})
                return
            try:
                self.answer(200, seldon_graph.walk(graph, json.loads(body), seldon_graph.rest))
            except Refused as refused:
                self.answer(int(refused.status), refused.message)

        def answer(self, status: int, message: dict[str, Any]) -> None:
            body = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def grpc_door(graph: Unit, metadata: list[dict[str, Any]]) -> Iterator[str]:
    """Answer seldon.protos.Seldon/Predict."""

    def predict(message: bytes, context: Any) -> bytes:
        metadata.append(dict(context.invocation_metadata()))
        try:
            return seldon_graph.walk(graph, message, raw)  # type: ignore[arg-type, return-value]
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
