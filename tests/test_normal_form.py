"""What is rendered is what the cluster stores: no default and no webhook changes it.

Argo CD would show a field that a webhook rewrites as a difference for ever (kserve/kserve#2232).
The defaulters are played here: CRD defaults of KServe v0.20.0 and Seldon Core v1.17.1, and KServe's
mutating webhook, pkg/apis/serving/v1beta1/inference_service_defaults.go. Seldon Core's chart has no
mutating webhook any more: its operator defaults a copy, and stores only the status.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

RENDERED = Path(__file__).parent.parent / "rendered"
KINDS = ("InferenceService", "ServingRuntime", "SeldonDeployment")
MODE = "serving.kserve.io/deploymentMode"
MODES = ("Standard", "Knative")  # RawDeployment and Serverless are their deprecated names
FRAMEWORKS = (
    "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml",
    "lightgbm", "paddle",
)  # fmt: skip
V2_BY_DEFAULT = ("triton", "onnx", "huggingface")
RESOURCES = {"cpu": "1", "memory": "2Gi"}  # inferenceservice-config, key inferenceService.resource


def manifests() -> Iterator[Any]:
    for path in sorted(RENDERED.rglob("manifests/*.yaml")):
        found = yaml.safe_load(path.read_text())
        if found["kind"] in KINDS:
            yield pytest.param(found, id=str(path.relative_to(RENDERED)))


def stored(manifest: dict[str, Any], *, default_mode: str = "Standard") -> dict[str, Any]:
    """The object as it is stored when the manifest is applied to an empty cluster."""
    found = copy.deepcopy(manifest)
    if found["kind"] == "InferenceService":
        _mutated(found, default_mode)
    _crd_defaults(found["spec"])
    return found


def _mutated(service: dict[str, Any], default_mode: str) -> None:
    """DefaultInferenceService, in the order of its statements."""
    annotations = service["metadata"].setdefault("annotations", {})
    if default_mode == "Standard":
        annotations.setdefault(MODE, default_mode)
    predictor = service["spec"]["predictor"]
    for framework in FRAMEWORKS:  # assign...Runtime
        if framework in predictor:
            model = predictor.pop(framework)
            if framework in V2_BY_DEFAULT:
                model.setdefault("protocolVersion", "v2")
            predictor["model"] = model | {"modelFormat": {"name": framework}}
    if "model" in predictor:
        if predictor["model"]["modelFormat"]["name"] == "triton":
            predictor["model"].setdefault("protocolVersion", "v2")
        _resources(predictor["model"])
    for component in (predictor, service["spec"].get("transformer", {})):
        for container in component.get("containers", [])[:1]:
            container.setdefault("name", "kserve-container")
            _resources(container)


def _resources(container: dict[str, Any]) -> None:
    """setResourceRequirementDefaults"""
    resources = container.setdefault("resources", {})
    for kind in ("requests", "limits"):
        resources[kind] = RESOURCES | resources.get(kind, {})


def _crd_defaults(node: Any, key: str = "") -> None:
    """Those defaults of the CRDs that fields of pods have."""
    if isinstance(node, list):
        for each in node:
            if key == "ports" and "containerPort" in each:
                each.setdefault("protocol", "TCP")
            _crd_defaults(each)
    elif isinstance(node, dict):
        for name, child in node.items():
            if name in ("configMapKeyRef", "secretKeyRef", "configMapRef", "secretRef"):
                child.setdefault("name", "")
            if name == "grpc" and isinstance(child, dict) and "port" in child:
                child.setdefault("service", "")
            _crd_defaults(child, name)


@pytest.mark.parametrize("manifest", list(manifests()))
def test_what_is_applied_is_what_is_stored(manifest: dict[str, Any]) -> None:
    assert stored(manifest) == manifest
    assert stored(manifest, default_mode="Knative") == manifest


@pytest.mark.parametrize("manifest", list(manifests()))
def test_the_mode_is_written_in_the_words_of_today(manifest: dict[str, Any]) -> None:
    if manifest["kind"] == "InferenceService":
        assert manifest["metadata"]["annotations"][MODE] in MODES


def service(**predictor: Any) -> dict[str, Any]:
    resources = {"requests": dict(RESOURCES), "limits": dict(RESOURCES)}
    model = {"modelFormat": {"name": "pytorch"}, "resources": resources}
    return {
        "kind": "InferenceService",
        "metadata": {"annotations": {MODE: "Standard"}},
        "spec": {"predictor": predictor or {"model": model}},
    }


def test_the_played_webhook_leaves_a_normal_form() -> None:
    assert stored(service()) == service()


@pytest.mark.parametrize(
    "other",
    [
        service() | {"metadata": {}},
        service(triton={"storageUri": "s3://a/b"}),
        service(pytorch={"storageUri": "s3://a/b"}),
        service(model={"modelFormat": {"name": "triton"}}),
        service(model={"modelFormat": {"name": "pytorch"}, "resources": {"limits": {"cpu": "1"}}}),
        service(containers=[{"image": "a", "ports": [{"containerPort": 80}]}]),
    ],
    ids=["no mode", "triton", "pytorch", "no protocol", "no memory", "no name"],
)
def test_the_played_webhook_changes_what_is_no_normal_form(other: dict[str, Any]) -> None:
    assert stored(other) != other
