"""Stands in for Seldon's orchestrator, a Go program of its own, at its REST door.

An ingress is in it too: it takes paths under /seldon/<namespace>/<name>/. Only JSON comes in and
goes out, and a refusal of a node is its answer.
"""

import contextlib
import http.client
import http.server
import json
import re
import threading
from collections.abc import Iterator

from generator.engines import seldon_graph
from generator.engines.ports import LOOPBACK
from generator.engines.seldon_graph import Message, Refused, Unit

PREDICTIONS = "/api/v1.0/predictions"
PATH = re.compile(f"(/seldon/[^/]+/[^/]+)?{re.escape(PREDICTIONS)}")


@contextlib.contextmanager
def rest_door(graph: Unit, paths: list[str] | None = None) -> Iterator[str]:
    """Answer POST requests with what a graph makes of them; gives host:port.

    `paths` takes down those of the requests.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if paths is not None:
                paths.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not PATH.fullmatch(self.path):
                self.answer(404, {"status": {"info": "no such path"}})
                return
            try:
                self.answer(200, seldon_graph.walk(graph, json.loads(body), seldon_graph.rest))
            except Refused as refused:
                self.answer(int(refused.status), refused.message)
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.answer(500, {"status": {"info": f"{type(error).__name__}: {error}"}})

        def answer(self, status: int, message: Message) -> None:
            body = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
