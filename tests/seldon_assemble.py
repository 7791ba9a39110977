"""A stand-in for Seldon's s2i builder: what its scripts do with a folder, without a container.

The rules are those of wrappers/s2i/python/s2i/bin/assemble and run of SeldonIO/seldon-core, from
1.5 on. Nothing is installed: the command that would is told.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """The script ends with status 1."""


@dataclass(frozen=True)
class Assembled:
    """The image's folder /microservice, its variables, and how its packages are installed."""

    microservice: Path
    environment: dict[str, str]
    installs: tuple[str, ...]


def variables(source: Path) -> dict[str, str]:
    """What s2i itself reads before: a variable a line, and comments."""
    file = source / ".s2i" / "environment"
    if not file.is_file():
        return {}
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def assemble(source: Path, microservice: Path) -> Assembled:
    """Make an image's folder of a source folder; raises Failed where assemble gives up."""
    environment = variables(source)
    for name in ("MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE"):
        if not environment.get(name):
            raise Failed(f"Failed to find required env var {name}")
    shutil.copytree(source, microservice, dirs_exist_ok=True)
    installs = _installs(microservice, environment)
    if (microservice / "licenses").exists():
        raise Failed("mkdir: cannot create directory ./licenses: File exists")
    return Assembled(microservice, environment, installs)


def _installs(folder: Path, environment: dict[str, str]) -> tuple[str, ...]:
    """The first file that is there wins; the others are not looked at."""
    pip = ("pip", "install", "--find-links", "/whl")
    if (folder / "requirements.txt").is_file():
        return (*pip, "-r", "requirements.txt")
    if (folder / "setup.py").is_file():
        return (*pip, "-e", ".")
    if (folder / "environment.yml").is_file():
        name = environment.get("CONDA_ENV_NAME") or "microservice"
        return ("conda", "env", "create", "--name", name, "--file", "environment.yml")
    return ()


def run(image: Assembled) -> tuple[str, ...]:
    """The command that the image starts; raises Failed where the script gives up."""
    name, service_type = (image.environment.get(key) for key in ("MODEL_NAME", "SERVICE_TYPE"))
    if not name or not service_type:
        raise Failed("Failed to find required env vars MODEL_NAME, SERVICE_TYPE")
    command = ("seldon-core-microservice", name, "--service-type", service_type)
    persistence = image.environment.get("PERSISTENCE")
    return (*command, "--persistence", persistence) if persistence else command
