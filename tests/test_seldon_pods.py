"""The pods of a rendered SeldonDeployment: shut in, spread, and with one budget for all."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.pipeline import build
from generator.source import load
from generator.validate import validate

SPEC = """\
spec_version: 1
name: one
model:
  source: models/mnist.py:Net
  {size}inputs: [{{name: image, dtype: float32, shape: [N, 1, 28, 28]}}]
  outputs: [{{name: logits, dtype: float32, shape: [N, 10]}}]
storage: {{uri: s3://bucket/models, secret: reader}}
images: {{registry: docker.io/acme, tag: "1"}}
accepted_warnings: {{seldon/python-end-of-life: known}}
"""
FOLDER = Path(__file__).parents[1] / "specs"
STEPS = (
    "transforms: {preprocess: [{decode: {mode: L}}, {resize: {size: [28, 28]}}, to_tensor],"
    " postprocess: [softmax]}\n"
)
DOCKER = "targets: {seldon: {builder: docker}}\n"
S2I = "targets: {seldon: {builder: s2i}}\n"
TRITON = "targets: {seldon: {model_server: TRITON_SERVER}}\n"
APART = "hardware: {components: {input: {replicas: {min: 1, max: 4}}}}\n"


def pods(*more: str, size: str = "") -> list[dict[str, Any]]:
    """The componentSpecs of a rendered deployment."""
    text = SPEC.format(size=size) + "".join(more)
    files = build("spec.yaml", text.encode(), FOLDER).files
    [file] = [each for each in files if each.path.name == "seldondeployment.yaml"]
    [predictor] = yaml.safe_load(file.text)["spec"]["predictors"]
    found: list[dict[str, Any]] = predictor["componentSpecs"]
    return found


def containers(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("containers", "initContainers")
    return [one for pod in found for key in keys for one in pod["spec"].get(key, ())]


@pytest.mark.parametrize("target", [DOCKER, TRITON])
def test_no_container_writes_to_its_own_image(target: str) -> None:
    contexts = [one["securityContext"] for one in containers(pods(target))]

    assert contexts
    assert all(context["readOnlyRootFilesystem"] is True for context in contexts)


@pytest.mark.parametrize("target", [DOCKER, TRITON])
def test_a_spec_may_open_the_root(target: str) -> None:
    opened = pods(target, "security: {read_only_root: false}\n")
    servers = [one for pod in opened for one in pod["spec"]["containers"]]

    assert not any(one["securityContext"].get("readOnlyRootFilesystem") for one in servers)


def test_what_s2i_builds_has_its_own_root_and_says_so() -> None:
    text = SPEC.format(size="") + S2I + "security: {read_only_root: false}\n"

    assert not any(
        one["securityContext"].get("readOnlyRootFilesystem")
        for pod in pods(S2I)
        for one in pod["spec"]["containers"]
    )
    _, told = validate(load("spec.yaml", text, FOLDER))
    assert "seldon/no-effect" in {each.rule for each in told}


def test_triton_has_a_folder_to_write_to() -> None:
    [pod] = pods(TRITON)

    [container] = pod["spec"]["containers"]
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}} in pod["spec"]["volumes"]


def test_the_downloaded_bundle_is_bounded_where_its_size_is_known() -> None:
    [unknown] = pods(DOCKER)
    [known] = pods(DOCKER, size="size: 1Gi\n  ")

    assert unknown["spec"]["volumes"] == [{"name": "model", "emptyDir": {}}]
    [volume] = known["spec"]["volumes"]
    assert volume["emptyDir"]["sizeLimit"].endswith("Gi")


def test_one_replica_has_no_budget_and_is_not_spread() -> None:
    [pod] = pods(DOCKER)

    assert "pdbSpec" not in pod
    assert "topologySpreadConstraints" not in pod["spec"]


def two_pods(most: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model's pod with so many replicas at most, and one beside it that has up to four."""
    scaling = f"{{autoscaling: {{metric: cpu, target: 80}}, replicas: {{min: 1, max: {most}}}}}"
    first, other = pods(DOCKER, STEPS, APART, f"serving: {scaling}\n")
    return first, other


@pytest.mark.parametrize("most", [1, 3])
def test_one_budget_is_for_all_pods(most: int) -> None:
    """The operator's budget selects all pods of the deployment, and a pod may have one only."""
    first, other = two_pods(most)

    assert first["pdbSpec"] == {"maxUnavailable": 1}
    assert "pdbSpec" not in other


def test_pods_are_spread_among_their_like() -> None:
    first, other = two_pods(3)

    for pod in (first, other):
        name = pod["metadata"]["name"]
        assert pod["metadata"]["labels"] == {"app.kubernetes.io/component": name}
        for constraint in pod["spec"]["topologySpreadConstraints"]:
            assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
            assert constraint["labelSelector"]["matchLabels"] == {
                "seldon-deployment-id": "one",
                "app.kubernetes.io/component": name,
            }


def test_tolerations_reach_every_pod() -> None:
    taint = "kubernetes: {tolerations: [{key: gpu, operator: Exists}]}\n"

    found = pods(DOCKER, STEPS, APART, "serving: {autoscaling: {metric: cpu, target: 80}}\n", taint)

    assert len(found) == 2
    for pod in found:
        assert pod["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
