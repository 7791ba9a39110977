"""What the load test of a service on Triton sends, and where."""

from collections.abc import Iterator

from generator import perf
from generator.project import Project
from generator.targets.triton.options import Options
from generator.targets.triton.service import PERF, Service, tensor_names


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
        image=service.images[PERF],
        timeout=project.serving.timeout,
        startup=project.serving.startup,
        labels=project.kubernetes.labels,
        image_pull_secrets=project.kubernetes.image_pull_secrets,
    )


def _request(
    project: Project, options: Options, service: Service
) -> perf.ImageRequest | perf.TensorRequest:
    if not service.has_transformer:
        return perf.TensorRequest(tuple(_tensors(project, options)))
    width, height = image_size(project)
    is_v1 = service.protocol == "v1"
    return perf.ImageRequest(project.transforms.request_field, width, height, is_v1=is_v1)


def image_size(project: Project) -> tuple[int, int]:
    """Width and height of a sample image: the model's own where it has one, else 64."""
    shape = project.model.inputs[0].sample_shape
    height, width = shape[-2:] if len(shape) > 1 else (64, 64)
    return (width if isinstance(width, int) else 64, height if isinstance(height, int) else 64)


def _tensors(project: Project, options: Options) -> Iterator[perf.RequestTensor]:
    """One sample of every input; a free dimension gets the size 1."""
    inputs = project.model.inputs
    for name, tensor in zip(tensor_names(inputs, options, side="INPUT"), inputs, strict=True):
        shape = tuple(size if isinstance(size, int) else 1 for size in tensor.shape)
        yield perf.RequestTensor(name, tensor.dtype, shape)
