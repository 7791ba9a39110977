"""The options of target triton, as options.schema.json describes them."""

from typing import Literal

from msgspec import Struct, field

from generator.patches import Patch

TensorNames = Literal["index", "forward"]


class Names(Struct, frozen=True):
    service: str | None = None
    model: str | None = None
    images: dict[str, str] = field(default_factory=dict)


class Options(Struct, frozen=True):
    deployment_mode: Literal["Knative", "Standard"] = "Knative"
    runtime: str = "own"
    runtime_version: str = "26.11-py3"
    tensor_names: TensorNames | None = None
    names: Names = Names()
    patches: tuple[Patch, ...] = ()
