"""The values of templates/kserve/manifests/."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict

from generator.images import OCI
from generator.kserve.exposure import TRANSFORMER, Exposure
from generator.kserve.pods import PREDICTOR, TMP, replicas, selector
from generator.pods import Folder, spread, tolerations
from generator.project import Project
from generator.resources import whole_seconds
from generator.workload import (
    HTTP_PORT,
    component_resources,
    deadline_seconds,
    labels,
    model_resources,
    pinned,
    pod_labels,
    startup_failures,
)


class Probe(Struct, frozen=True):
    """A question to a container: a path that answers 200, a command that exits with 0, or a port.

    Without path and command the port has to be open.
    """

    path: str | None = None
    port: int = HTTP_PORT
    command: Sequence[str] = ()


class Predictor(Struct, frozen=True):
    """What differs between servers: comments are lines without their #.

    `user_note` and `folders` are those of the container where no runtime beside it has them.
    """

    runtime: str
    runtime_note: str
    protocol_version: str
    live: Probe
    ready: Probe
    model_format: str = "pytorch"
    runtime_version: str | None = None
    arguments: Sequence[str] = ()
    arguments_note: Sequence[str] = ()
    port: int | None = None
    port_name: str | None = None
    port_note: str = ""
    variables: Mapping[str, str] | None = None
    variables_note: str = ""
    user_note: str = ""
    folders: Sequence[Folder] = ()


class Runtime(Struct, frozen=True):
    """What differs between the runtimes of servers; notes are comments without their #."""

    name: str
    image: str
    arguments: Sequence[str]
    metrics_port: int
    protocol_versions: Sequence[str]
    user_note: str
    model_format: str = "pytorch"
    command: Sequence[str] = ()
    command_note: str = ""
    variables: Mapping[str, str] | None = None
    variables_note: str = ""
    folders: Sequence[Folder] = (TMP,)


def runtime_values(project: Project, exposure: Exposure, runtime: Runtime) -> dict[str, object]:
    """What servingruntime.yaml.j2 lays out."""
    return {
        "namespace": project.kubernetes.namespace,
        "labels": labels(project, exposure.service),
        "resources": model_resources(project.hardware),
        "read_only_root": project.security.read_only_root,
        **asdict(runtime),
        "metrics_port": str(runtime.metrics_port),
    }


def service_values(
    project: Project,
    exposure: Exposure,
    predictor: Predictor,
    transformer: Mapping[str, object] | None,
) -> dict[str, object]:
    """What inferenceservice.yaml.j2 lays out."""
    serving, kubernetes, storage = project.serving, project.kubernetes, project.storage
    assert storage is not None  # rule storage-missing
    knative = exposure.is_knative
    return {
        "name": exposure.service,
        "namespace": kubernetes.namespace,
        "labels": pod_labels(project, exposure.service),
        "annotations": kubernetes.annotations,
        "deployment_mode": exposure.deployment_mode,
        "autoscaler_class": None if knative else ("hpa" if serving.autoscaling else "none"),
        "storage_secret": storage.secret,
        "storage_uri": _pinned_uri(project, storage.bundle_uri),
        "progress_deadline": f"{deadline_seconds(project)}s" if knative else None,
        "replicas": serving.replicas,
        "autoscaling": serving.autoscaling,
        "timeout_seconds": whole_seconds(serving.timeout),
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "tolerations": tolerations(project),
        # Knative refuses topologySpreadConstraints unless the cluster turns a feature on.
        "spread": None if knative else _spread(project, exposure, PREDICTOR),
        "read_only_root": project.security.read_only_root,
        "predictor": predictor,
        "resources": model_resources(project.hardware),
        "startup_failures": startup_failures(project),
        "transformer": transformer
        and {
            **transformer,
            "spread": None if knative else _spread(project, exposure, TRANSFORMER),
        },
    }


def _spread(project: Project, exposure: Exposure, component: str) -> Mapping[str, str] | None:
    return spread(replicas(project, component), selector(exposure, component))


def _pinned_uri(project: Project, uri: str) -> str:
    """Where the model lies; of one that is an image, with the digest that the lock has for it."""
    if not uri.startswith(OCI):
        return uri
    scheme, separator, image = uri.partition("://")
    return f"{scheme}{separator}{pinned(project, image)}"


_TRANSFORMER_TMP = Folder("tmp", "/tmp", "256Mi", "For functions of the spec's own.")  # noqa: S108


def transformer_values(
    project: Project, image: str, *, predictor_protocol: str | None
) -> dict[str, object]:
    """The transformer's part of the service."""
    return {
        "replicas": replicas(project, TRANSFORMER),
        "image": pinned(project, image),
        "arguments": _transformer_arguments(project, predictor_protocol),
        "http_port": HTTP_PORT,
        "resources": component_resources(project, TRANSFORMER),
        "folders": (_TRANSFORMER_TMP,),
    }


def _transformer_arguments(project: Project, predictor_protocol: str | None) -> list[str]:
    """What KServe's controller does not add to the transformer's command line by itself."""
    hop = [f"--predictor_protocol={predictor_protocol}"] if predictor_protocol else []
    timeout = whole_seconds(project.serving.timeout)
    return ["--enable_grpc=false", *hop, f"--predictor_request_timeout_seconds={timeout}"]
