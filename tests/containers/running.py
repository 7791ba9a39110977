"""One container under the constraints of its manifest, or stricter ones, without any network.

Podman shares the network of its caller, which has left the machine's: containers see each other
on the loopback interface as those of one pod do, on the manifest's ports, and nobody else.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import machine
from pods import Container

from generator.diagnostics import CannotRun
from generator.engines import ports
from generator.engines.ports import LOOPBACK

CLONE_NEWNET = 0x40000000  # sched.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # sockios.h, if.h

POLL_SECONDS = {"httpGet": 0.05, "exec": 0.5}  # a command starts in the container, at its cost
LOOK_SECONDS = 1.0  # between two looks at whether it still runs
START_SECONDS = 300
PROBE_SECONDS = 10
KILLED = 137

# Podman raises a container's limits above its caller's, which a sandbox refuses.
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000")
RESTRICTED = (
    *("--network=host", "--no-healthcheck", *LIMITS),
    # Kubernetes has no folders to write to beside /dev/shm, where podman would have /tmp and /run.
    *("--read-only", "--read-only-tmpfs=false"),
    *("--cap-drop=all", "--security-opt=no-new-privileges"),
)


@dataclass
class Run:
    """A container that has been started: what was measured on it so far, in seconds."""

    container: Container
    started: float = field(default_factory=time.monotonic)
    ready_seconds: float = 0.0
    answer_seconds: float = 0.0
    memory_bytes: int = 0
    stop_seconds: float = 0.0
    exit_status: int | None = None

    def has_answered(self) -> None:
        """Note when the first right answer came."""
        self.answer_seconds = time.monotonic() - self.started

    def address(self, port: int | str | None = None) -> str:
        """One of its ports as host:port, the first if none is named."""
        return f"{LOOPBACK}:{self.container.port(port)}"


def leave_network() -> None:
    """Move this thread, and what it starts from now on, to a network that is a loopback alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        reason = os.strerror(ctypes.get_errno())
        raise CannotRun(f"cannot make a network for containers alone: {reason}")
    with socket.socket() as any_socket:
        interface = struct.pack("16sh22x", b"lo", 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, interface))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


@contextlib.contextmanager
def running(
    container: Container,
    *,
    image: str = "",
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    volumes: Mapping[str, Path] | None = None,
) -> Iterator[Run]:
    """Start a container, wait until its probe passes, and stop it as a cluster does.

    `arguments` and `variables` are what a controller adds, `volumes` the folder for each volume
    that is read-only. Raises Failed with the container's own last lines.
    """
    machine.report(f"starting {image or container.image}")
    run = Run(container)
    with tempfile.TemporaryDirectory() as scratch:
        mounts = [f"{(volumes or {})[name]}:{path}:ro" for path, name in container.mounted.items()]
        mounts += [f"{empty(scratch)}:{path}:rw" for path in container.empty_folders]
        settings = {**container.variables, **(variables or {})}
        command = [
            *(*machine.podman(), "run", "--detach", f"--name={container.name}", *RESTRICTED),
            *(f"--memory={container.memory_bytes}", f"--cpus={container.cpus}"),
            *([f"--user={container.user}"] if container.user else []),
            *(f"--env={name}={value}" for name, value in settings.items()),
            *(f"--volume={mount}" for mount in mounts),
            *(image or container.image, *container.arguments, *arguments),
        ]
        try:
            machine.run(command, timeout_seconds=START_SECONDS)
            wait_until_ready(run)
            yield run
            run.memory_bytes = memory(container.name)
            stop(run)
        except machine.Failed as problem:
            raise machine.Failed(f"{problem}\n{words(container.name)}") from None
        finally:
            machine.run(
                [*machine.podman(), "rm", "--force", "--ignore", "--time=0", container.name],
                timeout_seconds=60,
            )


def empty(scratch: str) -> str:
    """Make a folder that any user may write to, as Kubernetes' emptyDir is."""
    folder = tempfile.mkdtemp(dir=scratch)
    Path(folder).chmod(0o777)
    return folder


def wait_until_ready(run: Run) -> None:
    """Return when the probe of the manifest passes; raises Failed."""
    look = 0.0
    [poll_seconds] = (POLL_SECONDS[kind] for kind in POLL_SECONDS if kind in run.container.probe)
    while not passes(run):
        passed = time.monotonic() - run.started
        if passed > START_SECONDS:
            raise machine.Failed(f"{run.container.name} is not ready after {START_SECONDS} s")
        if passed > look + LOOK_SECONDS:
            look = passed
            if inspected(run.container.name, "{{.State.Status}}") != "running":
                raise machine.Failed(f"{run.container.name} has ended")
        time.sleep(poll_seconds)
    run.ready_seconds = time.monotonic() - run.started


def passes(run: Run) -> bool:
    """Send a probe once."""
    match run.container.probe:
        case {"httpGet": {"path": str(path), "port": port}}:
            return ports.is_ok(run.address(port), path)
        case {"exec": {"command": list(command)}}:
            return executes(run.container.name, command)
    raise AssertionError(run.container.probe)


def executes(name: str, command: Sequence[str]) -> bool:
    """Tell whether a command in a container ends well."""
    with contextlib.suppress(machine.Failed):
        machine.run([*machine.podman(), "exec", name, *command], timeout_seconds=PROBE_SECONDS)
        return True
    return False


def inspected(name: str, wanted: str) -> str:
    """Ask podman for a value of a container."""
    command = [*machine.podman(), "container", "inspect", "--format", wanted, name]
    return machine.run(command, timeout_seconds=60).strip()


def words(name: str) -> str:
    """The last lines that a container wrote; nothing when there is none of that name."""
    command = [*machine.podman(), "logs", f"--tail={machine.LAST_LINES}", name]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return "" if done.returncode else done.stdout.rstrip()


def memory(name: str) -> int:
    """The bytes that the processes of a container hold, shared ones divided among them."""
    listing = machine.run([*machine.podman(), "top", name, "hpid"], timeout_seconds=60)
    pids = listing.split()[1:]
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8") for pid in pids]
    found = [line.split() for each in rollups for line in each.splitlines()]
    return 1024 * sum(int(line[1]) for line in found if line[0] == "Pss:")


def stop(run: Run) -> None:
    """Tell a container to stop, as a cluster does; raises Failed when it has to be killed."""
    name, grace = run.container.name, run.container.grace_seconds
    told = time.monotonic()
    machine.run([*machine.podman(), "stop", f"--time={grace}", name], timeout_seconds=grace + 60)
    run.stop_seconds = time.monotonic() - told
    run.exit_status = int(inspected(name, "{{.State.ExitCode}}"))
    if run.exit_status == KILLED:
        raise machine.Failed(f"{name} did not stop within {grace} s of SIGTERM")
