"""The options of target torchserve, as options.schema.json describes them."""

from typing import Literal

from msgspec import Struct, field

from generator.patches import Patch

Platform = Literal["kserve", "docker", "kubernetes"]


class Names(Struct, frozen=True):
    service: str | None = None
    model: str | None = None
    images: dict[str, str] = field(default_factory=dict)


class Explain(Struct, frozen=True):
    """What answers /explanations/<model>; `steps` are those of the integral."""

    method: Literal["integrated_gradients"] = "integrated_gradients"
    steps: int = 50


class PrebuiltArchive(Struct, frozen=True):
    """A .mar that is there already: a path relative to the spec, or a URI."""

    uri: str
    sha256: str | None = None


class Options(Struct, frozen=True):
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
