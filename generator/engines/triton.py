"""NVIDIA's tritonserver, taken from the nvidia-pytriton wheel, with backends written in Python."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from generator.engines import EngineMissing, Report, environments, ports, process, silent
from generator.engines.triton_repository import readable

HERE = Path(__file__).parent
# What the server loads of each backend of ours, by the names that it has there.
BACKENDS = {
    "pytorch": {
        "model.py": HERE / "triton_pytorch_backend.py",
        "aoti_program.py": HERE / "triton_aoti_program.py",
    },
    "onnxruntime": {"model.py": HERE / "triton_onnxruntime_backend.py"},
}
REQUIREMENTS = tuple(
    environments.REQUIREMENTS / name for name in ("triton.txt", "triton_onnxruntime.txt")
)
STOP_SECONDS = 5  # for the requests that it still has
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  no file of ours: where Linux has shared memory

# Debian's package of each library that the wheel expects to find on the machine.
DEBIAN_PACKAGE = {
    "libexpat.so.1": "libexpat1",
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}


class Server(Struct, frozen=True):
    """A server that is ready with all its models.

    Addresses are host:port; `ended` tells how it has ended, None while it runs.
    """

    http: str
    grpc: str
    metrics: str
    log: Path
    ended: Callable[[], str | None]


class Installation(Struct, frozen=True):
    """The files of an installed server."""

    environment: environments.Environment

    @property
    def root(self) -> Path:
        """The folder that holds the server, its backends and its caches."""
        return self.environment.packages / "pytriton" / "tritonserver"

    @property
    def program(self) -> Path:
        """The server itself."""
        return self.root / "bin" / "tritonserver"

    @property
    def stub(self) -> Path:
        """The program that runs a Python model, built for this version of Python."""
        major, minor = sys.version_info[:2]
        folder = self.root / "python_backend_stubs" / f"{major}.{minor}"
        return folder / "triton_python_backend_stub"

    @property
    def library_path(self) -> str:
        """Where the loader finds the wheel's libraries and the interpreter's libpython."""
        own = [str(self.environment.packages / "nvidia_pytriton.libs")]
        interpreter = [sysconfig.get_config_var("LIBDIR") or "", f"{sys.base_prefix}/lib"]
        caller = [os.environ.get("LD_LIBRARY_PATH", "")]
        return os.pathsep.join(dict.fromkeys(filter(None, own + interpreter + caller)))


def prepare(*, report: Report = silent) -> Installation:
    """Return an installed server that has all the libraries it needs, or raise EngineMissing."""
    installation = Installation(
        environments.prepare("triton", REQUIREMENTS, with_dependencies=False, report=report)
    )
    if not installation.stub.is_file():
        major, minor = sys.version_info[:2]
        raise EngineMissing(f"the server's Python backend has no build for Python {major}.{minor}")
    for program in (installation.program, installation.stub):
        if missing := missing_libraries(program, installation.library_path):
            raise EngineMissing(
                f"{program.name} needs {', '.join(missing)}, which this machine lacks: "
                f"apt-get install {' '.join(map(debian_package, missing))}"
            )
    return installation


def missing_libraries(program: Path, library_path: str) -> tuple[str, ...]:
    """Ask the dynamic loader which of a program's shared libraries it does not find."""
    variables = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_LIBRARY_PATH": library_path}  # man ld.so
    listing = subprocess.run([program], env=variables, capture_output=True, text=True, check=False)
    return tuple(re.findall(r"^\s*(\S+) => not found", listing.stdout, re.MULTILINE))


def debian_package(library: str) -> str:
    """Name the Debian package of a library: `libpython3.11.so.1.0` is in `libpython3.11`."""
    return DEBIAN_PACKAGE.get(library, library.partition(".so")[0])


@contextlib.contextmanager
def serve(
    repository: Path,
    *,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    report: Report = silent,
    timeout_seconds: float = 120.0,
) -> Iterator[Server]:
    """Serve a model repository as it is: nothing is completed, and one bad model ends the server.

    Models of the PyTorch backend run on the calling interpreter's torch; `variables` reach
    the server and them. Raises EngineError with the server's own error lines.
    """
    shared = environments.torch_packages()
    installation = prepare(report=report)
    http, grpc, metrics = (f"{ports.LOOPBACK}:{port}" for port in ports.free_ports(3))
    with tempfile.TemporaryDirectory(prefix="triton-") as name:
        folder = Path(name)
        command = [
            str(installation.program),
            f"--model-repository={readable(repository.resolve(), folder / 'repository')}",
            f"--backend-directory={backends(installation, folder / 'backends')}",
            f"--cache-directory={installation.root / 'caches'}",
            # Named after our folder, so that regions of a killed server can be told and removed.
            f"--backend-config=python,shm-region-prefix-name={folder.name}-",
            *listening(http=http, grpc=grpc, metrics=metrics),
            "--model-control-mode=none",
            "--exit-on-error=true",
            "--strict-readiness=true",
            "--disable-auto-complete-config",
            f"--exit-timeout-secs={STOP_SECONDS}",
            "--allow-gpu-metrics=false",
            *arguments,
        ]
        own = {
            # The backend takes the first python3 on PATH for its models.
            "PATH": os.pathsep.join([str(installation.environment.programs), os.environ["PATH"]]),
            "LD_LIBRARY_PATH": installation.library_path,
            environments.SHARED_PACKAGES: str(shared),
            "PYTHONDONTWRITEBYTECODE": "1",  # a repository with Python models stays as it is
        }
        try:
            with process.running(
                "tritonserver",
                command,
                folder=folder,
                is_ready=lambda: ports.is_ok(http, "/v2/health/ready"),
                timeout_seconds=timeout_seconds,
                environment={**(variables or {}), **own},
                stop_seconds=STOP_SECONDS,
            ) as running:
                yield Server(http, grpc, metrics, running.log, running.ended)
        finally:
            for region in SHARED_MEMORY.glob(f"{folder.name}-*"):
                region.unlink(missing_ok=True)


def backends(installation: Installation, folder: Path) -> Path:
    """Lay out a backend directory: the wheel's Python backend, and ours on top of it."""
    python = folder / "python"
    python.mkdir(parents=True)
    shipped = installation.root / "backends" / "python"
    # Copied, because the server refuses a library that a link leads out of this directory.
    for file in (
        shipped / "libtriton_python.so",
        shipped / "triton_python_backend_utils.py",
        installation.stub,
    ):
        shutil.copy(file, python)
    for backend, files in BACKENDS.items():
        (folder / backend).mkdir()
        for name, file in files.items():
            shutil.copy(file, folder / backend / name)
    return folder


def listening(**addresses: str) -> Iterator[str]:
    """Give the flags that bind each named service to its host:port."""
    for service, address in addresses.items():
        host, _, port = address.partition(":")
        yield f"--{service}-address={host}"
        yield f"--{service}-port={port}"
