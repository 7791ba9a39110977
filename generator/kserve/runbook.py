"""The values of templates/kserve/README.md.j2 that no server changes."""

import shlex
from collections.abc import Mapping

from generator.kserve.exposure import PERF, Exposure
from generator.kserve.manifests import deadline_seconds
from generator.project import Project
from generator.storage import upload_commands


def runbook_values(
    project: Project,
    exposure: Exposure,
    images: Mapping[str, str],
    *,
    job: str | None,
    writes_secret: bool,
) -> dict[str, object]:
    """What a runbook says of any service under KServe; `job` is the name of the load test."""
    kubernetes, storage = project.kubernetes, project.storage
    assert storage is not None  # rule storage-missing
    bundle = f"build/{project.place}"
    return {
        "project": project.name,
        "service": exposure.service,
        "version": project.model.version,
        "namespace": kubernetes.namespace,
        "namespace_flag": namespace_flag(kubernetes.namespace),
        "deployment_mode": exposure.deployment_mode,
        "knative": exposure.is_knative,
        "storage_uri": storage.bundle_uri,
        "storage_secret": storage.secret,
        "writes_secret": writes_secret,
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "progress_deadline": f"{deadline_seconds(project)} s",
        "wait": f"{deadline_seconds(project)}s",
        "requirements": " ".join(map(shlex.quote, project.model.requirements)),
        "images": [
            {"name": name, "folder": f"images/{component}"} for component, name in images.items()
        ],
        "selection": _selection(project, exposure),
        "bundle": bundle,
        "upload": upload_commands(storage.bundle_uri, bundle, kubernetes.namespace),
        "has_transformer": exposure.has_transformer,
        "perf": _perf(project, images, job),
    }


def namespace_flag(namespace: str | None) -> str:
    """The words of kubectl that name the namespace, a space before them."""
    return f" --namespace {namespace}" if namespace else ""


def _selection(project: Project, exposure: Exposure) -> str:
    environment = f" --environment {project.environment}" if project.environment else ""
    return f" --target {exposure.target}{environment}"


def _perf(
    project: Project, images: Mapping[str, str], job: str | None
) -> Mapping[str, object] | None:
    if not project.perf:
        return None
    return {
        "rate": project.perf.rate,
        "duration": project.perf.duration,
        "warm_up": project.perf.warm_up,
        "job": job,
        "image": images[PERF],
    }


def image_calls() -> list[str]:
    """How requests/predict.sh is called."""
    return [
        "./requests/predict.sh              # the sample, at the project's own door",
        "./requests/predict.sh v1 cat.jpg   # an image of yours",
        "./requests/predict.sh v2 cat.jpg dog.png",
    ]


def url_command(exposure: Exposure, namespace: str | None) -> str:
    """The shell line that reads the service's url."""
    get = f"kubectl get inferenceservice {exposure.service}{namespace_flag(namespace)}"
    return f"url=$({get} --output 'jsonpath={{.status.url}}')"
