"""Keeps the KServe SDK on the loopback interface: it binds every one, and no flag says otherwise.

Put on PYTHONPATH, this module runs in the server and in the workers it spawns. Nothing but the
two addresses changes: kserve/protocol/rest/server.py and kserve/protocol/grpc/server.py, 0.21.0.
"""

from typing import Any

import uvicorn
from grpc import aio

new_config = uvicorn.Config
new_server = aio.server


def loopback_config(*args: Any, **settings: Any) -> uvicorn.Config:
    """Make uvicorn's configuration with the host replaced."""
    return new_config(*args, **(settings | {"host": "127.0.0.1"}))


def loopback_server(*args: Any, **settings: Any) -> aio.Server:
    """Make a gRPC server that turns "all interfaces" into the loopback address."""
    server = new_server(*args, **settings)
    add_port = server.add_insecure_port
    server.add_insecure_port = lambda address: add_port(address.replace("[::]", "127.0.0.1"))
    return server


uvicorn.Config = loopback_config
aio.server = loopback_server
