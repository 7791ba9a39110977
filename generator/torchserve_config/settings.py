"""What a spec may add to the config.properties that is rendered for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.torchserve_config.rules import faults

Setting = str | int | bool

# Whose value follows from the spec: what to write there instead.
_FROM_THE_SPEC = {
    "default_response_timeout": "set serving.timeout",
    "default_startup_timeout": "set serving.startup",
    "disable_token_authorization": "leave it out: neither KServe nor a probe can send a token",
    "enable_envvars_config": "leave it out: a variable of the cluster would change the rest",
    "enable_model_api": "leave it out: the management API needs it",
    "grpc_inference_address": "leave it out: gRPC is open wherever HTTP is",
    "grpc_inference_port": "leave it out: the manifests name the port",
    "grpc_management_address": "leave it out: gRPC management stays in the container",
    "grpc_management_port": "leave it out: gRPC management stays in the container",
    "inference_address": "leave it out: the manifests name the port",
    "install_py_dep_per_model": "leave it out: it follows from the models' requirements",
    "job_queue_size": "set targets.torchserve.job_queue_size",
    "load_models": "name further models in targets.torchserve.also_serves",
    "management_address": "leave it out: scripts and probes know the port",
    "metrics_address": "leave it out: the manifests name the port",
    "model_snapshot": "set serving.batching and hardware.model_instances",
    "model_store": "leave it out: it follows from targets.torchserve.platform",
    "models": "set serving.batching and hardware.model_instances",
    "service_envelope": "leave it out: the handler reads every protocol",
}


def settings_problems(settings: Mapping[str, Setting]) -> Iterator[tuple[str, str, str]]:
    """Yield the key, what is wrong, and what to do, of lines that a spec may not add."""
    for key, value in settings.items():
        if key in _FROM_THE_SPEC:
            yield key, f"`{key}` follows from the spec", _FROM_THE_SPEC[key]
            continue
        for fault in faults(key, _as_read(value)):
            yield key, fault.message, fault.hint


def _as_read(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
