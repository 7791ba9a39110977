"""A server process: started in its own session, waited for, and ended with all its children."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from generator.engines import EngineError
from generator.engines.ports import LOOPBACK

POLL_SECONDS = 0.05
KILL_SECONDS = 1.0  # what the kernel gets for removing what was killed
DEATH_SECONDS = 0.5  # from a broken connection to the end of the process that broke it
LAST_LINES = 20

# glog's error and fatal lines (Triton), protobuf's parser, and the closing line of a main program.
ERROR_LINE = re.compile(r"^([EF]\d{4} |\[libprotobuf (ERROR|FATAL)|error: )")
# Triton's information: glog's lines, and the tables of models and options that it draws.
INFORMATION = re.compile(r"^(I\d{4} |[+|]|$)")
# Said by every Triton on a machine without a GPU.
HARMLESS = ("CudaDriverHelper has not been initialized", "Unable to allocate pinned system memory")

# A caller's Python settings would reach into an engine that has an environment of its own.
NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


class Running(Struct, frozen=True):
    """A server that has been started, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> str | None:
        """How the server has ended, with its own words; None while it runs."""
        try:
            status = self.process.wait(DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return f"{self.name} {ending(status)}\n{own_words(self.log)}"


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    is_ready: Callable[[], bool],
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
    working_folder: Path | None = None,
    stop_seconds: float = 10.0,
) -> Iterator[Running]:
    """Run a server for the body of the `with` statement and yield it once it is ready.

    `folder` is the server's own: its log and temporary files are kept there, and it is the
    working folder unless another is named. Raises EngineError with the server's own words when
    it ends, or is not ready `timeout_seconds` after its start.
    """
    log = folder / "server.log"
    variables = inherited(folder) | dict(environment or {})
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            cwd=working_folder or folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Running(name, process, log)
        wait_until_ready(server, is_ready=is_ready, timeout_seconds=timeout_seconds)
        yield server
    finally:
        end(process, grace_seconds=stop_seconds)


def inherited(folder: Path) -> dict[str, str]:
    """Take over the caller's environment, with temporary files in `folder` and without a proxy."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    return kept | places | dict.fromkeys(("NO_PROXY", "no_proxy"), f"{LOOPBACK},localhost")


def wait_until_ready(
    server: Running, *, is_ready: Callable[[], bool], timeout_seconds: float
) -> None:
    """Return when the server answers, or raise EngineError when it has ended or time is up."""
    deadline = time.monotonic() + timeout_seconds
    while server.process.poll() is None:
        if is_ready():
            return
        if time.monotonic() > deadline:
            late = f"{server.name} was not ready after {timeout_seconds:g} s"
            raise EngineError(f"{late}\n{own_words(server.log)}")
        time.sleep(POLL_SECONDS)
    raise EngineError(server.ended())


def ending(status: int) -> str:
    """Say how a process ended."""
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def own_words(log: Path) -> str:
    """Quote the error lines of a log, or its last lines where no line is marked as an error."""
    written = log.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line for line in written if not any(known in line for known in HARMLESS)]
    errors = [line for line in lines if ERROR_LINE.match(line)]
    others = [line for line in lines if not INFORMATION.match(line)]
    return "\n".join(errors or others[-LAST_LINES:]) or "(its log does not say why)"


def end(process: subprocess.Popen[bytes], *, grace_seconds: float) -> None:
    """End a process and whatever it started: asked first, killed when the grace is over."""
    try:
        send(process, signal.SIGTERM)
        wait_until_gone(process, timeout_seconds=grace_seconds)
    finally:  # also when a second Ctrl-C cuts the grace short
        send(process, signal.SIGKILL)
        wait_until_gone(process, timeout_seconds=KILL_SECONDS)
        process.wait()


def wait_until_gone(process: subprocess.Popen[bytes], *, timeout_seconds: float) -> None:
    """Return when nothing of a server runs any more, or when time is up."""
    deadline = time.monotonic() + timeout_seconds
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to every member of a server's process group that is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def is_alive(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a server, or anything it started, still runs."""
    process.poll()  # reaps the leader, which would otherwise count as a member
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
