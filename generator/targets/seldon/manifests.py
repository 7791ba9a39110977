"""The values of templates/seldon/manifests/seldondeployment.yaml.j2."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from generator.pods import Folder, spread, tolerations, unpacked
from generator.project import Project, ReplicaRange
from generator.resources import threads_per_instance, whole_seconds
from generator.storage import scheme
from generator.targets.seldon.graph import MODEL_FOLDER, laid_out, nodes
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import (
    GRPC_PORT,
    HTTP_PORT,
    METRICS_PORT,
    ORCHESTRATOR,
    Component,
    Service,
    is_triton,
)
from generator.targets.seldon.storage import ambient
from generator.targets.triton import options as triton
from generator.targets.triton.service import IMAGE
from generator.workload import (
    PROBE_PERIOD_SECONDS,
    Resources,
    component_resources,
    deadline_seconds,
    labels,
    model_resources,
    pinned,
    pod_labels,
    startup_failures,
)

RCLONE = "docker.io/rclone/rclone:1.69.1"
USER = 8888  # the wrapper's images', and the operator's default for pods
TRITON_USER = 1000  # triton-server, in its image
# The wrapper takes 4 MiB over gRPC: seven images of 224 x 224 as float32 are more.
_GRPC_BYTES = 64 * 2**20
_DRAIN_SECONDS = 10  # the operator's own preStop, until all callers know that the pod ends
# As under KServe; all other nodes write to /dev/shm, which every container has.
_TMP = Folder("tmp", "/tmp", "1Gi", "The only folder that the server writes to.")  # noqa: S108
SELDON_ID = "seldon-deployment-id"
"""The label that the operator puts on every pod of a SeldonDeployment."""
_WAITING_THREADS = 8  # of a worker: one runs the model, and probes are answered beside it


class Download(Struct, frozen=True):
    """An init container that copies the bundle into a pod, where the operator brings none.

    Without a secret `variables` tell rclone to use what the pod may do by its service account.
    `size` is the most that the folder holds, where the spec says how large a bundle is.
    """

    uri: str
    secret: str | None
    variables: tuple[tuple[str, str], ...]
    size: str | None


class Container(Struct, frozen=True):
    """A node's container; without an image the operator fills in its own for the server.

    `ready_path` answers 200 once the model is loaded, `live_path` as long as the process answers;
    without it the port must be open.
    """

    name: str
    image: str | None
    http_port: int
    grpc_port: int
    metrics_port: int
    ready_path: str
    live_path: str | None
    resources: Resources
    variables: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...] = ()
    has_model: bool = False
    folders: tuple[Folder, ...] = ()


class Pod(Struct, frozen=True):
    """A Deployment of the SeldonDeployment: one entry of componentSpecs.

    `claim` is a claim that holds the bundle, and the folder in it; `spread` are the labels of the
    pods that are spread over nodes. `has_budget`: its Deployment brings the budget of all pods.
    """

    name: str
    containers: tuple[Container, ...]
    replicas: ReplicaRange
    download: Download | None = None
    claim: tuple[str, str] | None = None
    spread: Mapping[str, str] | None = None
    has_budget: bool = False

    @property
    def folders(self) -> tuple[Folder, ...]:
        """What its containers write to, each an emptyDir."""
        return tuple(folder for container in self.containers for folder in container.folders)

    @property
    def has_volumes(self) -> bool:
        return bool(self.download or self.claim or self.folders)


def deployment_values(project: Project, options: Options, service: Service) -> dict[str, object]:
    """What the template lays out."""
    serving, kubernetes = project.serving, project.kubernetes
    milliseconds = whole_seconds(serving.timeout) * 1000
    return {
        "name": service.name,
        "namespace": service.namespace,
        "labels": labels(project, service.name),
        "annotations": kubernetes.annotations,
        "protocol": "v2" if service.protocol == "v2" else "seldon",
        "timeout_milliseconds": str(milliseconds),
        "grpc_bytes": str(_GRPC_BYTES),
        "predictor": service.predictor,
        "pod_labels": pod_labels(project, service.name),
        "replicas": None if serving.autoscaling else serving.replicas.min,
        "progress_deadline_seconds": deadline_seconds(project),
        "orchestrator": component_resources(project, ORCHESTRATOR),
        "graph": laid_out(nodes(project, service)),
        "model_folder": MODEL_FOLDER,
        "pods": pods(project, options, service),
        "autoscaling": serving.autoscaling,
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "grace_seconds": _DRAIN_SECONDS + whole_seconds(serving.timeout),
        "tolerations": tolerations(project),
        "read_only": project.security.read_only_root and is_shut(options),
        "rclone": pinned(project, RCLONE),
        "user": TRITON_USER if service.model_server == "TRITON_SERVER" else USER,
        "probe_period_seconds": PROBE_PERIOD_SECONDS,
        "startup_failures": startup_failures(project),
    }


def pods(project: Project, options: Options, service: Service) -> list[Pod]:
    """The model's pod with the components that scale with it, and one for each that does not.

    The model's is the first: the orchestrator runs there, and calls the others over the network.
    """
    containers = _containers(project, options, service)
    own = [
        (containers.pop(component.node), replicas)
        for component in service.components
        if (replicas := _own_replicas(project, component))
    ]
    first = Pod(
        name=first_pod(project, service),
        containers=tuple(containers.values()),
        replicas=project.serving.replicas,
        download=_download(project, options, service),
        claim=_claim(service),
    )
    apart = [Pod(each.name, (each,), replicas) for each, replicas in own]
    has_budget = any(pod.replicas.max > 1 for pod in (first, *apart))
    return [
        replace(pod, spread=_spread(service, pod), has_budget=has_budget and pod is first)
        for pod in (first, *apart)
    ]


def _spread(service: Service, pod: Pod) -> Mapping[str, str] | None:
    own = {SELDON_ID: service.name, "app.kubernetes.io/component": pod.name}
    return spread(pod.replicas, own)


def is_shut(options: Options) -> bool:
    """Whether the containers run on a read-only root.

    What a builder of s2i makes brings its own script, and a conda that writes beside itself.
    """
    return options.builder == "docker" or is_triton(options)


def first_pod(project: Project, service: Service) -> str:
    """The name of the pod that holds the model, and what does not scale by itself."""
    together = [each for each in service.components if not _is_alone(project, each)]
    return "graph" if len(together) > 1 else "model"


def _own_replicas(project: Project, component: Component) -> ReplicaRange | None:
    """The replicas of a component that scales by itself; the model's are the service's."""
    hardware = project.hardware.components.get(component.role)
    return hardware.replicas if hardware and component.role != "model" else None


def _is_alone(project: Project, component: Component) -> bool:
    return _own_replicas(project, component) is not None


def _containers(project: Project, options: Options, service: Service) -> dict[str, Container]:
    """The container of each node; ports are counted up as the operator counts them."""
    containers: dict[str, Container] = {}
    parts: list[Component | None] = [
        *sorted(service.components, key=lambda c: _is_alone(project, c))
    ]
    for index, component in enumerate(parts or [None]):
        name = component.node if component else service.model_node
        is_model = name == service.model_node
        triton = service.model_server == "TRITON_SERVER"
        containers[name] = Container(
            name=name,
            image=_image(project, options, service, component),
            http_port=HTTP_PORT + index,
            grpc_port=GRPC_PORT + index,
            metrics_port=METRICS_PORT + index,
            ready_path="/v2/health/ready" if triton else "/health/status",
            live_path="/v2/health/live" if triton else None,
            resources=model_resources(project.hardware)
            if is_model
            else component_resources(project, component.role if component else "model"),
            variables=tuple(_variables(project, service, is_model=is_model)),
            arguments=_triton_arguments(service) if triton else (),
            has_model=is_model and service.model_server == "container" and bool(service.model_uri),
            folders=(_TMP,) if triton else (),
        )
    return containers


def _image(
    project: Project, options: Options, service: Service, component: Component | None
) -> str | None:
    if component is None:
        version = options.triton_version or triton.Options().runtime_version
        return pinned(project, f"{IMAGE}:{version}")
    registered = component.role == "model" and service.model_server == "TORCH_SERVER"
    return None if registered or not component.image else pinned(project, component.image)


def _variables(project: Project, service: Service, *, is_model: bool) -> Iterator[tuple[str, str]]:
    """How many processes and threads a node has; only the model's are the spec's."""
    if service.model_server != "TRITON_SERVER":
        instances = str(project.hardware.model_instances if is_model else 1)
        yield "GUNICORN_WORKERS", instances
        yield "GUNICORN_THREADS", str(_WAITING_THREADS)
        yield "GRPC_WORKERS", instances
        yield "GRPC_THREADS", str(_WAITING_THREADS)
    threads = threads_per_instance(project.hardware) if is_model else 1
    yield "OMP_NUM_THREADS", str(threads)


def _triton_arguments(service: Service) -> tuple[str, ...]:
    """The whole command line: the operator's own would let Triton guess a configuration."""
    return (
        "tritonserver",
        f"--model-repository={MODEL_FOLDER}",
        f"--http-port={HTTP_PORT}",
        f"--grpc-port={GRPC_PORT}",
        f"--metrics-port={METRICS_PORT}",
        "--model-control-mode=explicit",
        f"--load-model={service.model_node}",
        "--disable-auto-complete-config",
    )


def _download(project: Project, options: Options, service: Service) -> Download | None:
    """The operator downloads for servers that it starts itself, and for no other container."""
    uri, storage = service.model_uri, project.storage
    if service.model_server != "container" or not uri or not storage or scheme(uri) == "pvc":
        return None
    variables = () if storage.secret else ambient(project, options.rclone_remote)
    size = unpacked((project,)) if project.model.size else None
    return Download(uri, storage.secret, variables, size)


def _claim(service: Service) -> tuple[str, str] | None:
    """The claim that holds the bundle and the folder in it, where a container mounts it itself."""
    uri = service.model_uri or ""
    if service.model_server != "container" or not uri.startswith("pvc://"):
        return None
    claim, _, path = uri.removeprefix("pvc://").partition("/")
    return claim, path
