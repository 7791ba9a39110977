"""What a project on Triton is called and where it listens."""

from typing import Literal

from msgspec import Struct

from generator.kserve.exposure import TRANSFORMER, Exposure, exposed
from generator.project import Project, Protocol
from generator.targets.triton.formats import LOADED
from generator.targets.triton.options import Options
from generator.transforms.embedded import as_called
from generator.workload import PERF, image_names, pinned

GRPC_PORT = 9000  # KServe's choice for Triton: config/runtimes/kserve-tritonserver.yaml
METRICS_PORT = 8002
IMAGE = "nvcr.io/nvidia/tritonserver"


class Service(Struct, frozen=True):
    """Names and ports that follow from a project and its options.

    `model` is Triton's name of the model: its folder in the repository, and in URLs.
    `protocol` is that of samples and load test.
    """

    name: str
    model: str
    runtime: str
    renders_runtime: bool
    has_transformer: bool
    predictor_is_grpc: bool
    protocol: Protocol
    max_batch_size: int
    namespace: str | None
    images: dict[str, str]

    @property
    def door_host(self) -> str:
        """The cluster-local host that clients call; the same in Knative and Standard mode.

        https://github.com/kserve/kserve/issues/2829: the plain service name does not work in
        Standard mode.
        """
        component = TRANSFORMER if self.has_transformer else "predictor"
        return ".".join(filter(None, (f"{self.name}-{component}", self.namespace)))

    def path(self, protocol: Protocol) -> str:
        """Where clients post requests: to the transformer by the service's name, else to Triton."""
        if not self.has_transformer:
            return f"/v2/models/{self.model}/infer"
        return {
            "v1": f"/v1/models/{self.name}:predict",
            "v2": f"/v2/models/{self.name}/infer",
        }[protocol]

    @property
    def ready_path(self) -> str:
        """What answers 200 at the door once requests can be answered."""
        return f"/v2/models/{self.name if self.has_transformer else self.model}/ready"


def describe(project: Project, options: Options) -> Service:
    """The service that a project becomes on Triton."""
    name = options.names.service or project.name
    has_transformer = _has_transformer(project)
    own = options.runtime == "own"
    return Service(
        name=name,
        model=options.names.model or project.name,
        runtime=f"{name}-triton" if own else options.runtime,
        renders_runtime=own,
        has_transformer=has_transformer,
        predictor_is_grpc=has_transformer or project.serving.transport == "grpc",
        protocol=project.serving.protocol or "v2",
        max_batch_size=_max_batch_size(project),
        namespace=project.kubernetes.namespace,
        images=_images(project, options, has_transformer=has_transformer),
    )


def server_image(project: Project, options: Options) -> str:
    """Triton's image, pinned where a lock has it; the runtime that is rendered names it."""
    return pinned(project, f"{IMAGE}:{options.runtime_version}")


def is_resolved(project: Project, options: Options, service: Service) -> bool:
    """Whether the server's image is named by its digest, so that Knative looks up no tag.

    Source: digestResolver.Resolve in pkg/reconciler/revision/resolve.go of knative/serving.
    """
    return service.renders_runtime and "@" in server_image(project, options)


def exposure(project: Project, options: Options) -> Exposure:
    """How KServe exposes that service."""
    service = describe(project, options)
    components = ((TRANSFORMER, service.has_transformer), (PERF, project.perf is not None))
    return exposed(
        target="triton",
        service=service.name,
        deployment_mode=options.deployment_mode,
        has_transformer=service.has_transformer,
        built=tuple(component for component, is_built in components if is_built),
        image_names=options.names.images,
        renames_service=options.names.service is not None,
    )


def _has_transformer(project: Project) -> bool:
    """Whether a component of its own stands in front of the model."""
    return project.transforms.run_in == "component" and bool(project.transforms.preprocess)


def _max_batch_size(project: Project) -> int:
    """0 where what is called has no batch dimension, as Triton writes it."""
    if not as_called(project).model.inputs[0].has_batch:
        return 0
    return project.serving.batching.max_size or 1


def _images(project: Project, options: Options, *, has_transformer: bool) -> dict[str, str]:
    """The images that are built for this project, by component."""
    components = [TRANSFORMER] if has_transformer else []
    components += [PERF] if project.perf else []
    return image_names(project, components, options.names.images)


def tensor_names(
    project: Project, options: Options, *, side: Literal["INPUT", "OUTPUT"]
) -> tuple[str, ...]:
    """Triton's names of the inputs or outputs of a project's program.

    An ONNX graph has the spec's names. libtorch takes inputs as `INPUT__0` or by the name of
    forward's argument, outputs as `OUTPUT__0` only. Source: docs of
    triton-inference-server/pytorch_backend.
    """
    called = as_called(project).model
    tensors = called.inputs if side == "INPUT" else called.outputs
    by_name = options.tensor_names == "forward" and side == "INPUT"
    if by_name or not LOADED[project.export.format].tensor_names:
        return tuple(tensor.name for tensor in tensors)
    return tuple(f"{side}__{index}" for index in range(len(tensors)))
