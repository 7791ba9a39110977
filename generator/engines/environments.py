"""An engine's virtual environment: made on first use in the user's cache, then kept.

Engines conflict with each other and with the caller (numpy 1 against 2, protobuf 3 against 6),
so each has an environment of its own, named after a hash of what is installed in it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from generator.engines import EngineMissing, Report, silent
from generator.engines.installation import install

REQUIREMENTS = Path(__file__).parent / "requirements"
MARKER = "complete"  # written last: an environment without it is half-made

# Appends the folder named in SHARED_PACKAGES to sys.path, behind the environment's own packages.
# A process says what it shares, so one environment serves callers with different torches.
SHARED_PACKAGES = "SERVING_GENERATOR_SHARED_PACKAGES"
SHARING_FILE = "serving_generator_sharing.pth"
SHARING = (  # one line, which site runs twice in a virtual environment
    f"import os, sys; shared = os.environ.get({SHARED_PACKAGES!r}); "
    "shared in (None, '', *sys.path) or sys.path.append(shared)\n"
)


class Environment(Struct, frozen=True):
    """A virtual environment that is complete."""

    folder: Path

    @property
    def programs(self) -> Path:
        """The folder of its interpreter and scripts."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.programs / "python3"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        major, minor = sys.version_info[:2]
        return self.folder / "lib" / f"python{major}.{minor}" / "site-packages"


def prepare(
    name: str,
    requirements: Sequence[Path],
    *,
    constraints: Sequence[Path] = (),
    with_dependencies: bool = True,
    report: Report = silent,
) -> Environment:
    """Return the environment that holds exactly these requirement files, made when it is missing.

    `constraints` are files that pin packages without asking for them.
    Raises EngineMissing with pip's own words when the installation fails.
    """
    files = [*requirements, *constraints]
    environment = Environment(folder(name, files, with_dependencies=with_dependencies))
    with locked(lock_of(environment.folder), name=name, report=report):
        if not is_complete(environment.folder):
            options = [word for path in constraints for word in ("-c", str(path))]
            options += [] if with_dependencies else ["--no-deps"]
            install(name, environment.folder, requirements, options, report)
            (environment.packages / SHARING_FILE).write_text(SHARING, encoding="utf-8")
            (environment.folder / MARKER).touch()
    return environment


def folder(name: str, files: Sequence[Path], *, with_dependencies: bool = True) -> Path:
    """Name the folder of an environment with these requirement and constraint files."""
    return cache() / f"{name}-{digest(files, with_dependencies=with_dependencies)}"


def is_complete(environment: Path) -> bool:
    """Whether an environment has been made to its end."""
    return (environment / MARKER).is_file()


def lock_of(environment: Path) -> Path:
    """The file that is locked while an environment is made or removed."""
    return environment.with_suffix(".lock")


def cache() -> Path:
    """Name the folder that holds all environments (XDG Base Directory Specification)."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    return base / "serving-generator" / "engines"


def digest(files: Sequence[Path], *, with_dependencies: bool) -> str:
    """Hash what an environment depends on: its requirements and the interpreter it is made with."""
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    parts = [line for line in lines if line and not line.startswith("#")]
    parts += [str(with_dependencies), sys.version, sys.base_prefix, SHARING]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(path: Path, *, name: str, report: Report) -> Iterator[None]:
    """Let one run at a time make an environment; the lock ends with its holder in any case."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked_alone(path, wait=False))
        except BlockingIOError:
            report(f"waiting for another run that installs {name}")
            held.enter_context(locked_alone(path))
        yield


@contextlib.contextmanager
def locked_alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock; without waiting, raises BlockingIOError where another run holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, lock):  # else removed while this run waited
                yield
                return


def _is_at(path: Path, file: TextIO) -> bool:
    """Whether a path still names the file that was opened there."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def torch_packages() -> Path:
    """Find the folder that holds the calling interpreter's torch, to be shared into an engine.

    Shared and not installed anew, because it is large and the index's default is larger still
    (gigabytes of CUDA). A torch built against numpy 2 works with the numpy 1.26 that comes first
    on an engine's path: numpy 2 builds extensions that also load into numpy 1
    (numpy's "NumPy 2.0-specific advice for downstream package authors").
    """
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        raise EngineMissing(
            f"this engine runs your torch, and {sys.executable} has none: pip install torch==2.13.0"
        )
    return Path(found.origin).parents[1]
