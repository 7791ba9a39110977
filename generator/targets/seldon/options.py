"""The options of target seldon, as options.schema.json describes them."""

from typing import Literal

from msgspec import Struct, field

from generator.patches import Patch

Role = Literal["input", "model", "output"]
Builder = Literal["docker", "s2i"]
ModelServer = Literal["container", "TORCH_SERVER", "TRITON_SERVER"]


class Called(Struct, frozen=True):
    """What a component is called, where the spec says so."""

    node: str | None = None
    class_name: str | None = None
    folder: str | None = None
    image: str | None = None


class Components(Struct, frozen=True):
    """What the components are called, by their roles."""

    input: Called = Called()
    model: Called = Called()
    output: Called = Called()

    def called(self, role: Role) -> Called:
        called: Called = getattr(self, role)
        return called


class Names(Struct, frozen=True):
    service: str | None = None
    predictor: str = "default"
    images: dict[str, str] = field(default_factory=dict)


class Options(Struct, frozen=True):
    builder: Builder = "docker"
    builder_image: str | None = None
    base_image: str | None = None
    wrapper_version: str | None = None
    python_version: str | None = None
    torch_version: str | None = None
    dependencies: Literal["pip", "conda"] = "pip"
    conda_env_name: str | None = None
    model_server: ModelServer = "container"
    triton_version: str | None = None
    rclone_remote: str | None = None
    components: Components = Components()
    names: Names = Names()
    patches: tuple[Patch, ...] = ()
