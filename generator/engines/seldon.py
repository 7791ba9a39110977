"""Seldon Core v1's Python wrapper: runs one node of a graph as its container would."""

import contextlib
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from generator.engines import EngineError, Report, environments, ports, process, silent

LAUNCHER = Path(__file__).parent / "seldon_loopback" / "launch.py"
GATHER_SECONDS = 0.5  # the last words of a process may follow the news of its end

ServiceType = Literal["MODEL", "ROUTER", "TRANSFORMER", "COMBINER", "OUTLIER_DETECTOR"]

# What the wrapper reads from its environment (microservice.py, wrapper.py, env_utils.py, 1.17.1).
SETTING = re.compile(
    "(FLASK|GRPC|GUNICORN|JAEGER|PREDICTIVE_UNIT|PREDICTOR|SELDON)_.*"
    "|FILTER_METRICS_ACCESS_LOGS|INCLUDE_METRICS_IN_CLIENT_RESPONSE|MODEL_METADATA"
    "|PAYLOAD_PASSTHROUGH|TRACING|USE_MULTIPROCESS_PACKAGE"
)

# The wrapper goes on without a server that could not load the class: said by multiprocessing of
# the gRPC server's process, by gunicorn of the REST server's.
LOST = re.compile(r"^Process Process-[\d:]+:$|Reason: Worker failed to boot", re.M)
# A line of the wrapper's log or of gunicorn's, which may stand amid another process's traceback.
LOG_LINE = re.compile(r"^(\d{4}-\d\d-\d\d |\[\d{4}-\d\d-\d\d ).*\n", re.M)
# Up to the line that names the exception; then those that it led to.
ONE = r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+[\w.]+(?::.*)?$"
TRACEBACK = re.compile(rf"^{ONE}(?:\n\n(?:The above|During handling) .*\n\n{ONE})*", re.M)
# In the tracebacks of a process that is ended, whatever the reason.
HARMLESS = (", in _exit_function\n", ", in worker_exit\n")


class Parameter(Struct, frozen=True):
    """A parameter of a node, which reaches the class's `__init__` by its name."""

    name: str
    value: str
    type: Literal["INT", "FLOAT", "DOUBLE", "STRING", "BOOL"] = "STRING"


class Node(Struct, frozen=True):
    """A node that is ready: addresses as host:port, and its log.

    `told` quotes what it has said of itself: how it has ended, or a traceback; None where neither.
    """

    http: str
    grpc: str
    metrics: str
    log: Path
    told: Callable[[], str | None] = lambda: None


def prepare(
    requirements: Sequence[Path] = (), *, report: Report = silent
) -> environments.Environment:
    """Return the environment of the wrapper, or raise EngineError.

    `requirements` are files that name what classes import besides numpy and torch.
    """
    files = [environments.REQUIREMENTS / "seldon.txt", *requirements]
    return environments.prepare("seldon", files, report=report)


@contextlib.contextmanager
def serve(
    folder: Path,
    class_name: str,
    *,
    service_type: ServiceType,
    parameters: Sequence[Parameter] = (),
    variables: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    requirements: Sequence[Path] = (),
    report: Report = silent,
    timeout_seconds: float = 60.0,
) -> Iterator[Node]:
    """Serve the class that has its module's name, or is named `module.Class`.

    The node runs in a copy of `folder`, with `variables` in its environment and `annotations` as
    its pod's, and shares the calling interpreter's torch. It is ready when it is healthy and both
    of its servers have loaded the class. Raises EngineError with the wrapper's own words.
    """
    shared = environments.torch_packages()
    environment = prepare(requirements, report=report)
    http, grpc, metrics = ports.free_ports(3)
    given = {
        **(variables or {}),
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(http),
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": str(grpc),
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics),
        "PREDICTIVE_UNIT_PARAMETERS": json.dumps([asdict(one) for one in parameters]),
        "PYTHONUNBUFFERED": "1",
        environments.SHARED_PACKAGES: str(shared),
    }
    wrapper = environment.programs / "seldon-core-microservice"
    with tempfile.TemporaryDirectory(prefix="seldon-") as name, contextlib.ExitStack() as stack:
        own = Path(name)
        pod_annotations = own / "annotations"
        lines = (f'{key}="{value}"\n' for key, value in (annotations or {}).items())
        pod_annotations.write_text("".join(lines), encoding="utf-8")
        command = [
            *_without_settings(given),
            *(str(environment.python), str(LAUNCHER), str(pod_annotations), str(wrapper)),
            *(class_name, "--service-type", service_type),
        ]
        node = Node(
            http=f"{ports.LOOPBACK}:{http}",
            grpc=f"{ports.LOOPBACK}:{grpc}",
            metrics=f"{ports.LOOPBACK}:{metrics}",
            log=own / "server.log",
        )
        try:
            running = stack.enter_context(
                process.running(
                    "the Seldon wrapper",
                    command,
                    folder=own,
                    working_folder=shutil.copytree(folder, own / "microservice"),
                    is_ready=lambda: _is_ready(node),
                    timeout_seconds=timeout_seconds,
                    environment=given,
                )
            )
        except EngineError as problem:
            raise EngineError(_with_traceback(str(problem), _words(node))) from None
        yield replace(node, told=lambda: _told(node, running.ended()))


def _told(node: Node, ending: str | None) -> str | None:
    words = _words(node)
    if ending:
        return _with_traceback(ending, words)
    return next(reversed(_tracebacks(words)), None)


def _without_settings(given: Mapping[str, str]) -> list[str]:
    """Give the words that keep the caller's own settings of the wrapper from it."""
    held = [name for name in os.environ if SETTING.fullmatch(name) and name not in given]
    return ["env", *(word for name in sorted(held) for word in ("-u", name))]


def _is_ready(node: Node) -> bool:
    """Tell whether a node is ready; raises EngineError when it never will be."""
    if LOST.search(_words(node)):
        time.sleep(GATHER_SECONDS)
        said = process.own_words(node.log)
        raise EngineError(f"the Seldon wrapper has lost one of its servers\n{said}")
    return (
        ports.is_ok(node.http, "/health/status")  # bound before the class is loaded
        and _accepts(node.grpc)  # bound after
        and ports.is_ok(node.metrics, "/metrics")
    )


def _words(node: Node) -> str:
    return node.log.read_text(encoding="utf-8", errors="replace")


def _accepts(address: str) -> bool:
    """Tell whether a TCP connection can be made to `host:port`."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=2):
        return True
    return False


def _with_traceback(problem: str, words: str) -> str:
    """Quote in a problem the first traceback of a log that tells why, where there is one."""
    telling = _tracebacks(words)
    what = problem.partition("\n")[0]
    return f"{what}\n{telling[0]}" if telling else problem


def _tracebacks(words: str) -> list[str]:
    """The tracebacks of a log that tell why, in their order."""
    found = TRACEBACK.findall(LOG_LINE.sub("", words))
    return [one for one in found if not any(known in one for known in HARMLESS)]
