"""The question whether every model can answer, asked of the workers: /ping does not know them."""

from generator.targets.torchserve.service import MANAGEMENT_PORT, Service
from generator.workload import HTTP_PORT

READINESS_SECONDS = 10  # for one run; an answer of the management API takes milliseconds

_CODE = """\
import http.client
import json
import sys

management = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
try:
    for model in sys.argv[2:]:
        management.request("GET", "/models/" + model)
        answer = management.getresponse()
        described = json.loads(answer.read())
        if answer.status != 200:
            sys.exit(f"model {model}: {described['message']}")
        if not any(worker["status"] == "READY" for worker in described[0]["workers"]):
            sys.exit(f"model {model} has no worker that is ready")
except (OSError, ValueError, http.client.HTTPException) as error:
    sys.exit(f"the management API does not answer: {error!r}")
"""


_PING = """\
import http.client

server = http.client.HTTPConnection("127.0.0.1", {}, timeout=3)
server.request("GET", "/ping")
assert server.getresponse().status == 200
"""


def ping_command() -> list[str]:
    """A command for inside the container: 0 when the server answers, whatever its workers do."""
    return ["python", "-c", _PING.format(HTTP_PORT)]


def readiness_command(service: Service) -> list[str]:
    """A command for inside the container: 0 when each model's default version has a ready worker.

    Else it ends with 1 and says on stderr which model has none. It runs on the image's own
    Python 3.9 and needs nothing but the standard library.
    """
    names = (model.name for model in service.models)
    return ["python", "-c", _CODE, str(MANAGEMENT_PORT), *names]
