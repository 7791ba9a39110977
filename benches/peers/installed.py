"""Where the neighbours stand on this machine, each in a folder of its own in the user's cache."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from generator.engines import EngineMissing, environments

HERE = Path(__file__).parent
PACKAGE = HERE / "package.json"
INSTALLABLE = ("copier", "kapitan", "cdk8s")
HINT = "not installed: make bench-peers"
INSTALL_SECONDS = 600


class Missing(LookupError):
    """A neighbour that does not stand here; says why."""


def python_programs(name: str) -> Path:
    """The folder of a Python neighbour's programs; raises Missing."""
    folder = environments.folder(f"bench-{name}", [HERE / f"{name}.txt"])
    if not environments.is_complete(folder):
        raise Missing(HINT)
    return environments.Environment(folder).programs


def cdk8s_modules() -> Path:
    """The folder that node finds cdk8s in; raises Missing."""
    folder = _cdk8s_folder()
    if not environments.is_complete(folder):
        raise Missing(HINT)
    return folder / "node_modules"


def node() -> str:
    """The program; raises Missing."""
    if program := shutil.which("node"):
        return program
    raise Missing("no node on the path")


def install(name: str, report: Callable[[str], None]) -> None:
    """Make what a neighbour runs in, unless it is there; raises Missing with the reason."""
    try:
        if name == "cdk8s":
            _install_cdk8s(report)
        else:
            environments.prepare(f"bench-{name}", [HERE / f"{name}.txt"], report=report)
    except EngineMissing as error:
        raise Missing(str(error)) from error


def _install_cdk8s(report: Callable[[str], None]) -> None:
    folder = _cdk8s_folder()
    with environments.locked(environments.lock_of(folder), name="cdk8s", report=report):
        if environments.is_complete(folder):
            return
        npm = shutil.which("npm")
        if not npm:
            raise Missing("no npm on the path")
        report(f"installing cdk8s into {folder} (once)")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(PACKAGE, folder)
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
        if ran.returncode:
            raise Missing(ran.stderr.strip())
        (folder / environments.MARKER).touch()


def _cdk8s_folder() -> Path:
    digest = hashlib.sha256(PACKAGE.read_bytes()).hexdigest()[:12]
    return environments.cache() / f"bench-cdk8s-{digest}"
