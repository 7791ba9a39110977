"""KServe's Python SDK: runs a rendered component as its container would."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from generator.engines import Report, environments, ports, process, silent

STOP_SECONDS = 5  # for the requests that it still has
LOOPBACK_MODULE = Path(__file__).parent / "loopback"


class Server(Struct, frozen=True):
    """A component that is ready: addresses as host:port, its log, and how it ended, if it has."""

    http: str
    grpc: str
    log: Path
    ended: Callable[[], str | None]


def prepare(component: Path, *, report: Report = silent) -> environments.Environment:
    """Return the environment that a component runs in: the SDK and what its image installs."""
    own, pins = component / "requirements.txt", component / "constraints.txt"
    files = [environments.REQUIREMENTS / "kserve.txt", *([own] if own.is_file() else [])]
    constraints = [pins] if pins.is_file() else []
    return environments.prepare("kserve", files, constraints=constraints, report=report)


@contextlib.contextmanager
def serve(
    component: Path,
    *,
    model_name: str,
    predictor_host: str | None = None,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    entry: str = "transformer.py",
    report: Report = silent,
    timeout_seconds: float = 60.0,
) -> Iterator[Server]:
    """Start a component's entry script with the flags that KServe's controller gives it.

    `predictor_host` is host:port, of the port that the component's predictor protocol speaks to;
    `variables` reach the script. It runs in a copy of `component`, which stays as it is. Raises
    EngineError with the server's own words.
    """
    environment = prepare(component, report=report)
    http_port, grpc_port = ports.free_ports(2)
    http, grpc = f"{ports.LOOPBACK}:{http_port}", f"{ports.LOOPBACK}:{grpc_port}"
    predictor = [] if predictor_host is None else ["--predictor_host", predictor_host]
    command = [
        str(environment.python),
        entry,
        *("--model_name", model_name, *predictor),
        *("--http_port", str(http_port), "--grpc_port", str(grpc_port)),
        *arguments,
    ]
    own = {"PYTHONPATH": str(LOOPBACK_MODULE), "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory(prefix="kserve-") as name:
        folder = Path(name)
        code = shutil.copytree(component, folder / "component")
        with process.running(
            "the KServe component",
            command,
            folder=folder,
            working_folder=code,
            is_ready=lambda: ports.is_ok(http, "/v2/health/ready"),
            timeout_seconds=timeout_seconds,
            environment={**(variables or {}), **own},
            stop_seconds=STOP_SECONDS,
        ) as running:
            yield Server(http, grpc, running.log, running.ended)
