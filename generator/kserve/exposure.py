"""How KServe exposes a project: what its rules and manifests need to know of any target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TRANSFORMER = "transformer"
PERF = "perf"
HTTP_PORT = 8080  # of transformers, and KServe's default


@dataclass(frozen=True)
class Exposure:
    """An InferenceService as a target plans it.

    `built` are the components that have an image of the project's own; `image_names` are names
    that the spec gives to images; `renames_service`: the spec gives the service a name of its own.
    """

    target: str
    service: str
    deployment_mode: Literal["Knative", "Standard"]
    has_transformer: bool
    built: tuple[str, ...]
    image_names: Mapping[str, str]
    renames_service: bool
    is_plain: bool = False
    """A Deployment without KServe, which scales as KServe's Standard mode does."""

    @property
    def mode(self) -> str:
        """What scales the service, in the words of the spec."""
        return "platform kubernetes" if self.is_plain else f"{self.deployment_mode} mode"

    @property
    def other_mode(self) -> str:
        """What to set for the other way of scaling."""
        if self.is_plain:
            return "platform: kserve"
        return f"deployment_mode: {'Standard' if self.is_knative else 'Knative'}"

    @property
    def is_knative(self) -> bool:
        return self.deployment_mode == "Knative"
