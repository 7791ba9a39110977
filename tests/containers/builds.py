"""Rendered Dockerfiles built as they are, and what came of them."""

import contextlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import stand_ins

BUILD_SECONDS = 1800
UNPRIVILEGED = re.compile(r"[1-9]\d*(:\d+)?")  # kubelet cannot tell from a name, runAsNonRoot


@dataclass(frozen=True)
class Recipe:
    """An image to build: its name, its Dockerfile, the folder of its files, and another base."""

    image: str
    dockerfile: Path
    context: Path
    other_base: str = ""

    @property
    def base(self) -> str:
        """The image that it starts from."""
        return self.other_base or stand_ins.base_of(self.dockerfile)


@dataclass(frozen=True)
class Built:
    """An image as it was built; `seconds` is 0 where a run before has built the same."""

    size_bytes: int
    beyond_base_bytes: int
    beyond_base_layers: int
    seconds: float
    has_torch: bool


def build(recipe: Recipe, settings: Sequence[str]) -> Built:
    """Build an image with the machine's settings of pip, none of which it may keep."""
    machine.report(f"building {recipe.image}")
    arguments = [f"--build-arg=BASE_IMAGE={recipe.other_base}"] if recipe.other_base else []
    began = time.monotonic()
    before = image_id(recipe.image)
    machine.run(
        [
            *(*machine.buildah("bud"), *stand_ins.BUILD, *settings, *arguments),
            *("--layers", "--platform=linux/amd64", f"--tag={recipe.image}"),
            *(f"--file={recipe.dockerfile}", str(recipe.context)),
        ],
        timeout_seconds=BUILD_SECONDS,
    )
    seconds = time.monotonic() - began
    image, base = inspected(recipe.image), inspected(recipe.base)
    user = image["Config"].get("User", "")
    if not UNPRIVILEGED.fullmatch(user):
        raise machine.Failed(f"{recipe.image} runs as {user!r}, which Kubernetes may take for root")
    with mounted(recipe.image) as root:
        left = [str(path) for path in (root / "mnt").iterdir()]
        if left or (root / "etc/pip.conf").stat().st_size:
            raise machine.Failed(f"{recipe.image} keeps settings of this machine's pip: {left}")
        has_torch = any(root.glob("usr/**/*-packages/torch"))
    return Built(
        size_bytes=image["Size"],
        beyond_base_bytes=image["Size"] - base["Size"],
        beyond_base_layers=len(image["RootFS"]["Layers"]) - len(base["RootFS"]["Layers"]),
        seconds=0.0 if image_id(recipe.image) == before else seconds,
        has_torch=has_torch,
    )


def image_id(image: str) -> str:
    """The id of an image; nothing where there is none."""
    command = [*machine.podman(), "images", "--quiet", "--no-trunc", image]
    return machine.run(command, timeout_seconds=60).strip()


def inspected(image: str) -> dict[str, Any]:
    """What podman tells of an image."""
    command = [*machine.podman(), "image", "inspect", image]
    [told] = json.loads(machine.run(command, timeout_seconds=60))
    return dict(told)


@contextlib.contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The files of an image."""
    command = [*machine.podman(), "image"]
    try:
        yield Path(machine.run([*command, "mount", image], timeout_seconds=60).strip())
    finally:
        machine.run([*command, "umount", image], timeout_seconds=60)
