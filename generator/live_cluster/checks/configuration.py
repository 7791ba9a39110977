"""What the config maps of the platforms hold: JSON in the values of their data."""

import json

from generator.live_cluster.parts import Json, mapping, text
from generator.live_cluster.question import Amiss, Asked

_MODES = ("Knative", "Serverless", "Standard", "RawDeployment", "ModelMesh")


def _config_map(asked: Asked) -> str:
    return f"/api/v1/namespaces/{asked.kserve}/configmaps/inferenceservice-config"


def kserve_config(asked: Asked, key: str) -> Json | None:
    """A part of KServe's configuration, None where there is no configuration.

    The parts and their fields: kserve, pkg/apis/serving/v1beta1/configmap.go and pkg/credentials
    """
    found = asked.get(_config_map(asked))
    return None if found is None else json_of(found, key)


def deploy_config(asked: Asked) -> Json | None:
    """How KServe deploys; raises Amiss also for a default mode that it does not know.

    https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1beta1/configmap.go
    """
    config = kserve_config(asked, "deploy")
    is_said = "deploy" in mapping(asked.get(_config_map(asked)), "data")
    mode = text(config, "defaultDeploymentMode")
    if is_said and mode not in _MODES:
        told = f"its defaultDeploymentMode is {mode}" if mode else "it has no defaultDeploymentMode"
        raise Amiss(f"KServe refuses deploy of inferenceservice-config: {told}")
    return config


def json_of(config_map: Json, key: str) -> Json:
    """The object under a key, empty where there is none; raises Amiss for anything else.

    The controllers that read it stop there: json.Unmarshal into a struct.
    """
    data = mapping(config_map, "data")
    if key not in data:
        return {}
    try:
        held = json.loads(text(data, key))
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict):
        name = text(config_map, "metadata", "name")
        raise Amiss(f"{key} of the config map {name} is no JSON object: its controller stops there")
    return held
