"""docs/live-cluster.md shows what the commands print, and names all that they ask for."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from api_server import ApiServer, Request, failure
from ran import Ran
from setting import Object, named

from generator.live_cluster.connection import REVIEWS

Cluster = Callable[..., Ran]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "live-cluster.md").read_text(encoding="utf-8")
SPEC = ROOT / "specs" / "cifar10.yaml"
SHOWN = "https://10.0.0.1:6443"
V1ALPHA1 = "serving.kserve.io/v1alpha1"


@pytest.fixture
def api(api: ApiServer) -> ApiServer:
    """The cluster of the page: Knative without nvcr.io, no pull secret."""
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.objects["v1/namespaces", "", "models"]["metadata"]["labels"] = enforce
    del api.objects["v1/secrets", "models", "registry"]
    key = {"gcloud-application-credentials.json": "e30="}
    api.add(named("Secret", "gcs-reader", "models", data=key))
    config = {
        "deploy": json.dumps({"defaultDeploymentMode": "Knative"}),
        "ingress": json.dumps(
            {
                "ingressDomain": "example.org",
                "ingressGateway": "knative-serving/knative-ingress-gateway",
            }
        ),
    }
    api.add(named("ConfigMap", "inferenceservice-config", "kserve", data=config))
    api.add(named("ConfigMap", "config-deployment", "knative-serving", data={}))
    api.version = "v1.34.2"
    return api


@pytest.fixture
def applied(api: ApiServer, cluster: Cluster) -> dict[str, Object]:
    """The render of the spec as it stands in the cluster, by kind; the Job is not started."""
    cluster("check", of=SPEC)
    sent = {r.body["kind"]: r.body for r in api.requests if r.method == "PATCH"}
    del sent["Job"]
    return {kind: api.apply(manifest) for kind, manifest in sent.items()}


def shown(command: str) -> list[str]:
    """What the page shows under a command, the lines before `...` alone."""
    [text] = re.findall(rf"```\n\$ gen cluster {command}\n(.*?)```", PAGE, re.DOTALL)
    return [line.rstrip() for line in text.splitlines()]


def lines(ran: Ran, api: ApiServer) -> list[str]:
    text = (ran.out + ran.err).replace(api.url, SHOWN.ljust(len(api.url)))
    return [re.sub(r" +", " ", line).rstrip() for line in text.splitlines()]


def assert_shown(command: str, ran: Ran, api: ApiServer) -> None:
    """Every line that the page shows is printed, in that order."""
    printed = iter(lines(ran, api))
    for line in shown(command):
        wanted = re.sub(r" +", " ", line)
        assert wanted == "..." or wanted in printed, f"not printed here: {line}"


def test_the_check_that_is_shown(api: ApiServer, cluster: Cluster) -> None:
    message = (
        "failed to create typed patch object (models/cifar10; serving.kserve.io/v1beta1,"
        " Kind=InferenceService): .spec.predictor.model.startupProbe: field not declared in schema"
    )

    def refused(request: Request) -> object:
        is_it = request.method == "PATCH" and request.path.endswith("/cifar10")
        return failure(500, "", message) if is_it else None

    api.faults.append(refused)  # type: ignore[arg-type]

    ran = cluster("check", of=SPEC)

    assert_shown("check specs/cifar10.yaml", ran, api)


def test_the_status_that_is_shown(
    api: ApiServer, cluster: Cluster, applied: dict[str, Object]
) -> None:
    told = 'Revision "cifar10-predictor-00002" failed with message: container is not ready.'
    applied["InferenceService"]["status"] = {
        "url": "http://cifar10-models.example.org",
        "conditions": [
            {"type": "Ready", "status": "False"},
            {"type": "PredictorReady", "status": "False", "message": told},
        ],
        "components": {
            name: {
                "latestReadyRevision": f"cifar10-{name}-00001",
                "latestCreatedRevision": f"cifar10-{name}-0000{newest}",
            }
            for name, newest in (("predictor", 2), ("transformer", 1))
        },
    }
    ended = {"exitCode": 1, "message": "RuntimeError: Failed to fetch model."}
    initializer = {
        "name": "storage-initializer",
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": ended},
    }
    pod = named("Pod", "cifar10-predictor-00002-deployment-5d8f", "models")
    pod["metadata"]["labels"] = {"serving.kserve.io/inferenceservice": "cifar10"}
    api.add({**pod, "status": {"initContainerStatuses": [initializer]}})

    assert_shown("status specs/cifar10.yaml", cluster("status", of=SPEC), api)


def test_the_drift_that_is_shown(
    api: ApiServer, cluster: Cluster, applied: dict[str, Object]
) -> None:
    applied["InferenceService"]["spec"]["predictor"]["maxReplicas"] = 10
    old = named("ServingRuntime", "cifar10-triton-old", "models", V1ALPHA1)
    old["metadata"]["labels"] = {
        "app.kubernetes.io/managed-by": "serving-generator",
        "app.kubernetes.io/name": "cifar10",
    }
    api.add(old)

    assert_shown("drift specs/cifar10.yaml", cluster("drift", of=SPEC), api)


def test_the_role_suffices(api: ApiServer, cluster: Cluster, applied: dict[str, Object]) -> None:
    """Everything that the commands ask for, of every kind that is rendered, is in the role."""
    [text] = re.findall(r"```yaml\n(# cluster-check.*?)```", PAGE, re.DOTALL)
    allowed = {
        (group, resource, verb)
        for document in yaml.safe_load_all(text)
        for rule in document.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    others = [f"{ROOT}/specs/{name}.yaml" for name in ("imagenet", "variants/mnist-kubernetes")]
    for command in ("check", "drift"):
        cluster(command, *others, of=SPEC)
    cluster("status", of=SPEC)

    lacking = {need for request in api.requests if (need := right(api, request))} - allowed

    assert lacking == set()


def right(api: ApiServer, request: Request) -> tuple[str, str, str] | None:
    """The right that a request takes; discovery and reviews are everybody's."""
    found = re.fullmatch(
        r"/apis?/(?:(?P<group>[^/]+\.[^/]+|apps|batch|autoscaling|policy)/)?v[^/]+"
        r"(?:/namespaces/[^/]+)?/(?P<plural>[a-z]+)(?P<name>/[^/]+)?",
        request.path,
    )
    if not found or request.path in REVIEWS:
        return None
    verb = "patch" if request.method == "PATCH" else "get" if found["name"] else "list"
    return found["group"] or "", found["plural"], verb
