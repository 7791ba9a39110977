"""The rendered projects whose images are built, and the bundles that these run on."""

import re
import shutil
import sys
from pathlib import Path

import machine
from builds import Recipe

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "images"
BUNDLES = WORK / "bundles"
RENDERED = ROOT / "rendered"
EXPORT_SECONDS = 600

TRITON = Path("cifar10/triton")
SPLIT = Path("seldon-docker/seldon")
EMBEDDED = Path("landmarks-targets/seldon")
TORCHSERVE = Path("mnist-kubernetes/torchserve")
SPECS = {
    TRITON: "specs/cifar10.yaml",
    SPLIT: "specs/variants/seldon-docker.yaml",
    EMBEDDED: "specs/variants/landmarks-targets.yaml",
    TORCHSERVE: "specs/variants/mnist-kubernetes.yaml",
}

# The index has torch for CPUs for this Python alone: both sides of the comparison are built on it.
COMPARED_BASE = "docker.io/library/python:3.11-slim-bookworm"
COMPARED = "localhost/transformer-on-python-3.11:latest"
TORCHVISION = "localhost/transformer-with-torchvision:latest"
TORCHVISION_FILES = Path(__file__).parent / "torchvision_transformer"


def manifests(project: Path) -> Path:
    """The folder of a project's manifests."""
    return RENDERED / project / "manifests"


def export() -> None:
    """Write the bundle of each project, as its user does."""
    for project, spec in SPECS.items():
        machine.report(f"exporting {project}")
        command = [sys.executable, "-m", "generator", "export", str(ROOT / spec)]
        command += ["--target", project.name, "--output", str(BUNDLES)]
        machine.run(command, timeout_seconds=EXPORT_SECONDS)


def recipes() -> list[Recipe]:
    """List all images to build, the comparison's last."""
    found = [*rendered(TRITON), *rendered(SPLIT), *rendered(EMBEDDED)]
    found += rendered(TORCHSERVE, context=BUNDLES / TORCHSERVE)
    ours = RENDERED / TRITON / "images/transformer"
    theirs = torchvision_context(ours)
    return [
        *found,
        Recipe(COMPARED, ours / "Dockerfile", ours, COMPARED_BASE),
        Recipe(TORCHVISION, theirs / "Dockerfile", theirs),
    ]


def rendered(project: Path, context: Path | None = None) -> list[Recipe]:
    """The images of a project's manifests, each with its own folder as the context if not told."""
    texts = [path.read_text("utf-8") for path in manifests(project).glob("*.yaml")]
    names = {name for text in texts for name in re.findall(r"image: (docker\.io/acme/\S+)", text)}
    return [
        Recipe(name, dockerfile, context or dockerfile.parent)
        for dockerfile in sorted((RENDERED / project / "images").glob("*/Dockerfile"))
        for name in sorted(names)
        if name.partition(":")[0].endswith(f"-{dockerfile.parent.name}")
    ]


def torchvision_context(ours: Path) -> Path:
    """Lay out the rendered transformer with its transforms written in torchvision."""
    theirs = WORK / "torchvision_transformer"
    shutil.rmtree(theirs, ignore_errors=True)
    shutil.copytree(ours, theirs)
    shutil.copytree(TORCHVISION_FILES, theirs, dirs_exist_ok=True)
    return theirs
