"""Keeps Seldon Core's wrapper on the loopback interface: it binds every one, whatever its flags.

`launch.py ANNOTATIONS PROGRAM ARGUMENTS` runs that program. Nothing but the addresses of its HTTP
servers and its gRPC server changes, and where the file with the pod's annotations lies
(seldon_core/microservice.py, 1.17.1); its workers are forks and inherit that. Alone in its folder,
because Python puts that first on the path of imports.
"""

import runpy
import socket
import sys
from typing import Any

import grpc
from seldon_core import flask_utils

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("", "0.0.0.0")  # noqa: S104  what is replaced

bind = socket.socket.bind
new_server = grpc.server


def loopback_bind(self: Any, address: Any) -> None:
    """Bind to loopback where every interface was meant."""
    everywhere = isinstance(address, tuple) and address[0] in EVERYWHERE
    bind(self, (LOOPBACK, *address[1:]) if everywhere else address)


def loopback_server(*args: Any, **settings: Any) -> grpc.Server:
    """Make a gRPC server that turns "all interfaces" into the loopback address."""
    server = new_server(*args, **settings)
    add_port = server.add_insecure_port
    server.add_insecure_port = lambda address: add_port(address.replace("0.0.0.0", LOOPBACK))  # noqa: S104  as above
    return server


if __name__ == "__main__":
    socket.socket.bind = loopback_bind  # type: ignore[method-assign]  # what this module is for
    grpc.server = loopback_server
    _, flask_utils.ANNOTATIONS_FILE, *sys.argv = sys.argv
    runpy.run_path(sys.argv[0], run_name="__main__")
