"""The typed image of a spec for one target in one environment.

Field names, defaults and meanings are those of schemas/project.schema.json; the schema has
already vouched for shapes when one of these is made.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from msgspec import Struct, field

from generator.document import Document

Dtype = Literal["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
RunIn = Literal["component", "model", "server", "client"]
Format = Literal["torchscript", "state_dict", "onnx", "aot_inductor"]
Protocol = Literal["v1", "v2", "native"]
Transport = Literal["http", "grpc"]
Quantity = int | float | str
"""A Kubernetes quantity: `2Gi`, `500m`, or a plain number."""
Dimension = int | str
"""A size, or a letter for a dimension that is free; a leading `N` is the batch."""


class Tensor(Struct, frozen=True):
    """An input or output of the model, batch dimension included."""

    name: str
    dtype: Dtype
    shape: tuple[Dimension, ...]

    @property
    def has_batch(self) -> bool:
        return bool(self.shape) and self.shape[0] == "N"

    @property
    def sample_shape(self) -> tuple[Dimension, ...]:
        """The shape of one sample, the batch dimension left off."""
        return self.shape[1:] if self.has_batch else self.shape


class Weights(Struct, frozen=True):
    """A state_dict, saved by torch.save: a path relative to the spec, or a URL with its checksum.

    `sha256` holds the first 8 to 64 hexadecimal digits. `convert` is a function, file.py:name,
    that makes the module's state_dict of what the file holds.
    """

    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    convert: str | None = None


class Model(Struct, frozen=True):
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    source: str | None = None
    program: str | None = None
    arguments: dict[str, object] = field(default_factory=dict)
    weights: Weights | None = None
    version: int = 1
    class_names: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    size: Quantity | None = None


class Export(Struct, frozen=True):
    """`method` is how TorchScript is made, and of no other format; trace when absent."""

    format: Format = "torchscript"
    method: Literal["trace", "script"] | None = None

    @property
    def is_traced(self) -> bool:
        """Whether the program follows one call of the model."""
        return self.format == "torchscript" and self.method != "script"


class Storage(Struct, frozen=True):
    """`bundle_uri` is where this target's bundle lies in this environment.

    `is_verbatim`: it was given for this target; else it is a folder under the project's uri.
    """

    bundle_uri: str
    is_verbatim: bool = True
    secret: str | None = None


class Step(Struct, frozen=True):
    """One operation of a transform pipeline with its arguments.

    A bare scalar argument (`top_k: 3`) is the argument named like the operation.
    """

    operation: str
    arguments: Mapping[str, object]


class Transforms(Struct, frozen=True):
    run_in: RunIn = "component"
    request_field: str = "image_bytes"
    preprocess: tuple[Step, ...] = ()
    postprocess: tuple[Step, ...] = ()
    requirements: tuple[str, ...] = ()


class Limits(Struct, frozen=True):
    cpu: Quantity | None = None
    memory: Quantity | None = None


class ReplicaRange(Struct, frozen=True):
    min: int = 1
    max: int = 1


class ComponentHardware(Struct, frozen=True):
    cpu: Quantity | None = None
    memory: Quantity | None = None
    limits: Limits = Limits()
    replicas: ReplicaRange | None = None


class Hardware(Struct, frozen=True):
    accelerator: Literal["cpu", "nvidia"] = "cpu"
    gpus: int | None = None
    cpu: Quantity = 1
    memory: Quantity = "2Gi"
    limits: Limits = Limits()
    model_instances: int = 1
    threads: int | None = None
    components: dict[str, ComponentHardware] = field(default_factory=dict)


class Batching(Struct, frozen=True):
    max_size: int | None = None
    dynamic: bool = True
    preferred: tuple[int, ...] = ()
    delay: str | None = None


class Autoscaling(Struct, frozen=True):
    metric: Literal["cpu", "memory", "concurrency", "rps"]
    target: int


class Serving(Struct, frozen=True):
    protocol: Protocol | None = None
    transport: Transport = "http"
    batching: Batching = Batching()
    timeout: str = "60s"
    startup: str = "10m"
    replicas: ReplicaRange = ReplicaRange()
    autoscaling: Autoscaling | None = None


class Toleration(Struct, frozen=True):
    """A taint of nodes that the model's pods stand: every effect of it where none is named."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Kubernetes(Struct, frozen=True):
    namespace: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    service_account: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    releases: dict[str, str] = field(default_factory=dict)
    crds: str | None = None


class NetworkPolicy(Struct, frozen=True):
    """Whose pods may call a service: those of some namespaces, its gateway's among them."""

    allow_from: tuple[str, ...]


class Security(Struct, frozen=True):
    """How far the containers are shut in, beyond what every pod is held to."""

    read_only_root: bool = True
    network_policy: NetworkPolicy | None = None


class Images(Struct, frozen=True):
    registry: str
    tag: str


class Destination(Struct, frozen=True):
    """The cluster that Argo CD applies to: its address or the name that Argo CD knows it by."""

    server: str | None = None
    name: str | None = None


class Automated(Struct, frozen=True):
    """Argo CD applies what changes in the repository by itself."""

    prune: bool = False
    self_heal: bool = False


class Plugin(Struct, frozen=True):
    """The manifests are rendered by Argo CD; `spec` is the spec's path in the repository."""

    spec: str
    name: str = "serving-generator"


class Hydrate(Struct, frozen=True):
    """Argo CD commits what it has rendered to a branch, and applies what stands there."""

    branch: str
    path: str = "hydrated"
    staging_branch: str | None = None


class ArgoCd(Struct, frozen=True):
    """`clusters` are labels of clusters: with them there is an Application for each of those."""

    repository: str
    revision: str = "HEAD"
    path: str = "rendered"
    project: str = "default"
    namespace: str = "argocd"
    destination: Destination = Destination()
    clusters: dict[str, str] = field(default_factory=dict)
    automated: Automated | None = None
    perf_hook: bool = False
    plugin: Plugin | None = None
    hydrate: Hydrate | None = None


class GitOps(Struct, frozen=True):
    argo_cd: ArgoCd


class Slo(Struct, frozen=True):
    p50: str | None = None
    p95: str | None = None
    p99: str | None = None
    success_ratio: float = 1.0


class Perf(Struct, frozen=True):
    rate: int
    duration: str = "60s"
    warm_up: str = "10s"
    slo: Slo = Slo()


class Project(Struct, frozen=True):
    """One spec as it stands for one target in one environment."""

    name: str
    target: str
    folder: Path
    model: Model
    storage: Storage | None = None
    transforms: Transforms = Transforms()
    hardware: Hardware = Hardware()
    serving: Serving = Serving()
    environment: str | None = None
    export: Export = Export()
    kubernetes: Kubernetes = Kubernetes()
    security: Security = Security()
    images: Images | None = None
    perf: Perf | None = None
    gitops: GitOps | None = None
    accepted_warnings: dict[str, str] = field(default_factory=dict)
    also_serves: tuple["Served", ...] = ()
    file: str = ""
    """The name of the spec's file in the folder; empty where it was read from elsewhere."""
    locked: Mapping[str, str] | None = None
    """Digests by the full names of images (images.full_name); None where no lock holds."""

    @property
    def place(self) -> PurePosixPath:
        """Its folder under rendered/ and under build/: project, environment if any, target."""
        return PurePosixPath(*filter(None, (self.name, self.environment, self.target)))


class Served(Struct, frozen=True):
    """Another project whose model the same server holds, with its options of the same target.

    `document` is its spec, which diagnostics about it point into.
    """

    project: Project
    options: object
    document: Document
