"""The manifests of a render, each with the file it stands in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from generator import manifests
from generator.document import Pointer, Text
from generator.live_cluster.parts import Json, mapping, text
from generator.pipeline import Build, folder_of
from generator.quoting import format_of
from generator.validate import Deployment

# For programs that run elsewhere: no API server is ever sent these.
_NOT_FOR_CLUSTERS = ("kustomize.config.k8s.io/", "Kustomization"), ("", "ConfigManagementPlugin")
SERVICES = "manifests"
"""The folder of what Argo CD or kubectl applies as it is; other folders are applied on purpose."""
MANAGED_BY, OURS, NAME = (
    "app.kubernetes.io/managed-by",
    "serving-generator",
    "app.kubernetes.io/name",
)


@dataclass(frozen=True, eq=False)
class Rendered:
    """One manifest; `namespace` is where it goes."""

    path: PurePosixPath
    manifest: manifests.Manifest
    namespace: str
    deployment: Deployment

    @cached_property
    def data(self) -> Json:
        return mapping(self.manifest.data)

    @property
    def api_version(self) -> str:
        return text(self.data, "apiVersion")

    @property
    def kind(self) -> str:
        return text(self.data, "kind")

    @property
    def name(self) -> str:
        return text(self.data, "metadata", "name")

    @property
    def shown(self) -> str:
        environment = self.deployment.project.environment
        rest = f" of {environment}" if environment else ""
        return f"{self.kind} {self.namespace}/{self.name}{rest}"

    @property
    def is_service(self) -> bool:
        """Whether it belongs to the service, not to a test or a job that is started on purpose."""
        return self.path.parent.name == SERVICES

    @property
    def is_of_argo(self) -> bool:
        """Whether it goes to where Argo CD runs, which may be another cluster."""
        return self.api_version.startswith("argoproj.io/")

    def place(self, pointer: Pointer = ()) -> str:
        """File and line of a value."""
        return f"{self.path}:{self.manifest.span(pointer).line}"


def rendered(build: Build, namespace: str) -> list[Rendered]:
    """The manifests of a build; `namespace` is that of those that name none."""
    found = []
    for deployment in build.deployments:
        place = folder_of(deployment)
        files = [file for file in build.files if file.path.is_relative_to(place)]
        for file in files:
            inside = file.path.relative_to(place)
            if format_of(file.path) != "yaml" or inside.parts[0] in ("models", "images"):
                continue
            for manifest in manifests.read(Text(str(file.path), file.text)):
                one = Rendered(file.path, manifest, _namespace(manifest, namespace), deployment)
                if one.kind and one.api_version and not _is_elsewhere(one):
                    found.append(one)
    return found


def _namespace(manifest: manifests.Manifest, otherwise: str) -> str:
    return text(manifest.data, "metadata", "namespace") or otherwise


def _is_elsewhere(one: Rendered) -> bool:
    return any(
        one.api_version.startswith(group) and one.kind == kind for group, kind in _NOT_FOR_CLUSTERS
    )


def with_namespace(one: Rendered, *, is_namespaced: bool) -> Json:
    """The manifest as it is sent: with the namespace that it goes to."""
    if not is_namespaced or text(one.data, "metadata", "namespace"):
        return one.data
    metadata = {**mapping(one.data, "metadata"), "namespace": one.namespace}
    return {**one.data, "metadata": metadata}


def of_kind(found: Sequence[Rendered], *kinds: str) -> Iterator[Rendered]:
    return (one for one in found if one.kind in kinds)
