"""Base images that cannot be pulled here, made on this machine under the names of FROM lines."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import machine

from generator.diagnostics import CannotRun
from generator.engines import environments

RECIPES = Path(__file__).parent / "stand_ins"
MADE_FROM = "serving-generator.made-from"
BUILD_SECONDS = 1800

PYTHON = re.compile(r"docker\.io/library/python:(3\.\d+)-slim-bookworm")
TORCHSERVE = "docker.io/pytorch/torchserve:0.12.0-cpu"
PYTHON_OF_TORCHSERVE = "docker.io/library/python:3.11-slim-bookworm"

# What a copied interpreter's own modules load; Debian's Python brings them along.
LIBRARIES = (
    *("libbz2-1.0", "libexpat1", "libffi8", "libgdbm6", "liblzma5", "libncursesw6"),
    *("libreadline8", "libsqlite3-0", "libssl3", "libuuid1", "tzdata", "zlib1g"),
)
DEBIANS_PYTHON = ("python3", "python3-pip")
# As Debian's own images for containers leave out.
WITHOUT = tuple(f"path-exclude=/usr/share/{each}/*" for each in ("doc", "info", "locale", "man"))
NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", "config-*", "idlelib", "site-packages", "test", "tests"
)

BUILD = ("--isolation=chroot", "--pull-never", "--format=docker", "--timestamp=0")


def base_of(dockerfile: Path) -> str:
    """The base image that a rendered Dockerfile names."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile.read_text("utf-8"), re.MULTILINE)
    assert found, f"{dockerfile} names no base"
    return found[1]


def prepare(base: str, settings: list[str]) -> None:
    """Make the stand-in of a base image where it is missing or was made of something else."""
    if base == TORCHSERVE:
        prepare(PYTHON_OF_TORCHSERVE, settings)
        torchserve(settings)
    elif found := PYTHON.fullmatch(base):
        python(base, found[1])
    else:
        raise CannotRun(f"there is no stand-in for {base}")


def python(base: str, version: str) -> None:
    """Make Debian with a Python: this machine's of that version, or else Debian's own, 3.11."""
    recipe = RECIPES / "python" / "Dockerfile"
    prefix = interpreter(version)
    packages = LIBRARIES if prefix else DEBIANS_PYTHON
    key = digest(recipe.read_text("utf-8"), str(prefix), *WITHOUT, *packages)
    if made_from(base) == key:
        return
    machine.report(f"making {base} of {prefix or 'Debian and its python3'}")
    with tempfile.TemporaryDirectory(dir=machine.storage()) as name:
        context = Path(name)
        shutil.copy(recipe, context)
        (context / "python").mkdir()
        if prefix:
            copy_interpreter(prefix, version, context / "python")
        wanted = ["--variant=minbase", *(f"--dpkgopt={option}" for option in WITHOUT)]
        wanted += [f"--include=ca-certificates,netbase,{','.join(packages)}", "bookworm"]
        command = ["mmdebstrap", *wanted, str(context / "debian.tar")]
        machine.run(command, timeout_seconds=BUILD_SECONDS)
        build(base, key, context, [])


def interpreter(version: str) -> Path | None:
    """Find the installation of a `pythonX.Y` of this machine that can be copied elsewhere."""
    try:
        asked = subprocess.run(
            [f"python{version}", "-c", "import sys; print(sys.base_prefix)"],
            env=os.environ | {"PYENV_VERSION": version},
            check=True,
            capture_output=True,
            text=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    prefix = Path(asked.stdout.strip())
    return None if prefix == Path("/usr") else prefix


def copy_interpreter(prefix: Path, version: str, place: Path) -> None:
    """Copy a Python without its packages, tests and development files, as slim images have it."""
    for folder in ("bin", "lib"):
        (place / folder).mkdir()
    shutil.copy(prefix / f"bin/python{version}", place / "bin")
    (place / "bin/python3").symlink_to(f"python{version}")
    shutil.copytree(
        prefix / f"lib/python{version}", place / f"lib/python{version}", ignore=NOT_COPIED
    )
    for library in (prefix / "lib").glob(f"libpython{version}.so*"):
        shutil.copy(library, place / "lib")


def torchserve(settings: list[str]) -> None:
    """Make TorchServe's image of the server on the package index."""
    recipe = RECIPES / "torchserve" / "Dockerfile"
    requirements = environments.REQUIREMENTS / "torchserve.txt"
    parts = [path.read_text("utf-8") for path in (recipe, requirements)]
    key = digest(*parts, made_from(PYTHON_OF_TORCHSERVE))
    if made_from(TORCHSERVE) == key:
        return
    machine.report(f"making {TORCHSERVE} of TorchServe on the package index")
    with tempfile.TemporaryDirectory(dir=machine.storage()) as name:
        shutil.copy(recipe, name)
        shutil.copy(requirements, Path(name) / "requirements.txt")
        build(TORCHSERVE, key, Path(name), settings)


def build(base: str, key: str, context: Path, settings: list[str]) -> None:
    """Build a stand-in, which says in a label what it was made from."""
    told = [f"--label={MADE_FROM}={key}", f"--tag={base}"]
    command = [*machine.buildah("bud"), *BUILD, *settings, *told, str(context)]
    machine.run(command, timeout_seconds=BUILD_SECONDS)


def made_from(image: str) -> str:
    """Read what a stand-in says that it was made from; nothing when there is none."""
    label = f'{{{{index .Labels "{MADE_FROM}"}}}}'
    try:
        return machine.run(
            [*machine.podman(), "image", "inspect", "--format", label, image], timeout_seconds=60
        ).strip()
    except machine.Failed:
        return ""


def digest(*parts: str) -> str:
    """Hash what a stand-in is made from."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
