"""What the load test of a service on Triton sends, and where."""

from generator import perf
from generator.network import load_test_labels
from generator.project import Project
from generator.targets.triton.options import Options
from generator.targets.triton.service import Service, tensor_names
from generator.transforms.embedded import as_called, is_embedded
from generator.workload import PERF, pinned


def load_test(project: Project, options: Options, service: Service) -> perf.LoadTest:
    """What the load test of a service needs to know."""
    assert project.perf is not None
    door = f"http://{service.door_host}.svc.cluster.local"
    return perf.LoadTest(
        service=service.name,
        namespace=service.namespace,
        url=door + service.path(service.protocol),
        readiness_url=door + service.ready_path,
        request=_request(project, options, service),
        perf=project.perf,
        image=pinned(project, service.images[PERF]),
        timeout=project.serving.timeout,
        startup=project.serving.startup,
        labels=load_test_labels(project, service.name),
        image_pull_secrets=project.kubernetes.image_pull_secrets,
    )


def _request(
    project: Project, options: Options, service: Service
) -> perf.ImageRequest | perf.TensorRequest:
    if service.has_transformer:
        return perf.image_request(project, service.protocol)
    names = tensor_names(project, options, side="INPUT")
    if is_embedded(project.transforms):
        return perf.pixels_request(project, names[0], as_called(project).model.inputs[0])
    return perf.tensor_request(project, names)
