"""Runs Seldon's wrapper and ends all of it when the container is told to stop.

By itself the wrapper ends its REST server and then waits for its gRPC server, which nobody told.
"""

import os
import signal

from seldon_core import microservice


def main() -> None:
    """Serve until the REST server has answered its last request, then end what is left."""
    server = os.getpid()
    try:
        microservice.main()
    finally:
        if os.getpid() == server:  # its workers, which are forks, come by here too
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)  # the process group: in a container, all of it


if __name__ == "__main__":
    main()
