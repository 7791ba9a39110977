"""The options of target torchserve, as options.schema.json describes them."""

from dataclasses import dataclass, field
from typing import Literal

from generator.patches import Patch

Platform = Literal["kserve", "docker", "kubernetes"]


@dataclass(frozen=True)
class Names:
    service: str | None = None
    model: str | None = None
    images: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Explain:
    """What answers /explanations/<model>; `steps` are those of the integral."""

    method: Literal["integrated_gradients"] = "integrated_gradients"
    steps: int = 50


@dataclass(frozen=True)
class PrebuiltArchive:
    """A .mar that is there already: a path relative to the spec, or a URI."""

    uri: str
    sha256: str | None = None


@dataclass(frozen=True)
class Options:
    platform: Platform = "kserve"
    deployment_mode: Literal["Knative", "Standard"] | None = None
    base_image: str | None = None
    handler: str | None = None
    explain: Explain | None = None
    archive: Literal["export", "job"] | PrebuiltArchive = "export"
    also_serves: tuple[str, ...] = ()
    job_queue_size: int | None = None
    settings: dict[str, str | int | bool] = field(default_factory=dict)
    names: Names = Names()
    patches: tuple[Patch, ...] = ()
