"""What the pods of KServe and TorchServe may do, where they stand, and how long they may start."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import pipeline
from generator.explain.ends import in_force
from generator.explain.fields import find
from generator.source import load
from generator.startup import startup

SPECS = Path(__file__).parent.parent / "specs"
BASE = """\
spec_version: 1
name: one
model:
  source: models/mnist.py:Net
  inputs: [{name: image, dtype: float32, shape: [N, 1, 28, 28]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
accepted_warnings: {torchserve/end-of-life: known}
images: {registry: docker.io/acme, tag: "1.0"}
"""
STEPS = """\
transforms:
  run_in: component
  preprocess: [{decode: {mode: L}}, {resize: {size: [28, 28]}}, to_tensor]
"""
STORAGE = "storage: {uri: pvc://claim/models}\n"
SEVERAL = "serving: {replicas: {min: 1, max: 3}, autoscaling: {metric: cpu, target: 50}}\n"
WAYS = {
    "Triton in Knative": STORAGE + STEPS + "targets: {triton: {}}\n",
    "Triton in Standard": STORAGE + STEPS + "targets: {triton: {deployment_mode: Standard}}\n",
    "a runtime of the cluster": STORAGE + "targets: {triton: {runtime: theirs}}\n",
    "TorchServe under KServe": STORAGE + STEPS + "targets: {torchserve: {archive: job}}\n",
    "TorchServe alone": "targets: {torchserve: {platform: kubernetes}}\n",
}
PERF = "perf: {rate: 5}\nkubernetes: {namespace: models}\n"


def manifests(text: str) -> dict[str, Any]:
    """Every rendered manifest of a spec, by the name of its file."""
    build = pipeline.build("spec.yaml", (BASE + text).encode(), SPECS)
    files = [file for file in build.files if file.path.suffix == ".yaml"]
    return {
        f"{file.path.parent.name}/{file.path.name}": yaml.safe_load(file.text) for file in files
    }


def pods(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The pods of manifests; the container of an InferenceService's model with its runtime's."""
    runtime = given.get("manifests/servingruntime.yaml", {"spec": {}})["spec"]
    for manifest in given.values():
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "InferenceService":
                base = runtime.get("containers", [{}])[0]
                predictor = spec["predictor"]
                yield {**runtime, **predictor, "containers": [{**base, **predictor["model"]}]}
                yield from [spec["transformer"]] if "transformer" in spec else []
            case "Deployment" | "Job":
                yield spec["template"]["spec"]


@pytest.mark.parametrize("way", WAYS)
def test_every_container_is_restricted_and_its_root_read_only(way: str) -> None:
    found = [*pods(manifests(WAYS[way] + PERF))]

    assert len(found) >= 2
    for pod in found:
        for container in pod["containers"]:
            security = pod.get("securityContext", {}) | container["securityContext"]
            assert security["runAsNonRoot"] is True
            assert security["runAsUser"] >= 1000
            assert security["runAsGroup"] >= 1000
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert security["readOnlyRootFilesystem"] is True
            assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("way", WAYS)
def test_every_folder_that_is_written_to_has_an_end(way: str) -> None:
    for pod in pods(manifests(WAYS[way] + PERF)):
        empty = {each["name"]: each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each}
        mounted = {each["name"] for each in pod["containers"][0]["volumeMounts"]}

        assert empty
        assert empty.keys() <= mounted
        assert all(set(each) == {"sizeLimit"} for each in empty.values())


@pytest.mark.parametrize("way", WAYS)
def test_the_root_is_opened_where_the_spec_says_so(way: str) -> None:
    opened = "security: {read_only_root: false}\n"

    roots = [
        container["securityContext"]["readOnlyRootFilesystem"]
        for pod in pods(manifests(WAYS[way] + opened))
        for container in pod["containers"]
        if container.get("name") != "archive"
    ]

    assert set(roots) == {False}


def test_the_root_of_the_container_of_compose_is_opened_too() -> None:
    docker = "targets: {torchserve: {platform: docker}}\n"

    shut = manifests(docker)["torchserve/compose.yaml"]["services"]["one"]
    opened = manifests(docker + "security: {read_only_root: false}\n")

    assert shut["read_only"] is True
    assert opened["torchserve/compose.yaml"]["services"]["one"]["read_only"] is False


def budgets(given: Mapping[str, Any]) -> dict[str, Any]:
    found = [each for each in given.values() if each["kind"] == "PodDisruptionBudget"]
    return {each["metadata"]["name"]: each["spec"] for each in found}


def test_a_budget_lets_one_replica_of_each_component_go() -> None:
    for way in ("Triton in Standard", "Triton in Knative"):
        text = WAYS[way] + SEVERAL.replace("cpu", "rps" if "Knative" in way else "cpu")
        given = budgets(manifests(text))

        assert given == {
            f"one-{component}-budget": {
                "maxUnavailable": 1,
                "selector": {
                    "matchLabels": {
                        "serving.kserve.io/inferenceservice": "one",
                        "component": component,
                    }
                },
            }
            for component in ("predictor", "transformer")
        }


def test_a_budget_is_in_the_kustomization() -> None:
    given = manifests(WAYS["TorchServe alone"] + SEVERAL)

    pods_of = given["manifests/deployment.yaml"]["spec"]["selector"]
    listed = given["manifests/kustomization.yaml"]["resources"]

    assert "disruptionbudget.yaml" in listed
    assert budgets(given)["one"]["selector"] == pods_of


@pytest.mark.parametrize("way", WAYS)
def test_one_replica_has_neither_budget_nor_spread(way: str) -> None:
    """A budget of one could only keep a node from being drained."""
    given = manifests(WAYS[way])

    assert budgets(given) == {}
    assert all("topologySpreadConstraints" not in pod for pod in pods(given))


def test_a_component_with_replicas_of_its_own_has_a_budget_of_its_own() -> None:
    own = "hardware: {components: {transformer: {replicas: {min: 2, max: 2}}}}\n"

    given = budgets(manifests(WAYS["Triton in Standard"] + own))

    assert list(given) == ["one-transformer-budget"]


def test_replicas_are_spread_but_not_in_knative_which_refuses_the_field() -> None:
    standard = [*pods(manifests(WAYS["Triton in Standard"] + SEVERAL))]
    knative = [*pods(manifests(WAYS["Triton in Knative"] + SEVERAL.replace("cpu", "rps")))]

    for pod, component in zip(standard, ("predictor", "transformer"), strict=True):
        zone, node = pod["topologySpreadConstraints"]
        assert zone["topologyKey"] == "topology.kubernetes.io/zone"
        assert node["topologyKey"] == "kubernetes.io/hostname"
        for each in (zone, node):
            assert each["whenUnsatisfiable"] == "ScheduleAnyway"
            assert each["labelSelector"]["matchLabels"]["component"] == component
    assert all("topologySpreadConstraints" not in pod for pod in knative)


TAINTS = """\
kubernetes:
  tolerations:
    - {key: nvidia.com/gpu, operator: Exists}
    - {key: pool, value: models, effect: NoSchedule}
"""


@pytest.mark.parametrize("way", WAYS)
def test_the_models_pods_stand_taints_and_the_transformer_does_not(way: str) -> None:
    found = [*pods(manifests(WAYS[way] + TAINTS))]

    tolerant = [pod["tolerations"] for pod in found if "tolerations" in pod]

    assert len(tolerant) == (2 if "under" in way else 1)
    for each in tolerant:
        assert each == [
            {"key": "nvidia.com/gpu", "operator": "Exists"},
            {"key": "pool", "operator": "Equal", "value": "models", "effect": "NoSchedule"},
        ]


@pytest.mark.parametrize(
    ("size", "given"),
    [("1Ki", "10m"), ("4Gi", "10m"), ("10Gi", "21m"), ("20Gi", "40m"), (10**10, "20m")],
)
def test_the_time_to_start_follows_from_the_size(size: str | int, given: str) -> None:
    assert startup(size) == given


def seconds_to_start(text: str, size: str) -> int:
    sized = BASE.replace("model:\n", f"model:\n  size: {size}\n") + text
    [deployment] = pipeline.build("spec.yaml", sized.encode(), SPECS).deployments
    return int(deployment.project.serving.startup.removesuffix("m"))


def test_a_startup_that_is_written_counts() -> None:
    triton = WAYS["Triton in Standard"]

    assert seconds_to_start(triton, "20Gi") == 40
    assert seconds_to_start(triton + "serving: {startup: 9m}\n", "20Gi") == 9


def test_a_claim_is_not_downloaded_so_that_its_startup_may_be_short() -> None:
    short = "serving: {startup: 1m}\n"
    sized = BASE.replace("model:\n", "model:\n  size: 20Gi\n")

    claim = pipeline.build("a", (sized + WAYS["Triton in Standard"] + short).encode(), SPECS)

    assert [each.rule for each in claim.warnings if "startup" in each.rule] == []


def test_folders_grow_with_the_bundle() -> None:
    sized = WAYS["TorchServe alone"]
    text = BASE.replace("model:\n", "model:\n  size: 20Gi\n") + sized

    build = pipeline.build("spec.yaml", text.encode(), SPECS)

    [deployment] = [file.text for file in build.files if file.path.name == "deployment.yaml"]
    assert "sizeLimit: 44Gi" in deployment


def test_explain_tells_the_time_that_follows_from_the_size() -> None:
    text = BASE.replace("model:\n", "model:\n  size: 20Gi\n") + WAYS["Triton in Standard"]
    document = load("spec.yaml", text, SPECS)

    [force] = in_force(find("serving.startup"), document, lambda _: None)

    assert (force.value, force.origin) == ("40m", "default")
