"""The machine that images are built and run on: its programs, and a storage of our own on it."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from generator.diagnostics import CannotRun
from generator.engines import environments, process

PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap")  # each in Debian's package of its name
PODMAN = ("--runtime=runc", "--cgroup-manager=cgroupfs")
END_SECONDS = 10
LAST_LINES = 25


class Failed(Exception):
    """An image that does not build, does not answer rightly or does not stop."""


def check() -> None:
    """Raise CannotRun, before anything is done, when the machine lacks something."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        install = f"apt-get install --no-install-recommends {' '.join(missing)}"
        raise CannotRun(f"{', '.join(missing)} not found: {install}")
    if os.geteuid() != 0:
        raise CannotRun("only root can make the base images and mount what they run on")


def storage() -> Path:
    """Name the folder that holds all images, containers and mounts."""
    return environments.cache().parent / "containers"


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Keep the storage for one run, and leave no container and no mount in it."""
    storage().mkdir(parents=True, exist_ok=True)
    with (storage() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(f"another run uses {storage()}") from None
        sweep()
        try:
            yield
        finally:
            sweep()


def sweep() -> None:
    """Remove the containers and mounts of this run, or of one that was killed."""
    run([*podman(), "rm", "--all", "--force", "--time=0"], timeout_seconds=60)
    run([*buildah("rm"), "--all"], timeout_seconds=60)
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    for place in sorted((place for place in mounts if is_ours(Path(place))), reverse=True):
        run(["umount", place], timeout_seconds=60)


def is_ours(place: Path) -> bool:
    """Tell whether a path lies in the storage."""
    return storage().resolve() in place.parents


def remove() -> None:
    """Remove the storage with all that is in it."""
    with held():
        report(f"removing {storage()}")
    shutil.rmtree(storage())


def podman() -> list[str]:
    """Podman on our storage."""
    return ["podman", *_places(), *PODMAN, f"--tmpdir={storage() / 'run' / 'libpod'}"]


def buildah(command: str) -> list[str]:
    """A command of buildah on our storage."""
    return ["buildah", *_places(), command]


def _places() -> list[str]:
    places = [f"--root={storage() / 'root'}", f"--runroot={storage() / 'run'}"]
    return [*places, "--storage-driver=overlay"]


def run(command: Sequence[str], *, timeout_seconds: float) -> str:
    """Run a program to its end and return what it printed on stdout; raises Failed.

    A program that is too slow or is interrupted ends with all that it has started.
    """
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        printed = started.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{said(command)}: not done after {timeout_seconds:g} s") from None
    finally:
        process.end(started, grace_seconds=END_SECONDS)
    out, err = (each.decode("utf-8", "replace") for each in printed)
    if started.returncode:
        raise Failed(f"{said(command)}: {process.ending(started.returncode)}\n{tail(out + err)}")
    return out


def said(command: Sequence[str]) -> str:
    """Name a command by its first words that are no options."""
    return " ".join([word for word in command if not word.startswith("-")][:3])


def tail(text: str) -> str:
    """The last lines of a text."""
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])


def report(line: str) -> None:
    """Say on stderr what is going on, with the time since the start of this program."""
    sys.stderr.write(f"{time.monotonic() - STARTED:6.1f} s  {line}\n")


STARTED = time.monotonic()
