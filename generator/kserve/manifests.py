"""The values of templates/kserve/manifests/."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.kserve.exposure import HTTP_PORT, TRANSFORMER, Exposure
from generator.project import ComponentHardware, Hardware, Project, Quantity
from generator.resources import canonical, whole_seconds

PROBE_PERIOD_SECONDS = 10
# Knative's deadline starts before the startup probe does: it covers the pull of the server's
# image, which has gigabytes, and the download of the model too.
_PULL_SECONDS = 600
_TRANSFORMER = ComponentHardware(cpu="500m", memory="512Mi")  # what it needs when nobody says

Resources = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Probe:
    """A question to a container: a path that answers 200, a command that exits with 0, or a port.

    Without path and command the port has to be open.
    """

    path: str | None = None
    port: int = HTTP_PORT
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Predictor:
    """What differs between servers: comments are lines without their #."""

    runtime: str
    runtime_note: str
    protocol_version: str
    live: Probe
    ready: Probe
    runtime_version: str | None = None
    arguments: Sequence[str] = ()
    arguments_note: Sequence[str] = ()
    port: int | None = None
    port_name: str | None = None
    port_note: str = ""
    variables: Mapping[str, str] | None = None
    variables_note: str = ""


def labels(project: Project, service: str) -> dict[str, str]:
    """The labels of every object: the recommended ones, and the spec's own over them."""
    recommended = {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/managed-by": "serving-generator",
    }
    return recommended | project.kubernetes.labels


def pod_labels(project: Project, service: str) -> dict[str, str]:
    """Labels that reach pods, so that a new version of the model is a new revision of them."""
    return {"app.kubernetes.io/version": str(project.model.version)} | labels(project, service)


def deadline_seconds(project: Project) -> int:
    """How long a replica may take from being scheduled until its model is ready."""
    return _PULL_SECONDS + whole_seconds(project.serving.startup)


def startup_failures(project: Project) -> int:
    """How often the startup probe may fail within the time that starting may take."""
    return math.ceil(whole_seconds(project.serving.startup) / PROBE_PERIOD_SECONDS)


@dataclass(frozen=True)
class Runtime:
    """What differs between the runtimes of servers; notes are comments without their #."""

    name: str
    image: str
    arguments: Sequence[str]
    metrics_port: int
    protocol_versions: Sequence[str]
    user_note: str
    command: Sequence[str] = ()
    command_note: str = ""


def runtime_values(project: Project, exposure: Exposure, runtime: Runtime) -> dict[str, object]:
    """What servingruntime.yaml.j2 lays out."""
    return {
        "namespace": project.kubernetes.namespace,
        "labels": labels(project, exposure.service),
        "resources": model_resources(project.hardware),
        **vars(runtime),
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
        "storage_uri": storage.bundle_uri,
        "progress_deadline": f"{deadline_seconds(project)}s" if knative else None,
        "replicas": serving.replicas,
        "autoscaling": serving.autoscaling,
        "timeout_seconds": whole_seconds(serving.timeout),
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "predictor": predictor,
        "resources": model_resources(project.hardware),
        "startup_failures": startup_failures(project),
        "transformer": transformer,
    }


def transformer_values(
    project: Project, image: str, *, predictor_protocol: str | None
) -> dict[str, object]:
    """The transformer's part of the service."""
    hardware = project.hardware.components.get(TRANSFORMER, ComponentHardware())
    return {
        "replicas": hardware.replicas or project.serving.replicas,
        "image": image,
        "arguments": _transformer_arguments(project, predictor_protocol),
        "http_port": HTTP_PORT,
        "resources": resources(
            hardware.cpu or _TRANSFORMER.cpu, hardware.memory or _TRANSFORMER.memory, hardware
        ),
    }


def _transformer_arguments(project: Project, predictor_protocol: str | None) -> list[str]:
    """What KServe's controller does not add to the transformer's command line by itself."""
    hop = [f"--predictor_protocol={predictor_protocol}"] if predictor_protocol else []
    timeout = whole_seconds(project.serving.timeout)
    return ["--enable_grpc=false", *hop, f"--predictor_request_timeout_seconds={timeout}"]


def model_resources(hardware: Hardware) -> Resources:
    """Requests and limits of the server's container."""
    wanted = resources(hardware.cpu, hardware.memory, hardware)
    if hardware.accelerator == "nvidia":
        # An extended resource cannot be overcommitted: request and limit are one number.
        for kind in wanted.values():
            kind["nvidia.com/gpu"] = str(hardware.gpus or 1)
    return wanted


def resources(
    cpu: Quantity | None, memory: Quantity | None, hardware: Hardware | ComponentHardware
) -> Resources:
    """Requests as given; limits equal them unless the spec says otherwise."""
    assert cpu is not None
    assert memory is not None
    limits = hardware.limits
    return {
        "requests": {"cpu": canonical(cpu), "memory": canonical(memory)},
        "limits": {
            "cpu": canonical(limits.cpu or cpu),
            "memory": canonical(limits.memory or memory),
        },
    }
