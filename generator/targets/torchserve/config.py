"""The values of config.properties."""

from generator.resources import whole_seconds
from generator.targets.torchserve.service import (
    GRPC_MANAGEMENT_PORT,
    GRPC_PORT,
    MANAGEMENT_PORT,
    METRICS_PORT,
    Model,
    Service,
)
from generator.workload import HTTP_PORT

MODEL_STORES = {
    "kserve": "/mnt/models/model-store",  # where KServe mounts a bundle
    "docker": "/home/model-server/model-store",
    "kubernetes": "/home/model-server/model-store",
}
MESSAGE_BYTES = 64 * 2**20  # a batch of tensors in JSON exceeds the server's own 6.5 MB
REPLACEABLE = ("allowed_urls", "max_request_size", "max_response_size", "metrics_mode")


def config_values(service: Service) -> dict[str, object]:
    """What templates/torchserve/models/config/config.properties.j2 lays out."""
    given = service.model.options.settings
    return {
        "inference_address": f"http://0.0.0.0:{HTTP_PORT}",
        "management_address": f"http://{_management_host(service)}:{MANAGEMENT_PORT}",
        "metrics_address": f"http://0.0.0.0:{METRICS_PORT}",
        "grpc_port": GRPC_PORT,
        "grpc_management_port": GRPC_MANAGEMENT_PORT,
        "is_published": service.platform == "docker",
        "model_store": MODEL_STORES[service.platform],
        "installs_requirements": any(_has_requirements(model, service) for model in service.models),
        "job_queue_size": service.job_queue_size,
        "response_timeout": service.model.response_timeout_seconds,
        "startup_timeout": whole_seconds(service.model.project.serving.startup),
        "max_request_size": given.get("max_request_size", MESSAGE_BYTES),
        "max_response_size": given.get("max_response_size", MESSAGE_BYTES),
        "metrics_mode": given.get("metrics_mode", "prometheus"),
        "allowed_urls": given.get("allowed_urls", f"file://{MODEL_STORES[service.platform]}/.*"),
        "settings": {key: given[key] for key in sorted(given) if key not in REPLACEABLE},
        "snapshot": snapshot(service.models),
    }


def snapshot(models: tuple[Model, ...]) -> dict[str, object]:
    """The models that the server starts with, each with its workers and batching."""
    return {
        "name": "startup.cfg",
        "modelCount": len(models),
        "models": {model.name: {model.version: _entry(model)} for model in models},
    }


def _management_host(service: Service) -> str:
    """Loopback: it has no authorization. A published port reaches a container from outside."""
    return "0.0.0.0" if service.platform == "docker" else "127.0.0.1"  # noqa: S104


def _has_requirements(model: Model, service: Service) -> bool:
    """Whether the model's archive carries requirements for its worker to install.

    An image of our own has them installed already.
    """
    project = model.project
    wanted = {
        "images": project.transforms.requirements,
        "pixels": project.transforms.requirements,
        "anything": project.model.requirements,
    }
    return service.platform == "kserve" and bool(wanted.get(model.takes))


def _entry(model: Model) -> dict[str, object]:
    return {
        "defaultVersion": True,
        "marName": model.archive,
        "minWorkers": model.workers,
        "maxWorkers": model.workers,
        "batchSize": model.batch_size,
        "maxBatchDelay": model.batch_delay_milliseconds,
        "responseTimeout": model.response_timeout_seconds,
        "startupTimeout": whole_seconds(model.project.serving.startup),
    }
