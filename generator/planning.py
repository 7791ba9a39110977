"""Artefacts that more than one target plans."""

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath

from generator import perf
from generator.artefact import Artefact, artefact
from generator.datatypes import DATATYPE
from generator.project import Project
from generator.sample import png
from generator.shipped import shipped
from generator.transforms.client import client_code
from generator.transforms.embedded import is_embedded, remaining
from generator.transforms.files import transforms_files
from generator.workload import PERF, pinned

GO_IMAGE = "docker.io/library/golang:1.26-bookworm"
PYTHON_IMAGE = "docker.io/library/python:3.12-slim-bookworm"
"""What the images of the load test and of KServe's transformer start from."""


def load_test_values(test: perf.LoadTest | None) -> dict[str, object] | None:
    """The values of the load test's templates, the job's name among them."""
    return perf.artefact_values(test, _load_test_texts()) if test else None


@cache
def _load_test_texts() -> tuple[str, ...]:
    return tuple(
        (shipped("templates") / name).read_text(encoding="utf-8") for name in perf.TEMPLATES
    )


def load_test_files(
    project: Project, values: Mapping[str, object] | None, *, in_cluster: bool = True
) -> Iterator[Artefact]:
    """perf/, and the image that runs it; outside a cluster without the Job."""
    if values is None:
        return
    for template in perf.TEMPLATES if in_cluster else perf.SCRIPTS:
        name = PurePosixPath(template).name.removesuffix(".j2")
        yield artefact(f"perf/{name}", template, values)
    bases = {
        "go_image": pinned(project, GO_IMAGE),
        "base_image": pinned(project, PYTHON_IMAGE),
    }
    yield artefact(f"images/{PERF}/Dockerfile", f"common/images/{PERF}/Dockerfile.j2", bases)


def client_files(
    project: Project,
    *,
    model: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    grpc: bool,
    raw: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> Iterator[Artefact]:
    """A sample client that sends tensors: with the transforms, or of .npy files.

    `model`, `inputs` and `outputs` are the names at the server's v2 door. `raw`: its HTTP takes
    tensors as bytes behind the JSON. `metadata` is what an ingress routes gRPC's requests by.
    """
    if project.transforms.preprocess:
        steps = project.transforms
        outside = remaining(steps) if is_embedded(steps) else None
        yield from transforms_files(project, PurePosixPath("requests"), outside=outside)
        code = client_code(
            project,
            model_name=model,
            input_name=inputs[0],
            output_name=outputs[0],
            raw=raw,
            metadata=metadata,
        )
        yield artefact("requests/client.py", "common/client.py.j2", {"code": code})
        return
    values = {
        "project": project.name,
        "grpc": grpc,
        "raw": raw,
        "metadata": metadata,
        "files": " ".join(f"{tensor.name}.npy" for tensor in project.model.inputs),
        "model": model,
        "inputs": tuple(
            (name, DATATYPE[tensor.dtype], tensor.dtype)
            for name, tensor in zip(inputs, project.model.inputs, strict=True)
        ),
        "outputs": tuple(
            (name, tensor.dtype)
            for name, tensor in zip(outputs, project.model.outputs, strict=True)
        ),
    }
    yield artefact("requests/client.py", "common/tensor_client.py.j2", values)


def sample_bodies(project: Project) -> Iterator[Artefact]:
    """requests/v1.json and v2.json: one sample image each."""
    field = project.transforms.request_field
    image = base64.b64encode(png(*perf.image_size(project))).decode()
    bodies = {
        "v1": {"instances": [{field: {"b64": image}}]},
        "v2": {"inputs": [{"name": field, "shape": [1], "datatype": "BYTES", "data": [image]}]},
    }
    for protocol, body in bodies.items():
        yield artefact(f"requests/{protocol}.json", "common/requests/body.json.j2", {"body": body})


def kustomization(folder: str, resources: list[str]) -> Artefact:
    """The kustomization.yaml of a folder of manifests."""
    template = "common/manifests/kustomization.yaml.j2"
    return artefact(f"{folder}/kustomization.yaml", template, {"resources": resources})
