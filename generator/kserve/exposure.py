"""How KServe exposes a project: what its rules and manifests need to know of any target."""

from collections.abc import Mapping
from typing import Literal

from generator.workload import Workload

TRANSFORMER = "transformer"

DeploymentMode = Literal["Knative", "Standard"]


class Exposure(Workload, frozen=True):
    """An InferenceService as a target plans it."""

    @property
    def has_transformer(self) -> bool:
        return TRANSFORMER in self.components

    @property
    def is_knative(self) -> bool:
        return self.scaler == "knative"

    @property
    def deployment_mode(self) -> DeploymentMode:
        return "Knative" if self.is_knative else "Standard"


def exposed(
    *,
    target: str,
    service: str,
    deployment_mode: DeploymentMode,
    has_transformer: bool,
    built: tuple[str, ...],
    image_names: Mapping[str, str],
    renames_service: bool,
) -> Exposure:
    """The exposure of a service that KServe deploys in one of its modes."""
    other = "Standard" if deployment_mode == "Knative" else "Knative"
    return Exposure(
        target=target,
        service=service,
        scaler="knative" if deployment_mode == "Knative" else "hpa",
        mode=f"{deployment_mode} mode",
        other_mode=f"deployment_mode: {other}",
        components=(TRANSFORMER,) if has_transformer else (),
        built=built,
        image_names=image_names,
        renames_service=renames_service,
    )
