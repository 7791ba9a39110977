"""`gen cluster status`: how services stand, and waiting until they are ready."""

import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer, Request, failure
from ran import Ran
from setting import SPEC, Object, named

from generator.live_cluster import watching

Cluster = Callable[..., Ran]
VERSION = "serving.kserve.io/v1beta1"
READY: Object = {
    "observedGeneration": 2,
    "url": "http://digits-models.example.org",
    "conditions": [{"type": "Ready", "status": "True"}],
    "components": {
        "predictor": {
            "latestReadyRevision": "digits-predictor-00002",
            "latestCreatedRevision": "digits-predictor-00002",
            "traffic": [
                {"percent": 90, "revisionName": "digits-predictor-00002"},
                {"percent": 10, "revisionName": "digits-predictor-00001"},
            ],
        }
    },
}
LOADING: Object = {
    "observedGeneration": 2,
    "conditions": [
        {"type": "Ready", "status": "False", "message": "sum of all"},
        {"type": "PredictorReady", "status": "False", "message": "Revision is not ready"},
    ],
    "modelStatus": {"transitionStatus": "InProgress"},
}


def service(api: ApiServer, status: Object | None) -> Object:
    """The InferenceService of the tests' spec, in a state."""
    held = named("InferenceService", "digits", "models", VERSION)
    held["metadata"]["generation"] = 2
    return api.add({**held, **({"status": status} if status else {})})


def pod(api: ApiServer, name: str, **status: object) -> None:
    held = named("Pod", name, "models", status=status)
    held["metadata"]["labels"] = {"serving.kserve.io/inferenceservice": "digits"}
    api.add(held)


def test_a_ready_service_shows_revisions_traffic_and_url(api: ApiServer, cluster: Cluster) -> None:
    service(api, READY)

    ran = cluster("status")

    assert ran.status == 0
    assert ran.out.splitlines() == [
        "InferenceService models/digits  ready",
        "    http://digits-models.example.org",
        "    predictor: digits-predictor-00002 ready",
        "    predictor: traffic 90 % digits-predictor-00002, 10 % digits-predictor-00001",
    ]


def test_a_service_that_is_not_there_is_missing(cluster: Cluster) -> None:
    ran = cluster("status")

    assert ran.status == 1
    assert ran.out == "InferenceService models/digits  missing: not in the cluster\n"


def test_the_part_that_fails_is_told_and_not_the_sum(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)

    ran = cluster("status")

    assert ran.status == 1
    assert "waiting: PredictorReady: Revision is not ready" in ran.out


def test_a_download_that_fails_is_told_in_its_own_words(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)
    ended = {"exitCode": 1, "message": "NoSuchBucket: the bucket does not exist"}
    initializer = {
        "name": "storage-initializer",
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": ended},
    }
    server = {"name": "kserve-container", "state": {"waiting": {"reason": "PodInitializing"}}}
    for name in ("digits-1", "digits-2"):
        pod(api, name, initContainerStatuses=[initializer], containerStatuses=[server])

    told = [text for text in cluster("status").out.splitlines() if "digits-" in text]

    assert told == [
        "    digits-1 storage-initializer: CrashLoopBackOff: exit status 1, 4 restarts:"
        " NoSuchBucket: the bucket does not exist"
    ]


def test_pods_that_wait_say_for_what(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)
    pull = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "acme/digits:1.0"'}
    pod(api, "a", containerStatuses=[{"name": "kserve-container", "state": {"waiting": pull}}])
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod(api, "b", conditions=[{**unplaced, "message": "0/3 nodes: insufficient nvidia.com/gpu"}])

    out = cluster("status").out

    assert 'a kserve-container: ImagePullBackOff: Back-off pulling image "acme/digits:1.0"' in out
    assert "b: Unschedulable: 0/3 nodes: insufficient nvidia.com/gpu" in out


def test_a_model_that_cannot_be_loaded_has_failed(api: ApiServer, cluster: Cluster) -> None:
    failed = {"reason": "ModelLoadFailed", "message": "bad model", "location": "digits-1"}
    status = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failed}
    service(api, {**LOADING, "modelStatus": status})

    assert "failed: ModelLoadFailed: bad model (digits-1)" in cluster("status").out


def test_a_status_of_an_older_generation_is_not_believed(api: ApiServer, cluster: Cluster) -> None:
    service(api, {**READY, "observedGeneration": 1})

    ran = cluster("status")

    assert ran.status == 1
    assert "its controller has not seen the last change yet" in ran.out


def test_pods_that_may_not_be_seen_do_not_hide_the_service(
    api: ApiServer, cluster: Cluster
) -> None:
    service(api, LOADING)
    api.denied = {("list", "pods")}

    assert "its pods cannot be seen" in cluster("status").out


def test_a_cluster_that_does_not_say_is_2(api: ApiServer, cluster: Cluster) -> None:
    api.denied = {("get", "inferenceservices")}

    ran = cluster("status")

    assert ran.status == 2
    assert "unknown: inferenceservices.serving.kserve.io" in ran.out


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"state": "Available"}, "ready"),
        ({"state": "Creating"}, "waiting: Creating"),
        ({"state": "Failed", "description": "no such server"}, "failed: no such server"),
        ({}, "waiting: its controller has not seen it yet"),
    ],
)
def test_a_seldon_deployment_is_read(
    api: ApiServer, cluster: Cluster, status: Object, state: str
) -> None:
    graph = {"deploymentStatus": {"digits-default-0": {"replicas": 2, "availableReplicas": 1}}}
    version = "machinelearning.seldon.io/v1"
    api.add(named("SeldonDeployment", "imagenet", "models", version, status={**status, **graph}))

    out = cluster("status", "--target", "seldon", of=SPECS / "imagenet.yaml").out

    assert f"SeldonDeployment models/imagenet  {state}\n" in out
    assert "digits-default-0: 1 of 2 available" in out


SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, "ready"),
        ({"replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, "waiting"),
        ({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, "waiting"),
        (
            {
                "conditions": [
                    {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "no"}
                ]
            },
            "failed: no",
        ),
    ],
)
def test_a_deployment_is_read_as_rollout_status_reads_it(
    api: ApiServer, cluster: Cluster, status: Object, state: str
) -> None:
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}}
    held = named("Deployment", "mnist-kubernetes", "models", "apps/v1", spec=spec)
    api.add({**held, "status": {"observedGeneration": 1, **status}})

    out = cluster("status", of=SPECS / "variants" / "mnist-kubernetes.yaml").out

    assert f"Deployment models/mnist-kubernetes  {state}" in out


@pytest.mark.parametrize(
    ("condition", "code", "state"),
    [
        ("Complete", 0, "ready: objectives met"),
        ("Failed", 1, "failed: objectives missed"),
        ("Failed", 2, "failed: no valid measurement"),
    ],
)
def test_a_load_test_tells_its_result(
    api: ApiServer, cluster: Cluster, condition: str, code: int, state: str
) -> None:
    cluster("check", of=SPECS / "cifar10.yaml")
    [job] = {r.path.split("/")[-1] for r in api.requests if "/jobs/" in r.path}
    status = {"conditions": [{"type": condition, "status": "True"}]}
    api.add(named("Job", job, "models", "batch/v1", status=status))
    ended = {"name": "perf", "state": {"terminated": {"exitCode": code}}}
    held = named("Pod", "perf-1", "models", status={"containerStatuses": [ended]})
    held["metadata"]["labels"] = {"batch.kubernetes.io/job-name": job}
    api.add(held)

    out = cluster("status", of=SPECS / "cifar10.yaml").out

    assert re.search(rf"^Job models/{job} +{state}$", out, re.MULTILINE)


def test_a_load_test_does_not_decide_whether_the_service_is_ready(
    api: ApiServer, cluster: Cluster, spec: Path
) -> None:
    spec.write_text(SPEC + "perf: {rate: 10}\nimages: {registry: docker.io/acme, tag: '1'}\n")
    cluster("check")
    [job] = {r.path.split("/")[-1] for r in api.requests if "/jobs/" in r.path}
    failed = {"conditions": [{"type": "Failed", "status": "True"}]}
    api.add(named("Job", job, "models", "batch/v1", status=failed))
    service(api, READY)

    ran = cluster("status")

    assert ran.status == 0
    assert "failed" in ran.out


def test_a_test_that_was_not_started_is_not_missing(api: ApiServer, cluster: Cluster) -> None:
    out = cluster("status", of=SPECS / "cifar10.yaml").out

    assert "Job" not in out


def test_json_holds_the_same(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)
    waiting = {"reason": "ErrImagePull", "message": "no"}
    pod(api, "a", containerStatuses=[{"name": "c", "state": {"waiting": waiting}}])

    held = json.loads(cluster("status", "-f", "json").out)

    assert held["ready"] is False
    [one] = held["services"]
    assert one["state"] == "waiting"
    assert one["troubles"] == [
        {"pod": "a", "container": "c", "reason": "ErrImagePull", "message": "no"}
    ]


def change(api: ApiServer, status: Object) -> None:
    """The service gets a status, and whoever watches it is told."""
    held = service(api, status)
    api.send({"type": "MODIFIED", "object": held})


def when_watched(api: ApiServer, then: Callable[[], None], times: int = 1) -> None:
    """Do something as soon as a watch has begun for a number of times."""
    waiting = [threading.Event() for _ in range(times)]

    def notice(request: Request) -> None:
        if request.query.get("watch"):
            next((event for event in waiting if not event.is_set()), waiting[-1]).set()

    api.faults.append(lambda request: notice(request))

    def run() -> None:
        assert waiting[-1].wait(60)
        then()

    threading.Thread(target=run, daemon=True).start()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without looking again by the clock: only an event brings the answer."""
    monkeypatch.setattr(watching, "LOOK_AGAIN_SECONDS", 600)


@pytest.mark.usefixtures("patient")
def test_watching_ends_when_the_service_is_ready(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)
    when_watched(api, lambda: change(api, READY))

    ran = cluster("status", "--watch")

    assert ran.status == 0
    lines = [text for text in ran.out.splitlines() if text.startswith("InferenceService")]
    assert lines == [
        "InferenceService models/digits  waiting: PredictorReady: Revision is not ready",
        "InferenceService models/digits  ready",
    ]


@pytest.mark.usefixtures("patient")
def test_a_watch_that_is_too_old_begins_anew(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)
    expired = failure(410, "Expired", "too old resource version: 7 (900)").body
    bookmark: Any = named("InferenceService", "", "", VERSION)
    bookmark["metadata"]["resourceVersion"] = "50"
    api.streams.append(
        [{"type": "BOOKMARK", "object": bookmark}, {"type": "ERROR", "object": expired}]
    )
    when_watched(api, lambda: change(api, READY), times=2)

    assert cluster("status", "--watch").status == 0

    lists = [r for r in api.requests if r.query.get("fieldSelector") and not r.query.get("watch")]
    assert len(lists) == 2


@pytest.mark.usefixtures("patient")
def test_a_watch_that_is_broken_off_goes_on_from_what_was_seen(
    api: ApiServer, cluster: Cluster
) -> None:
    held = service(api, LOADING)
    held["metadata"]["resourceVersion"] = "41"
    api.streams.append([{"type": "MODIFIED", "object": held}])
    api.send(None)
    when_watched(api, lambda: change(api, READY), times=2)

    assert cluster("status", "--watch").status == 0

    versions = [r.query["resourceVersion"] for r in api.requests if r.query.get("watch")]
    assert versions == ["7", "41"]


def test_a_failure_for_good_ends_the_watch(api: ApiServer, cluster: Cluster) -> None:
    service(api, {**LOADING, "modelStatus": {"transitionStatus": "InvalidSpec"}})

    assert cluster("status", "--watch").status == 1


def test_the_time_out_ends_the_watch(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)

    ran = cluster("status", "--watch", "--timeout", "1s")

    assert ran.status == 1


@pytest.mark.usefixtures("patient")
def test_an_outage_is_waited_out(
    api: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_AGAIN_SECONDS", 0.1)
    service(api, READY)
    waiting = [failure(500, "InternalError", "etcdserver: leader changed")] * 3
    path = "/inferenceservices/digits"
    api.faults.append(lambda r: waiting.pop() if waiting and r.path.endswith(path) else None)

    ran = cluster("status", "--watch")

    assert ran.status == 0
    assert "unknown: etcdserver: leader changed" in ran.out


def test_ctrl_c_ends_the_watch(api: ApiServer, cluster: Cluster) -> None:
    service(api, LOADING)
    when_watched(api, lambda: os.kill(os.getpid(), signal.SIGINT))

    ran = cluster("status", "--watch")

    assert ran.status == 130


@pytest.mark.parametrize("duration", ["soon", "10", "-1s", ""])
def test_what_is_no_duration_is_told(cluster: Cluster, duration: str) -> None:
    ran = cluster("status", "--watch", "--timeout", duration)

    assert ran.status == 2
    assert "is no duration" in ran.err
