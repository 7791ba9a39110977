"""The options of target triton, as options.schema.json describes them."""

from dataclasses import dataclass, field
from typing import Literal

from generator.patches import Patch

TensorNames = Literal["index", "forward"]


@dataclass(frozen=True)
class Names:
    service: str | None = None
    model: str | None = None
    images: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    deployment_mode: Literal["Knative", "Standard"] = "Knative"
    runtime: str = "own"
    runtime_version: str = "26.11-py3"
    tensor_names: TensorNames | None = None
    names: Names = Names()
    patches: tuple[Patch, ...] = ()
