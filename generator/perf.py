"""The load test of one project: its address, its request, its limits and its name."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from generator.datatypes import DATATYPE
from generator.project import Dtype, Perf, Project, Tensor
from generator.resources import whole_seconds

TEMPLATES = (
    "common/perf/gate.py.j2",
    "common/perf/job.yaml.j2",
    "common/perf/kustomization.yaml.j2",
    "common/perf/load_test.py.j2",
    "common/perf/payload.py.j2",
)
"""Templates of the `perf/` folder; all take the values of `artefact_values`."""

SCRIPTS = tuple(template for template in TEMPLATES if template.endswith(".py.j2"))
"""Those of them that run in the load test's container."""

# Scheduling, pulling the image and writing the reports count towards the Job's deadline too.
_OVERHEAD_SECONDS = 300

# The letter of the `struct` module for a dtype.
_ELEMENT: dict[Dtype, str] = {
    "bool": "?",
    "uint8": "B",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}


ImageForm = Literal["v1", "v2", "native", "seldon"]
"""In `request_field` of v1 or v2, as the body itself (native), or in a SeldonMessage."""

TensorForm = Literal["v2-binary", "v2-json", "seldon"]
"""V2 with raw bytes behind its JSON, V2 as JSON alone, or one tensor in a SeldonMessage."""


class ImageRequest(Struct, frozen=True):
    """A request of one image of this size."""

    request_field: str
    width: int
    height: int
    protocol: ImageForm


class RequestTensor(Struct, frozen=True):
    """An input tensor of a request, batch dimension included, no dimension left free."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]


class TensorRequest(Struct, frozen=True):
    """A request of one sample of every input."""

    tensors: tuple[RequestTensor, ...]
    form: TensorForm = "v2-binary"


class LoadTest(Struct, frozen=True):
    """What a load test needs to know.

    `url` takes the POST request, `readiness_url` answers 200 to a GET once the model is loaded;
    `timeout` bounds one request, `startup` the wait for readiness, both durations of the spec.
    `cpus` and `memory` are the load generator's own, requests and limits alike.
    """

    service: str
    namespace: str | None
    url: str
    readiness_url: str
    request: ImageRequest | TensorRequest
    perf: Perf
    image: str
    timeout: str = "60s"
    startup: str = "10m"
    labels: Mapping[str, str] = field(default_factory=dict)
    image_pull_secrets: tuple[str, ...] = ()
    cpus: int = 1
    memory: str = "512Mi"


def image_request(project: Project, protocol: ImageForm) -> ImageRequest:
    """A request for a project whose transforms take encoded images."""
    width, height = image_size(project)
    return ImageRequest(project.transforms.request_field, width, height, protocol)


def image_size(project: Project) -> tuple[int, int]:
    """Width and height of a sample image: the model's own where it has one, else 64."""
    shape = project.model.inputs[0].sample_shape
    height, width = shape[-2:] if len(shape) > 1 else (64, 64)
    return (width if isinstance(width, int) else 64, height if isinstance(height, int) else 64)


def tensor_request(
    project: Project, names: Sequence[str], form: TensorForm = "v2-binary"
) -> TensorRequest:
    """One sample of every input under its name at the door; a free dimension gets the size 1."""
    tensors = tuple(
        RequestTensor(
            name, tensor.dtype, tuple(s if isinstance(s, int) else 1 for s in tensor.shape)
        )
        for name, tensor in zip(names, project.model.inputs, strict=True)
    )
    return TensorRequest(tensors, form)


def pixels_request(project: Project, name: str, image: Tensor) -> TensorRequest:
    """The pixels [channels, height, width] of one sample image under their name at the door."""
    width, height = image_size(project)
    channels = image.shape[0]
    assert isinstance(channels, int)  # a colour mode has as many as it has
    return TensorRequest((RequestTensor(name, image.dtype, (channels, height, width)),))


def artefact_values(test: LoadTest, template_texts: Iterable[str]) -> dict[str, object]:
    """Give the values of every template in `TEMPLATES`, whose texts are part of the name's hash.

    The pod template of a Job cannot be changed, so a test that differs in anything (a limit, the
    request, a line of a script) must be another Job: the name ends in a hash of all of it.
    """
    values: dict[str, object] = {
        "namespace": test.namespace,
        "labels": {
            "app.kubernetes.io/name": test.service,
            "app.kubernetes.io/component": "perf",
            **test.labels,
        },
        "image": test.image,
        "image_pull_secrets": test.image_pull_secrets,
        "arguments": _arguments(test),
        "active_deadline_seconds": _deadline_seconds(test),
        "cpus": str(test.cpus),
        "memory": test.memory,
        **_request_values(test.request),
    }
    content = json.dumps([values, sorted(template_texts)], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"job_name": f"{test.service}-perf-{digest[:8]}", **values}


def _arguments(test: LoadTest) -> list[str]:
    slo = test.perf.slo
    latencies = {"p50": slo.p50, "p95": slo.p95, "p99": slo.p99}
    return [
        f"--url={test.url}",
        f"--readiness-url={test.readiness_url}",
        f"--wait={test.startup}",
        f"--rate={test.perf.rate}",
        f"--warm-up={test.perf.warm_up}",
        f"--duration={test.perf.duration}",
        f"--timeout={test.timeout}",
        f"--cpus={test.cpus}",
        "--results=/results",
        *(f"--{name}={limit}" for name, limit in latencies.items() if limit),
        f"--success-ratio={slo.success_ratio}",
    ]


def _deadline_seconds(test: LoadTest) -> int:
    """Sum up the longest a run can take: it waits, tries one request, warms up and measures.

    After each phase the requests still under way are waited for.
    """
    waits = whole_seconds(test.startup) + 3 * whole_seconds(test.timeout)
    phases = whole_seconds(test.perf.warm_up) + whole_seconds(test.perf.duration)
    return waits + phases + _OVERHEAD_SECONDS


def _request_values(request: ImageRequest | TensorRequest) -> dict[str, object]:
    if isinstance(request, ImageRequest):
        return {
            "sends_image": True,
            "request_field": request.request_field,
            "width": request.width,
            "height": request.height,
            "protocol": request.protocol,
        }
    return {
        "sends_image": False,
        "form": request.form,
        "tensors": [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "datatype": DATATYPE[tensor.dtype],
                "element": _ELEMENT[tensor.dtype],
                "shape": tensor.shape,
            }
            for tensor in request.tensors
        ],
    }
