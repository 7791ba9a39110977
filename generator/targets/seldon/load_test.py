"""What the load test of a SeldonDeployment sends, and where."""

from generator import perf
from generator.network import load_test_labels
from generator.project import Project
from generator.targets.seldon.callers import triton_names
from generator.targets.seldon.service import DOOR_PORT, Service
from generator.workload import PERF, pinned

READY_PATH = "/ready"
"""Where the orchestrator answers 200 once the port of every node is open.

Nobody reaches it before the pod's own probes are content, so the model is loaded by then.
Source: executor/predictor/ready_checker.go.
"""


def load_test(project: Project, service: Service) -> perf.LoadTest:
    """What the load test of a graph needs to know; it calls the orchestrator."""
    assert project.perf is not None
    door = f"http://{service.door_host}.svc.cluster.local:{DOOR_PORT}"
    return perf.LoadTest(
        service=service.name,
        namespace=service.namespace,
        url=door + service.path,
        readiness_url=door + READY_PATH,
        request=_request(project, service),
        perf=project.perf,
        image=pinned(project, service.images[PERF]),
        timeout=project.serving.timeout,
        startup=project.serving.startup,
        labels=load_test_labels(project, service.name),
        image_pull_secrets=project.kubernetes.image_pull_secrets,
    )


def _request(project: Project, service: Service) -> perf.ImageRequest | perf.TensorRequest:
    if service.takes_images:
        return perf.image_request(project, "seldon")
    if service.model_server == "TRITON_SERVER":
        return perf.tensor_request(project, triton_names(project)[0], "v2-json")
    names = [tensor.name for tensor in project.model.inputs]
    return perf.tensor_request(project, names, "seldon")
