"""`gen cluster drift`: what applying a render would change."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from api_server import ApiServer
from ran import Ran
from setting import Object, named

from generator.live_cluster.comparison import ABSENT, Difference, differences, value_at

Cluster = Callable[..., Ran]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SPEC = Path(__file__).parents[2] / "specs" / "variants" / "mnist-kubernetes.yaml"
LABELS = {
    "app.kubernetes.io/managed-by": "serving-generator",
    "app.kubernetes.io/name": "mnist-kubernetes",
}


@pytest.fixture
def applied(api: ApiServer, cluster: Cluster) -> dict[str, Object]:
    """The render as it stands in the cluster, by kind; each with what has been applied."""
    cluster("check", of=SPEC)
    sent = {r.body["kind"]: r.body for r in api.requests if r.method == "PATCH"}
    held = {kind: api.apply(manifest) for kind, manifest in sent.items()}
    api.requests.clear()
    return held


def drift(cluster: Cluster, *options: str) -> Ran:
    return cluster("drift", *options, of=SPEC)


@pytest.mark.usefixtures("applied")
def test_what_was_applied_does_not_differ(cluster: Cluster) -> None:
    ran = drift(cluster)

    assert (ran.status, ran.out) == (0, "")
    assert "same" in ran.err


def test_defaults_and_the_servers_own_fields_are_no_drift(
    cluster: Cluster, applied: dict[str, Object]
) -> None:
    deployment = applied["Deployment"]
    assert deployment["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    deployment["status"] = {"replicas": 2}
    deployment["metadata"] |= {"generation": 9, "creationTimestamp": "2026-01-01T00:00:00Z"}

    assert drift(cluster).status == 0


def test_a_changed_field_is_shown_with_both_values(
    cluster: Cluster, applied: dict[str, Object]
) -> None:
    [container] = applied["Deployment"]["spec"]["template"]["spec"]["containers"]
    image, container["image"] = container["image"], "docker.io/acme/patched:by-hand"

    ran = drift(cluster)

    assert ran.status == 1
    assert ran.out.splitlines() == [
        "Deployment models/mnist-kubernetes: differs",
        "    spec.template.spec.containers[torchserve].image:"
        f" docker.io/acme/patched:by-hand -> {image}",
    ]


def test_a_diff_shows_yaml(cluster: Cluster, applied: dict[str, Object]) -> None:
    applied["Deployment"]["spec"]["progressDeadlineSeconds"] = 1

    out = drift(cluster, "--diff").out

    assert "--- live Deployment models/mnist-kubernetes" in out
    assert "-  progressDeadlineSeconds: 1\n+  progressDeadlineSeconds: 1200" in out


def test_a_field_that_is_no_longer_rendered_goes(
    api: ApiServer, cluster: Cluster, applied: dict[str, Object]
) -> None:
    applied["Deployment"]["spec"]["paused"] = True
    [held] = [each for key, each in api.applied.items() if key[0] == "apps/v1/deployments"]
    held["serving-generator"]["spec"]["paused"] = True

    assert "spec.paused: true -> (absent)" in drift(cluster).out


def test_the_applier_of_an_object_is_found_by_itself(
    api: ApiServer, cluster: Cluster, applied: dict[str, Object]
) -> None:
    deployment = applied["Deployment"]
    manifest = copy.deepcopy(deployment)
    manifest["spec"]["paused"] = True
    del manifest["metadata"]["managedFields"]
    api.apply(manifest, "argocd-controller")

    out = drift(cluster).out

    assert "spec.paused: true -> (absent)" in out
    managers = {
        r.query["fieldManager"]
        for r in api.requests
        if r.path.endswith("/deployments/mnist-kubernetes") and r.method == "PATCH"
    }
    assert managers == {"argocd-controller"}


def test_a_field_that_kubectl_has_applied_and_is_no_longer_rendered_is_found(
    cluster: Cluster, applied: dict[str, Object]
) -> None:
    service = applied["Service"]
    service["spec"]["sessionAffinity"] = "ClientIP"
    noted = copy.deepcopy(service)
    service["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(noted)}

    ran = drift(cluster)

    assert ran.status == 1
    assert "spec.sessionAffinity: ClientIP -> (absent)" in ran.out


def test_what_argo_cd_notes_on_objects_is_no_drift(
    cluster: Cluster, applied: dict[str, Object]
) -> None:
    service = applied["Service"]
    noted = copy.deepcopy(service)
    noted["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "a:/Service:models/a"}
    noted["metadata"]["labels"]["app.kubernetes.io/instance"] = "a"
    service["metadata"] = copy.deepcopy(noted["metadata"])
    service["metadata"]["annotations"] |= {LAST_APPLIED: json.dumps(noted)}

    assert drift(cluster).status == 0


def test_what_is_missing_is_told(
    api: ApiServer, cluster: Cluster, applied: dict[str, Object]
) -> None:
    del api.objects["v1/services", "models", "mnist-kubernetes"]

    ran = drift(cluster)

    assert ran.status == 1
    assert ran.out == "Service models/mnist-kubernetes: missing: not in the cluster\n"


@pytest.mark.usefixtures("applied")
def test_left_overs_of_the_project_are_told(api: ApiServer, cluster: Cluster) -> None:
    for name, labels, owners in (
        ("old", LABELS, []),
        ("owned", LABELS, [{"kind": "InferenceService", "name": "x"}]),
        ("others", {**LABELS, "app.kubernetes.io/name": "other"}, []),
        ("theirs", {"app.kubernetes.io/name": "mnist-kubernetes"}, []),
    ):
        held = named("ConfigMap", name, "models")
        held["metadata"] |= {"labels": labels, "ownerReferences": owners}
        api.add(held)

    ran = drift(cluster)

    assert ran.status == 1
    assert ran.out == "ConfigMap models/old: orphan: is no longer rendered\n"


@pytest.mark.usefixtures("applied")
def test_what_other_targets_render_is_not_left_over(api: ApiServer, cluster: Cluster) -> None:
    landmarks = SPEC.parent / "landmarks-targets.yaml"
    cluster("check", of=landmarks)
    for sent in [r.body for r in api.requests if r.method == "PATCH"]:
        api.apply(sent)

    ran = cluster("drift", "--target", "triton", of=landmarks)

    assert (ran.status, ran.out) == (0, "")


def test_a_value_that_the_cluster_would_refuse_is_told(
    api: ApiServer, cluster: Cluster, applied: dict[str, Object]
) -> None:
    api.webhooks.append(lambda manifest: "denied" if manifest["kind"] == "Deployment" else None)

    ran = drift(cluster)

    assert ran.status == 1
    assert "Deployment models/mnist-kubernetes: refused: denied" in ran.out


@pytest.mark.usefixtures("applied")
def test_what_cannot_be_seen_is_2(api: ApiServer, cluster: Cluster) -> None:
    api.denied = {("patch", "deployments")}

    ran = drift(cluster)

    assert ran.status == 2
    assert "Deployment models/mnist-kubernetes: unknown" in ran.out


def test_json_holds_fields_with_their_values(cluster: Cluster, applied: dict[str, Object]) -> None:
    applied["Deployment"]["spec"]["progressDeadlineSeconds"] = 1

    held = json.loads(drift(cluster, "-f", "json").out)

    assert held["in_sync"] is False
    [one] = [each for each in held["objects"] if each["state"] == "differs"]
    assert one["fields"] == [{"field": "spec.progressDeadlineSeconds", "live": 1, "rendered": 1200}]


def test_elements_of_a_list_go_by_their_names() -> None:
    live = {"a": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "b.c": [1, 2]}
    rendered = {"a": [{"name": "y", "v": 3}, {"name": "x", "v": 1}], "b.c": [1]}

    found = list(differences(live, rendered))

    assert [(each.field, each.live, each.rendered) for each in found] == [
        ("a[y].v", 2, 3),
        ("[b.c]", [1, 2], [1]),
    ]
    assert [value_at(live, each.path) for each in found] == [2, [1, 2]]


def test_true_is_not_one_and_absent_is_not_null() -> None:
    assert list(differences({"a": True}, {"a": 1})) == [Difference(("a",), True, 1)]
    assert list(differences({"a": None}, {})) == [Difference(("a",), None, ABSENT)]
