"""An engine's virtual environment: made on first use in the user's cache, then kept.

Engines conflict with each other and with the caller (numpy 1 against 2, protobuf 3 against 6),
so each has an environment of its own, named after a hash of what is installed in it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.engines import EngineError, Report, silent

REQUIREMENTS = Path(__file__).parent / "requirements"
MARKER = "complete"  # written last: an environment without it is half-made
INSTALL_SECONDS = 1800

# Appends the folder named in SHARED_PACKAGES to sys.path, behind the environment's own packages.
# A process says what it shares, so one environment serves callers with different torches.
SHARED_PACKAGES = "SERVING_GENERATOR_SHARED_PACKAGES"
SHARING = (  # one line, which site runs twice in a virtual environment
    f"import os, sys; shared = os.environ.get({SHARED_PACKAGES!r}); "
    "shared in (None, '', *sys.path) or sys.path.append(shared)\n"
)


@dataclass(frozen=True)
class Environment:
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
    Raises EngineError with pip's own words when the installation fails.
    """
    files = [*requirements, *constraints]
    folder = cache() / f"{name}-{digest(files, with_dependencies=with_dependencies)}"
    environment = Environment(folder)
    with locked(folder.with_suffix(".lock"), name=name, report=report):
        if not (folder / MARKER).is_file():
            options = [word for path in constraints for word in ("-c", str(path))]
            options += [] if with_dependencies else ["--no-deps"]
            install(name, environment, requirements, options, report)
            (folder / MARKER).touch()
    return environment


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another run that installs {name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(
    name: str,
    environment: Environment,
    requirements: Sequence[Path],
    options: Sequence[str],
    report: Report,
) -> None:
    """Make an environment from nothing, over whatever an interrupted run left."""
    if environment.folder.exists():
        shutil.rmtree(environment.folder)
    report(f"installing {name} into {environment.folder} (once)")
    # Isolated (-I): pip would take packages on the caller's PYTHONPATH for installed ones.
    run(name, [sys.executable, "-I", "-m", "venv", str(environment.folder)])
    files = [word for path in requirements for word in ("-r", str(path))]
    pip = [str(environment.python), "-I", "-m", "pip", "install", "--quiet", "--no-input", *options]
    run(name, [*pip, *files])
    (environment.packages / "serving_generator_sharing.pth").write_text(SHARING, encoding="utf-8")
    report(f"installed {name}")


def run(name: str, command: Sequence[str]) -> None:
    """Run one step of an installation, or raise EngineError with what it said."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"installing {name} took longer than {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise EngineError(f"cannot install {name}: {complaint(done.stdout)}")


def complaint(output: str) -> str:
    """Quote the errors in the output of venv or pip, and say what is needed for them to go away."""
    lines = output.strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-10:]
    needs = "the first use of an engine needs the package index that pip is set up for"
    return "\n".join([*errors, needs])


def torch_packages() -> Path:
    """Find the folder that holds the calling interpreter's torch, to be shared into an engine.

    Shared and not installed anew, because it is large and the index's default is larger still
    (gigabytes of CUDA). A torch built against numpy 2 works with the numpy 1.26 that comes first
    on an engine's path: numpy 2 builds extensions that also load into numpy 1
    (numpy's "NumPy 2.0-specific advice for downstream package authors").
    """
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        raise EngineError(
            f"this engine runs your torch, and {sys.executable} has none: pip install torch==2.13.0"
        )
    return Path(found.origin).parents[1]
