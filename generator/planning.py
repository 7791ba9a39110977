"""Artefacts that more than one target plans."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from generator import perf
from generator.artefact import Artefact, artefact
from generator.datatypes import DATATYPE
from generator.kserve.exposure import PERF, TRANSFORMER
from generator.project import Project
from generator.sample import png
from generator.shipped import shipped
from generator.storage import scheme
from generator.transforms.client import client_code
from generator.transforms.component import (
    TransformerCode,
    component_constraints,
    component_requirements,
)
from generator.transforms.files import transforms_files

_SECRETS_WITH_A_SCRIPT = ("gs", "s3", "hf")


def load_test_values(test: perf.LoadTest | None) -> dict[str, object] | None:
    """The values of the load test's templates, the job's name among them."""
    texts = [(shipped("templates") / name).read_text(encoding="utf-8") for name in perf.TEMPLATES]
    return perf.artefact_values(test, texts) if test else None


def load_test_files(
    values: Mapping[str, object] | None, *, in_cluster: bool = True
) -> Iterator[Artefact]:
    """perf/, and the image that runs it; outside a cluster without the Job."""
    if values is None:
        return
    for template in perf.TEMPLATES if in_cluster else perf.SCRIPTS:
        name = PurePosixPath(template).name.removesuffix(".j2")
        yield artefact(f"perf/{name}", template, values)
    yield artefact(f"images/{PERF}/Dockerfile", f"common/images/{PERF}/Dockerfile.j2")


def transformer_files(project: Project, code: TransformerCode) -> Iterator[Artefact]:
    """images/transformer/: KServe's component in front of the server."""
    folder, templates = f"images/{TRANSFORMER}", "kserve/images/transformer"
    beside = list(transforms_files(project, PurePosixPath(folder)))
    yield artefact(f"{folder}/transformer.py", f"{templates}/transformer.py.j2", {"code": code})
    yield from beside
    requirements = {"requirements": component_requirements(project)}
    yield artefact(f"{folder}/requirements.txt", f"{templates}/requirements.txt.j2", requirements)
    constraints = {"constraints": component_constraints(project)}
    yield artefact(f"{folder}/constraints.txt", f"{templates}/constraints.txt.j2", constraints)
    files = {"files": sorted([*(file.path.name for file in beside), "transformer.py"])}
    yield artefact(f"{folder}/Dockerfile", f"{templates}/Dockerfile.j2", files)


def client_files(
    project: Project, *, model: str, inputs: tuple[str, ...], outputs: tuple[str, ...], grpc: bool
) -> Iterator[Artefact]:
    """A sample client that sends tensors: with the transforms, or of .npy files.

    `model`, `inputs` and `outputs` are the names at the server's v2 door.
    """
    if project.transforms.preprocess:
        yield from transforms_files(project, PurePosixPath("requests"))
        code = client_code(project, model_name=model, input_name=inputs[0], output_name=outputs[0])
        yield artefact("requests/client.py", "common/client.py.j2", {"code": code})
        return
    values = {
        "project": project.name,
        "grpc": grpc,
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


def secret_kind(project: Project) -> str | None:
    """The scheme of a storage whose credentials a script can put into a secret."""
    storage = project.storage
    if not storage or not storage.secret:
        return None
    kind = scheme(storage.bundle_uri)
    return kind if kind in _SECRETS_WITH_A_SCRIPT else None


def secret_script(project: Project) -> Iterator[Artefact]:
    """admin/storage-secret.sh, where the storage's credentials are of a known kind."""
    kind = secret_kind(project)
    if kind and project.storage:
        values = {
            "kind": kind,
            "secret": project.storage.secret,
            "namespace": project.kubernetes.namespace,
        }
        template = "kserve/admin/storage-secret.sh.j2"
        yield artefact("admin/storage-secret.sh", template, values, executable=True)


def kserve_manifests(
    service: Mapping[str, object], runtime: Mapping[str, object] | None
) -> Iterator[Artefact]:
    """manifests/: the InferenceService, and the runtime that it names where that is rendered."""
    resources = ["inferenceservice.yaml"]
    if runtime:
        resources.insert(0, "servingruntime.yaml")
        template = "kserve/manifests/servingruntime.yaml.j2"
        yield artefact("manifests/servingruntime.yaml", template, runtime)
    template = "kserve/manifests/inferenceservice.yaml.j2"
    yield artefact("manifests/inferenceservice.yaml", template, service)
    yield kustomization("manifests", resources)


def kustomization(folder: str, resources: list[str]) -> Artefact:
    """The kustomization.yaml of a folder of manifests."""
    template = "common/manifests/kustomization.yaml.j2"
    return artefact(f"{folder}/kustomization.yaml", template, {"resources": resources})
