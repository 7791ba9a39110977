"""NetworkPolicies: who may call which pods, held against the manifests beside them."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from generator import webhook_rules
from generator.diagnostics import Rejected
from generator.pipeline import build

MODEL = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: s3://bucket/models}
images: {registry: docker.io/acme, tag: "1"}
"""
POLICY = "security: {network_policy: {allow_from: [istio-system, monitoring]}}\n"
TRANSFORMS = (
    "transforms: {preprocess: [decode, {resize: {size: [32, 32]}}, to_tensor],"
    " postprocess: [softmax]}\n"
)
PERF = "kubernetes: {namespace: models}\nperf: {rate: 10}\n"
KNATIVE = "targets: {triton: {deployment_mode: Knative}}\n"
STANDARD = "targets: {triton: {deployment_mode: Standard}}\n"
NAMED = ("istio-system", "monitoring")


def rendered(*more: str) -> dict[str, dict[str, Any]]:
    """The rendered manifests by their file's name."""
    text = "".join((MODEL, *more)).encode()
    files = build("spec.yaml", text, Path()).files
    return {
        file.path.name: yaml.safe_load(file.text)
        for file in files
        if file.path.parent.name == "manifests"
    }


def callers(policy: Mapping[str, Any]) -> list[tuple[Any, tuple[int, ...]]]:
    """Of each rule who is let in, and to which ports."""
    found = []
    for rule in policy["spec"]["ingress"]:
        [peer] = rule["from"]
        if "namespaceSelector" in peer:
            [matched] = peer["namespaceSelector"]["matchExpressions"]
            assert (matched["key"], matched["operator"]) == ("kubernetes.io/metadata.name", "In")
            who: Any = tuple(matched["values"])
        else:
            who = peer["podSelector"]["matchLabels"]
        assert all(port["protocol"] == "TCP" for port in rule["ports"])
        found.append((who, tuple(port["port"] for port in rule["ports"])))
    return found


def selected(policy: Mapping[str, Any]) -> Any:
    return policy["spec"]["podSelector"]["matchLabels"]


def test_there_is_none_unless_the_spec_asks() -> None:
    assert "networkpolicy.yaml" not in rendered(KNATIVE)


@pytest.mark.parametrize("target", [KNATIVE, STANDARD])
def test_kustomize_takes_it(target: str) -> None:
    assert "networkpolicy.yaml" in rendered(target, POLICY)["kustomization.yaml"]["resources"]


def test_knative_is_let_in_without_being_named() -> None:
    policy = rendered(KNATIVE, POLICY)["networkpolicy.yaml"]

    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert selected(policy) == {"serving.kserve.io/inferenceservice": "one"}
    assert callers(policy) == [
        (("knative-serving",), (8012, 9090)),
        (NAMED, (8012, 9091, 8002)),
    ]


def test_http2_has_a_port_of_its_own_under_knative() -> None:
    policy = rendered(KNATIVE, POLICY, "serving: {transport: grpc}\n")["networkpolicy.yaml"]

    assert callers(policy)[0] == (("knative-serving",), (8012, 8013, 9090))


def test_a_predictor_behind_a_transformer_is_reached_through_that_alone() -> None:
    manifests = rendered(STANDARD, POLICY, TRANSFORMS, PERF)

    of_service = {"serving.kserve.io/inferenceservice": "one"}
    behind, front = manifests["networkpolicy.yaml"], manifests["transformer-networkpolicy.yaml"]
    assert behind["metadata"]["name"] != front["metadata"]["name"]
    assert selected(behind) == of_service | {"component": "predictor"}
    assert callers(behind) == [
        (of_service | {"component": "transformer"}, (9000,)),
        (NAMED, (8002,)),
    ]
    assert selected(front) == of_service | {"component": "transformer"}
    load_test = {"serving-generator/load-test": "one"}
    assert callers(front) == [(NAMED, (8080,)), (load_test, (8080,))]


@pytest.mark.parametrize("target", [STANDARD, "targets: {torchserve: {platform: kubernetes}}\n"])
def test_labels_of_the_spec_let_nobody_in_as_its_load_test(target: str) -> None:
    own = "app.kubernetes.io/component: all, app.kubernetes.io/name: all"
    given = f"{own}, serving-generator/load-test: all"
    labels = f"kubernetes: {{namespace: models, labels: {{{given}}}}}\n"
    files = build(
        "spec.yaml", "".join((MODEL, target, POLICY, labels, "perf: {rate: 10}\n")).encode(), Path()
    ).files
    texts = {file.path.name: file.text for file in files}

    [*_, (load_test, _)] = callers(yaml.safe_load(texts["networkpolicy.yaml"]))
    job = yaml.safe_load(texts["job.yaml"])
    assert load_test == {"serving-generator/load-test": "one"}
    assert load_test.items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_without_a_policy_a_load_test_has_no_label_of_its_own() -> None:
    text = "".join((MODEL, STANDARD, PERF)).encode()

    assert not any("/load-test" in file.text for file in build("spec.yaml", text, Path()).files)


def test_metrics_that_kserve_aggregates_have_a_port() -> None:
    annotation = (
        'kubernetes: {annotations: {serving.kserve.io/enable-metric-aggregation: "true"}}\n'
    )

    policy = rendered(KNATIVE, POLICY, annotation)["networkpolicy.yaml"]

    assert callers(policy)[1] == (NAMED, (8012, 9091, 8002, 9088))


def test_a_predictor_alone_is_called_by_all_that_are_named() -> None:
    assert callers(rendered(STANDARD, POLICY)["networkpolicy.yaml"]) == [(NAMED, (8080, 8002))]


def test_seldons_nodes_in_other_pods_are_called_by_the_orchestrator_alone() -> None:
    scales = "hardware: {components: {input: {replicas: {min: 2, max: 2}}}}\n"
    manifests = rendered("targets: {seldon: {}}\n", POLICY, TRANSFORMS, scales)

    policy = manifests["networkpolicy.yaml"]
    own = {"seldon-deployment-id": "one"}
    assert selected(policy) == own
    [predictor] = manifests["seldondeployment.yaml"]["spec"]["predictors"]
    [_, other] = predictor["componentSpecs"]
    ports = {
        port["name"]: port["containerPort"] for port in other["spec"]["containers"][0]["ports"]
    }
    assert callers(policy) == [
        (NAMED, (8000, 5001, 6000, 6001, 6002)),
        (own, (ports["http"], ports["grpc"])),
    ]


def test_torchserves_management_is_open_to_nobody() -> None:
    text = "targets: {torchserve: {platform: kubernetes}}\naccepted_warnings: {}\n"
    manifests = rendered(text.replace("accepted_warnings: {}\n", ""), POLICY)

    policy, deployment = manifests["networkpolicy.yaml"], manifests["deployment.yaml"]
    pods = deployment["spec"]["template"]["metadata"]["labels"]
    assert selected(policy).items() <= pods.items()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["containerPort"] for port in container["ports"]}
    [(_, opened)] = callers(policy)
    assert set(opened) == ports
    assert 8081 not in opened


@pytest.mark.parametrize("names", ["[]", "[Models]", '["a.b"]', "[a, a]"])
def test_refuses_what_is_no_list_of_namespaces(names: str) -> None:
    with pytest.raises(Rejected):
        rendered(KNATIVE, f"security: {{network_policy: {{allow_from: {names}}}}}\n")


def policy(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "one"},
        "spec": spec,
    }


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "one"},
    "spec": {"template": {"metadata": {"labels": {"app": "one"}}, "spec": {"containers": []}}},
}
SERVICE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "one", "labels": {"team": "vision"}},
    "spec": {"predictor": {"model": {}}},
}


def told(*manifests: Mapping[str, Any]) -> list[str]:
    named = {PurePosixPath(f"{n}.yaml"): each for n, each in enumerate(manifests)}
    names = [refusal.rule for _, refusal in webhook_rules.refusals(named)]
    return [name for name in names if "policy" in name]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({}, True),
        ({"app": "one"}, True),
        ({"serving.kserve.io/inferenceservice": "one"}, True),
        ({"serving.kserve.io/inferenceservice": "one", "component": "predictor"}, True),
        ({"serving.kserve.io/inferenceservice": "one", "unknown": "x"}, True),
        ({"serving.kserve.io/inferenceservice": "other"}, False),
        ({"component": "transformer", "team": "vision"}, False),
    ],
)
def test_a_policy_that_finds_no_pod_is_told(labels: dict[str, str], found: bool) -> None:
    one = policy({"podSelector": {"matchLabels": labels}})

    expected = [] if found else ["kubernetes/policy-finds-no-pod"]
    assert told(one, DEPLOYMENT, SERVICE) == expected


@pytest.mark.parametrize(
    ("ports", "number"),
    [
        ([{"port": 80}, {"port": "http"}, {"port": 1, "endPort": 65535}, {}], 0),
        ([{"port": 0}], 1),
        ([{"port": 65536}], 1),
        ([{"port": 80, "endPort": 79}], 1),
        ([{"endPort": 80}], 1),
        ([{"port": "http", "endPort": 80}], 1),
    ],
)
def test_ports_of_policies(ports: list[dict[str, Any]], number: int) -> None:
    one = policy({"podSelector": {}, "ingress": [{"ports": ports}]})

    assert told(one, DEPLOYMENT) == ["kubernetes/policy-port-out-of-range"] * number
