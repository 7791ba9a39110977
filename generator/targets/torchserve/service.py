"""What a project on TorchServe is called, what it serves and where it listens."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from generator.kserve.exposure import TRANSFORMER, Exposure, exposed
from generator.project import Project, Protocol, Served
from generator.resources import milliseconds, threads_per_instance, whole_seconds
from generator.targets.torchserve.options import Options, Platform, PrebuiltArchive
from generator.workload import PERF, Workload, image_names

IMAGE = "docker.io/pytorch/torchserve:0.12.0"  # the last release
MANAGEMENT_PORT = 8081
METRICS_PORT = 8082
GRPC_PORT = 7070
GRPC_MANAGEMENT_PORT = 7071
SHORTEST_DELAY_MILLISECONDS = 1
TORCHSERVE = "torchserve"
TRANSFORMER_HOP = "v2"  # TorchServe has no gRPC service of the v2 protocol

Takes = Literal["images", "pixels", "tensors", "anything"]
"""What a handler is sent: encoded images that it transforms; encoded images that it decodes for
transforms inside the program; the model's tensors; whatever a handler of the user's own takes."""


class Model(Struct, frozen=True):
    """One model of a server: its entry in the snapshot, and its archive.

    `threads` are those of one worker: all models share the CPUs of the server.
    """

    project: Project
    options: Options
    name: str
    version: str
    takes: Takes
    archive: str
    workers: int
    threads: int
    batch_size: int
    batch_delay_milliseconds: int
    response_timeout_seconds: int


class Service(Struct, frozen=True):
    """Names and ports that follow from a project and its options.

    `models` are all that the server holds, the project's own first. `protocol` is that of samples
    and load test.
    """

    name: str
    platform: Platform
    models: tuple[Model, ...]
    has_transformer: bool
    protocol: Protocol
    is_grpc: bool
    namespace: str | None
    base_image: str
    images: dict[str, str]
    job_queue_size: int

    @property
    def model(self) -> Model:
        """The project's own model."""
        return self.models[0]

    @property
    def door_host(self) -> str:
        """The cluster-local host that clients call."""
        component = TRANSFORMER if self.has_transformer else "predictor"
        host = f"{self.name}-{component}" if self.platform == "kserve" else self.name
        return ".".join(filter(None, (host, self.namespace)))

    def path(self, protocol: Protocol) -> str:
        """Where clients post requests: to the transformer by the service's name, or to the model.

        The paths of v1 and v2 are aliases of /predictions: the handler looks at the body.
        """
        name = self.name if self.has_transformer else self.model.name
        return {
            "v1": f"/v1/models/{name}:predict",
            "v2": f"/v2/models/{name}/infer",
            "native": f"/predictions/{name}",
        }[protocol]

    @property
    def ready_path(self) -> str:
        """What answers 200 at the door; TorchServe's own says nothing of its workers."""
        return f"/v2/models/{self.name}/ready" if self.has_transformer else "/ping"


def describe(project: Project, options: Options) -> Service:
    """The service that a project becomes on TorchServe."""
    name = options.names.service or project.name
    on_kserve = options.platform == "kserve"
    threads = _threads(project)
    others = ((served.project, _options(served)) for served in project.also_serves)
    models = tuple(_model(*each, threads) for each in ((project, options), *others))
    return Service(
        name=name,
        platform=options.platform,
        models=models,
        has_transformer=has_transformer(project, options),
        protocol=project.serving.protocol or ("v2" if on_kserve else "native"),
        is_grpc=project.serving.transport == "grpc",
        namespace=None if options.platform == "docker" else project.kubernetes.namespace,
        base_image=options.base_image or _base_image(project),
        images=_images(project, options),
        job_queue_size=options.job_queue_size or max(100, project.perf.rate if project.perf else 0),
    )


def exposure(project: Project, options: Options) -> Exposure | None:
    """How KServe exposes that service; None on another platform."""
    if options.platform != "kserve":
        return None
    return exposed(
        target="torchserve",
        service=options.names.service or project.name,
        deployment_mode=options.deployment_mode or "Knative",
        has_transformer=has_transformer(project, options),
        built=_built(project, options),
        image_names=options.names.images,
        renames_service=options.names.service is not None,
    )


def workload(project: Project, options: Options) -> Workload:
    """The service's components and images, on any platform."""
    return exposure(project, options) or Workload(
        target="torchserve",
        service=options.names.service or project.name,
        scaler="hpa",
        mode=f"platform {options.platform}",
        other_mode="platform: kserve",
        components=(),
        built=_built(project, options),
        image_names=options.names.images,
        renames_service=options.names.service is not None,
    )


def has_transformer(project: Project, options: Options) -> bool:
    """Whether KServe runs a component of its own in front of the server."""
    transforms = project.transforms
    return (
        options.platform == "kserve"
        and options.handler is None
        and transforms.run_in == "component"
        and bool(transforms.preprocess)
    )


def _options(served: Served) -> Options:
    assert isinstance(served.options, Options)
    return served.options


def _threads(project: Project) -> int:
    """Threads of each worker, so that all workers of all models together fill the CPUs."""
    hardware = project.hardware
    others = sum(served.project.hardware.model_instances for served in project.also_serves)
    shared = replace(hardware, model_instances=hardware.model_instances + others)
    return threads_per_instance(shared)


def _model(project: Project, options: Options, threads: int) -> Model:
    batching = project.serving.batching
    size = (batching.max_size or 1) if batching.dynamic else 1
    # With no delay at all TorchServe joins two requests at most, whatever the batch may hold.
    delay = milliseconds(batching.delay) if batching.delay else SHORTEST_DELAY_MILLISECONDS
    name, version = options.names.model or project.name, f"{project.model.version}.0"
    return Model(
        project=project,
        options=options,
        name=name,
        version=version,
        takes=takes(project, options),
        archive=f"{name}-{version}.mar",
        workers=project.hardware.model_instances,
        threads=threads,
        batch_size=size,
        batch_delay_milliseconds=delay if size > 1 else 0,
        response_timeout_seconds=whole_seconds(project.serving.timeout),
    )


def takes(project: Project, options: Options) -> Takes:
    """What the model's handler is sent."""
    if options.handler or isinstance(options.archive, PrebuiltArchive):
        return "anything"
    if not project.transforms.preprocess:
        return "tensors"
    return {"server": "images", "model": "pixels", "component": "tensors", "client": "tensors"}[
        project.transforms.run_in
    ]  # type: ignore[return-value]


def _base_image(project: Project) -> str:
    return f"{IMAGE}-{'gpu' if project.hardware.accelerator == 'nvidia' else 'cpu'}"


def _images(project: Project, options: Options) -> dict[str, str]:
    """The images that are built for this project, by component."""
    given = options.names.images
    return image_names(project, _built(project, options), given, bundled=TORCHSERVE)


def _built(project: Project, options: Options) -> tuple[str, ...]:
    candidates = (
        (TRANSFORMER, has_transformer(project, options)),
        (TORCHSERVE, options.platform != "kserve"),
        (PERF, project.perf is not None),
    )
    return tuple(component for component, is_built in candidates if is_built)
