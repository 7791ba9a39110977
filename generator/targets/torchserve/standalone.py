"""The files of TorchServe without KServe: its image, and what runs it with docker or Kubernetes."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from generator.artefact import Artefact, artefact
from generator.network import Policy, load_test, named, policy_files
from generator.planning import kustomization
from generator.pods import budget, spread, tolerations
from generator.project import Project, Quantity
from generator.render import render
from generator.resources import amount, whole_seconds
from generator.targets.torchserve.config import config_values
from generator.targets.torchserve.doors import EXPLANATIONS
from generator.targets.torchserve.options import Options
from generator.targets.torchserve.readiness import READINESS_SECONDS, readiness_command
from generator.targets.torchserve.runbook_alone import (
    alone_values,
)
from generator.targets.torchserve.service import (
    GRPC_PORT,
    MANAGEMENT_PORT,
    METRICS_PORT,
    TORCHSERVE,
    Service,
)
from generator.targets.torchserve.start import start_command
from generator.targets.torchserve.work import HOME, work_folder, work_variables
from generator.workload import (
    HTTP_PORT,
    PERF,
    PROBE_PERIOD_SECONDS,
    bundle_path,
    deadline_seconds,
    labels,
    model_resources,
    namespace_flag,
    pinned,
    pod_labels,
    startup_failures,
)

IMAGE_FOLDER = f"images/{TORCHSERVE}"
_LEAVE_SECONDS = 5  # until all nodes have taken a pod that ends out of its service
_STOP_SECONDS = 30  # TorchServe's own end takes some 3 s
_REPORT_SECONDS = 60  # beyond serving.startup, until a server counts as one that never gets ready
_MEBIBYTE = 2**20
_BUDGET = "disruptionbudget.yaml"


def standalone_files(
    project: Project,
    options: Options,
    service: Service,
    *,
    load_test: Mapping[str, Any] | None,  # Any: as perf.artefact_values has them
) -> Iterator[Artefact]:
    """The image, the scripts, the runbook, and the compose file or the manifests.

    `load_test` are the values of the load test's templates. In a cluster it is a Job of its own;
    the compose file runs it beside the server.
    """
    yield from _image(project, service)
    if service.platform == "docker":
        yield _compose(project, service, load_test)
        yield _script("start", _start_values(project, service))
    else:
        yield from _manifests(project, service)
        values = {"images": _built_images(service), "bundle": bundle_path(project)}
        template = "common/scripts/build.sh.j2"
        yield artefact("scripts/build.sh", template, values, executable=True)
    yield _script("models", _management_values(project, service))
    yield _caller(project, options, service)
    runbook = alone_values(project, options, service, job=load_test)
    yield artefact("README.md", "torchserve/README.alone.md.j2", runbook)


def image_requirements(service: Service) -> tuple[str, ...]:
    """The packages that the models' handlers import: the image has them installed."""
    wanted: set[str] = set()
    for model in service.models:
        if model.takes == "anything":
            wanted.update(model.project.model.requirements)
        elif model.takes != "tensors":
            wanted.update(model.project.transforms.requirements)
    return tuple(sorted(wanted))


def _script(name: str, values: Mapping[str, object]) -> Artefact:
    path = f"scripts/{name}.sh"
    return artefact(path, f"torchserve/{path}.j2", values, executable=True)


def _image(project: Project, service: Service) -> Iterator[Artefact]:
    requirements = image_requirements(service)
    values = {
        "builder": "scripts/start.sh" if service.platform == "docker" else "scripts/build.sh",
        "base_image": pinned(project, service.base_image),
        "requirements": requirements,
        "home": HOME,
        "ports": (HTTP_PORT, MANAGEMENT_PORT, METRICS_PORT, GRPC_PORT),
        "startup_seconds": whole_seconds(project.serving.startup),
        "readiness_seconds": READINESS_SECONDS,
        "readiness": readiness_command(service),
        "start": start_command(HOME),
        "variables": work_variables(),
    }
    path = f"{IMAGE_FOLDER}/Dockerfile"
    yield artefact(path, f"torchserve/{path}.j2", values)
    if requirements:
        template = "common/requirements.txt.j2"
        yield artefact("models/requirements.txt", template, {"requirements": requirements})


def _compose(project: Project, service: Service, load_test: Mapping[str, Any] | None) -> Artefact:
    hardware = project.hardware
    values = {
        # Environments on one machine are projects of their own to docker.
        "project": "-".join(filter(None, (service.name, project.environment))),
        "name": service.name,
        "image": service.images[TORCHSERVE],
        "home": HOME,
        "inference_ports": (HTTP_PORT, GRPC_PORT),
        "own_ports": (MANAGEMENT_PORT, METRICS_PORT),
        "threads": str(service.model.threads),
        "bundle": f"../../{bundle_path(project)}",
        "cpus": _cpus(hardware.limits.cpu or hardware.cpu),
        "memory": _memory(hardware.limits.memory or hardware.memory),
        "work": work_folder(service).path,
        "read_only_root": project.security.read_only_root,
        "gpus": (hardware.gpus or 1) if hardware.accelerator == "nvidia" else None,
        "perf": load_test and _compose_load_test(service, load_test),
    }
    path = f"{IMAGE_FOLDER}/compose.yaml"
    return artefact(path, f"torchserve/{path}.j2", values)


def _compose_load_test(service: Service, load_test: Mapping[str, Any]) -> dict[str, object]:
    return {
        "name": f"{service.name}-{PERF}",
        "image": service.images[PERF],
        "arguments": load_test["arguments"],
        "cpus": _cpus(load_test["cpus"]),
        "memory": _memory(load_test["memory"]),
    }


def _cpus(quantity: Quantity) -> str:
    """Docker's number of CPUs."""
    return f"{float(amount(quantity)):g}"


def _memory(quantity: Quantity) -> str:
    """Docker's mebibytes, which it writes m."""
    return f"{math.ceil(amount(quantity) / _MEBIBYTE)}m"


def _start_values(project: Project, service: Service) -> dict[str, object]:
    return {
        "name": service.name,
        "image": service.images[TORCHSERVE],
        "bundle": bundle_path(project),
        "archives": [model.archive for model in service.models],
        "wait_seconds": whole_seconds(project.serving.startup) + _REPORT_SECONDS,
        "path": service.path(service.protocol),
        "http_port": HTTP_PORT,
        "grpc_port": GRPC_PORT,
        "management_port": MANAGEMENT_PORT,
        "metrics_port": METRICS_PORT,
    }


def _management_values(project: Project, service: Service) -> dict[str, object]:
    return {
        **_reached(service),
        "management_port": MANAGEMENT_PORT,
        "archive": service.model.archive,
        "startup_seconds": whole_seconds(project.serving.startup),
        "workers": service.model.workers,
        "batch_size": service.model.batch_size,
        "batch_delay": service.model.batch_delay_milliseconds,
        "timeout_seconds": service.model.response_timeout_seconds,
    }


def _reached(service: Service) -> dict[str, object]:
    """How a script reaches the server."""
    return {
        "kubernetes": service.platform == "kubernetes",
        "name": service.name,
        "namespace_flag": namespace_flag(service.namespace),
        "http_port": HTTP_PORT,
    }


def _caller(project: Project, options: Options, service: Service) -> Artefact:
    """requests/predict.sh: images at every door, whatever else at the native one."""
    takes_images = service.model.takes in ("images", "pixels")
    doors = ("v1", "v2", "native", *(("explain",) if options.explain else ()))
    values = {
        **_reached(service),
        "takes_images": takes_images,
        "usage": f"[{'|'.join(doors)}] IMAGE..." if takes_images else "FILE...",
        "doors": " | ".join(doors),
        "protocol": service.protocol,
        "field": project.transforms.request_field,
        "v1_path": service.path("v1"),
        "v2_path": service.path("v2"),
        "native_path": service.path("native"),
        "explain_path": f"{EXPLANATIONS}/{service.model.name}" if options.explain else None,
    }
    path = "requests/predict.sh"
    return artefact(path, f"torchserve/{path}.j2", values, executable=True)


def _built_images(service: Service) -> list[dict[str, object]]:
    """The images that scripts/build.sh builds and pushes; the server's own holds the bundle."""
    return [
        {"name": name, "folder": f"images/{component}"}
        | ({"holds_bundle": True} if component == TORCHSERVE else {})
        for component, name in service.images.items()
    ]


def _manifests(project: Project, service: Service) -> Iterator[Artefact]:
    """manifests/: the ConfigMap holds config.properties, and a hash of it in its name."""
    template = "torchserve/models/config/config.properties.j2"
    config = render(artefact("config.properties", template, config_values(service))).text
    digest = hashlib.sha256(config.encode()).hexdigest()[:8]
    shared = {
        "name": service.name,
        "namespace": service.namespace,
        "labels": labels(project, service.name),
        # What the server's pods have, and those of its load test do not.
        "selector": _selector(service),
        "config_name": f"{service.name}-config-{digest}",
        "http_port": HTTP_PORT,
        "grpc_port": GRPC_PORT,
    }
    serving = project.serving
    own: dict[str, Mapping[str, object]] = {
        "configmap": {"config_lines": config.splitlines()},
        "deployment": _deployment_values(project, service),
        "service": {},
    }
    if serving.autoscaling:
        own["hpa"] = {"autoscaling": serving.autoscaling, "replicas": serving.replicas}
    allowed = budget(
        project,
        name=service.name,
        labels=labels(project, service.name),
        selector=_selector(service),
        replicas=serving.replicas,
    )
    if allowed:
        template = "common/manifests/disruptionbudget.yaml.j2"
        yield artefact(f"manifests/{_BUDGET}", template, allowed)
    for name, values in own.items():
        path = f"manifests/{name}.yaml"
        yield artefact(path, f"torchserve/{path}.j2", {**shared, **values})
    budgets = [_BUDGET] if allowed else []
    policies = _policies(project, service)
    yield from policies
    others = [*budgets, *(policy.path.name for policy in policies)]
    yield kustomization("manifests", [*(f"{name}.yaml" for name in own), *others])


def _policies(project: Project, service: Service) -> list[Artefact]:
    """Who may call the server; nobody the management API, for it asks nobody who they are."""
    if project.security.network_policy is None:
        return []
    doors = (HTTP_PORT, GRPC_PORT)
    callers = named(project, (*doors, METRICS_PORT)), *load_test(project, service.name, doors)
    return policy_files(project, service.name, (Policy(service.name, _selector(service), callers),))


def _selector(service: Service) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/component": TORCHSERVE,
    }


def _deployment_values(project: Project, service: Service) -> dict[str, object]:
    serving, kubernetes = project.serving, project.kubernetes
    drain = _LEAVE_SECONDS + whole_seconds(serving.timeout)
    return {
        "annotations": kubernetes.annotations,
        # With an autoscaler the number is its own: one that stands here would undo its choice.
        "replicas": None if serving.autoscaling else serving.replicas.min,
        "progress_deadline_seconds": deadline_seconds(project),
        "pod_labels": pod_labels(project, service.name) | _selector(service),
        "metrics_port": METRICS_PORT,
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "tolerations": tolerations(project),
        "spread": spread(serving.replicas, _selector(service)),
        "read_only_root": project.security.read_only_root,
        "folders": (work_folder(service),),
        "drain_seconds": drain,
        "grace_seconds": drain + _STOP_SECONDS,
        "home": HOME,
        "image": pinned(project, service.images[TORCHSERVE]),
        "threads": str(service.model.threads),
        "resources": model_resources(project.hardware),
        "readiness": readiness_command(service),
        "readiness_seconds": READINESS_SECONDS,
        "probe_period_seconds": PROBE_PERIOD_SECONDS,
        "startup_failures": startup_failures(project),
    }
