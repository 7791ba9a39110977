"""The values of templates/kserve/README.md.j2 that no server changes."""

import shlex
from collections.abc import Mapping

from generator.kserve.exposure import Exposure
from generator.kserve.pods import budgets
from generator.project import Format, Project
from generator.runbook import applied, job_commands, load_test, selection
from generator.storage import scheme, upload_commands
from generator.workload import PERF, deadline_seconds, namespace_flag

_EXPORT_NEEDS: Mapping[Format, str] = {
    "torchscript": "torch",
    "state_dict": "torch",
    "onnx": "torch, onnx, onnxscript and onnxruntime",
    "aot_inductor": "torch and g++",
}


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
        "tolerations": kubernetes.tolerations,
        # A claim is mounted, an image is a container: neither is downloaded.
        "downloads": scheme(storage.bundle_uri) not in ("pvc", "oci"),
        "from_hub": scheme(storage.bundle_uri) == "hf",
        "budgets": len([*budgets(project, exposure)]),
        "progress_deadline": f"{deadline_seconds(project)} s",
        "wait": f"{deadline_seconds(project)}s",
        "export_needs": _EXPORT_NEEDS[project.export.format],
        "requirements": " ".join(map(shlex.quote, project.model.requirements)),
        "images": [
            {"name": name, "folder": f"images/{component}"} for component, name in images.items()
        ],
        "selection": selection(project),
        "bundle": bundle,
        **applied(project),
        "upload": upload_commands(storage.bundle_uri, bundle, kubernetes.namespace),
        "has_transformer": exposure.has_transformer,
        "perf": load_test(project, job_commands(project, job)) if job else None,
        "perf_image": images.get(PERF),
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
