"""The values of the Kubernetes manifests."""

import math

from generator.project import ComponentHardware, Hardware, Project, Quantity
from generator.resources import canonical, threads_per_instance, whole_seconds
from generator.targets.triton.options import Options
from generator.targets.triton.service import (
    GRPC_PORT,
    HTTP_PORT,
    IMAGE,
    METRICS_PORT,
    TRANSFORMER,
    Service,
)

_PROBE_PERIOD_SECONDS = 10
# Knative's deadline starts before the startup probe does: it covers the pull of Triton's image,
# some 10 GB, and the download of the model too.
_PULL_SECONDS = 600
# Long enough to be worth a connection, short enough that a new replica gets its share soon.
_CONNECTION_AGE_MILLISECONDS = 60_000
_TRANSFORMER = ComponentHardware(cpu="500m", memory="512Mi")  # what it needs when nobody says


def labels(project: Project, service: Service) -> dict[str, str]:
    """The labels of every object: the recommended ones, and the spec's own over them."""
    recommended = {
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/managed-by": "serving-generator",
    }
    return recommended | project.kubernetes.labels


def runtime_values(project: Project, options: Options, service: Service) -> dict[str, object]:
    """What servingruntime.yaml.j2 lays out."""
    return {
        "name": service.runtime,
        "namespace": service.namespace,
        "labels": labels(project, service),
        "image": f"{IMAGE}:{options.runtime_version}",
        "arguments": _runtime_arguments(project, service),
        "metrics_port": str(METRICS_PORT),
        "resources": _model_resources(project.hardware),
    }


def _runtime_arguments(project: Project, service: Service) -> list[str]:
    """The command line of Triton, but for the model that it serves."""
    arguments = [
        "--model-repository=/mnt/models",
        f"--http-port={HTTP_PORT}",
        f"--grpc-port={GRPC_PORT}",
        f"--metrics-port={METRICS_PORT}",
    ]
    if service.predictor_is_grpc:
        grace = whole_seconds(project.serving.timeout) * 1000
        arguments.append(f"--grpc-max-connection-age={_CONNECTION_AGE_MILLISECONDS}")
        arguments.append(f"--grpc-max-connection-age-grace={grace}")
    return arguments


def deadline_seconds(project: Project) -> int:
    """How long a replica may take from being scheduled until its model is ready."""
    return _PULL_SECONDS + whole_seconds(project.serving.startup)


def service_values(
    project: Project, options: Options, service: Service, transformer_arguments: list[str]
) -> dict[str, object]:
    """What inferenceservice.yaml.j2 lays out."""
    serving, kubernetes = project.serving, project.kubernetes
    storage = project.storage
    assert storage is not None  # rule storage-missing
    knative = options.deployment_mode == "Knative"
    progress_deadline = f"{deadline_seconds(project)}s" if knative else None
    startup = whole_seconds(serving.startup)
    values: dict[str, object] = {
        "name": service.name,
        "namespace": service.namespace,
        # Reaches the pods, so that a new version of the model is a new revision of them.
        "labels": {"app.kubernetes.io/version": str(project.model.version)}
        | labels(project, service),
        "annotations": kubernetes.annotations,
        "deployment_mode": options.deployment_mode,
        "autoscaler_class": None if knative else ("hpa" if serving.autoscaling else "none"),
        "storage_secret": storage.secret,
        "progress_deadline": progress_deadline,
        "replicas": serving.replicas,
        "autoscaling": serving.autoscaling,
        "timeout_seconds": whole_seconds(serving.timeout),
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "runtime": service.runtime,
        "runtime_version": None if service.renders_runtime else options.runtime_version,
        "arguments": [
            "--model-control-mode=explicit",
            f"--load-model={service.model}",
            "--disable-auto-complete-config",
        ],
        "protocol_version": "grpc-v2" if service.predictor_is_grpc else "v2",
        "storage_uri": storage.bundle_uri,
        "http_port": HTTP_PORT,
        "grpc_port": GRPC_PORT if service.predictor_is_grpc else None,
        "threads": str(threads_per_instance(project.hardware)),
        "resources": _model_resources(project.hardware),
        "ready_path": f"/v2/models/{service.model}/ready",
        "startup_failures": math.ceil(startup / _PROBE_PERIOD_SECONDS),
        "transformer": None,
    }
    if service.has_transformer:
        hardware = project.hardware.components.get(TRANSFORMER, ComponentHardware())
        values["transformer"] = {
            "progress_deadline": progress_deadline,
            "replicas": hardware.replicas or serving.replicas,
            "image": service.images[TRANSFORMER],
            "arguments": transformer_arguments,
            "resources": _resources(
                hardware.cpu or _TRANSFORMER.cpu, hardware.memory or _TRANSFORMER.memory, hardware
            ),
        }
    return values


Resources = dict[str, dict[str, str]]


def _model_resources(hardware: Hardware) -> Resources:
    resources = _resources(hardware.cpu, hardware.memory, hardware)
    if hardware.accelerator == "nvidia":
        # An extended resource cannot be overcommitted: request and limit are one number.
        for kind in resources.values():
            kind["nvidia.com/gpu"] = str(hardware.gpus or 1)
    return resources


def _resources(
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
