"""The files of a project on KServe with Triton."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from generator import perf
from generator.artefact import Artefact
from generator.datatypes import DATATYPE
from generator.project import Project
from generator.quoting import Verbatim
from generator.resources import whole_seconds
from generator.sample import png
from generator.shipped import shipped
from generator.storage import scheme
from generator.targets.triton import manifests
from generator.targets.triton.config import LABELS, config_values
from generator.targets.triton.load_test import image_size, load_test
from generator.targets.triton.options import Options
from generator.targets.triton.runbook import runbook_values
from generator.targets.triton.service import PERF, TRANSFORMER, Service, describe, tensor_names
from generator.transforms import custom_paths
from generator.transforms.client import client_code
from generator.transforms.code import transforms_code
from generator.transforms.component import (
    component_constraints,
    component_requirements,
    transformer_code,
)

_SECRETS_WITH_A_SCRIPT = ("gs", "s3", "hf")


def plan(project: Project, options: Options) -> list[Artefact]:
    """List every file to render, from the target's folder on."""
    service = describe(project, options)
    perf_values = _perf_values(project, options, service)
    secret_kind = _secret_kind(project)
    runbook = runbook_values(
        project,
        options,
        service,
        job=str(perf_values["job_name"]) if perf_values else None,
        writes_secret=secret_kind is not None,
    )
    return [
        *_manifests(project, options, service),
        *_repository(project, options, service),
        *_transformer(project, options, service),
        *_client(project, options, service),
        *_requests(project, service),
        *_load_test(perf_values),
        *_scripts(service),
        *_admin(project, options, service, secret_kind),
        _file("README.md", "triton/README.md.j2", runbook),
    ]


def program(project: Project, options: Options) -> PurePosixPath:
    """Where Triton's libtorch backend looks for the program in the model repository."""
    folder = PurePosixPath(describe(project, options).model, str(project.model.version))
    return folder / "model.pt"


def _file(
    path: str,
    template: str,
    values: Mapping[str, object] | None = None,
    *,
    executable: bool = False,
) -> Artefact:
    return Artefact(PurePosixPath(path), template, values or {}, executable)


def _manifests(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    resources = ["inferenceservice.yaml"]
    if service.renders_runtime:
        resources.insert(0, "servingruntime.yaml")
        values = manifests.runtime_values(project, options, service)
        yield _file(f"manifests/{resources[0]}", "triton/manifests/servingruntime.yaml.j2", values)
    arguments = []
    if service.has_transformer:
        arguments = transformer_arguments(project)
    values = manifests.service_values(project, options, service, arguments)
    yield _file(f"manifests/{resources[-1]}", "triton/manifests/inferenceservice.yaml.j2", values)
    values = {"resources": resources}
    yield _file("manifests/kustomization.yaml", "common/manifests/kustomization.yaml.j2", values)


def transformer_arguments(project: Project) -> list[str]:
    """What KServe's controller does not add to the transformer's command line by itself."""
    timeout = whole_seconds(project.serving.timeout)
    return [
        "--enable_grpc=false",
        "--predictor_protocol=grpc-v2",
        f"--predictor_request_timeout_seconds={timeout}",
    ]


def _repository(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    folder = f"models/{service.model}"
    values = config_values(project, options, service)
    yield _file(f"{folder}/config.pbtxt", "triton/models/config.pbtxt.j2", values)
    if project.model.class_names:
        names = {"class_names": project.model.class_names}
        yield _file(f"{folder}/{LABELS}", "triton/models/labels.txt.j2", names)
    # Git keeps no empty folders; model.pt goes beside it.
    yield _file(f"{folder}/{project.model.version}/.gitkeep", "common/empty.j2")


def _transformer(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    if not service.has_transformer:
        return
    folder = f"images/{TRANSFORMER}"
    beside = list(_transforms(project, folder))
    values = {
        "code": transformer_code(
            project,
            model_name=service.model,
            input_name=tensor_names(project.model.inputs, options, side="INPUT")[0],
            output_name=tensor_names(project.model.outputs, options, side="OUTPUT")[0],
        )
    }
    template = "triton/images/transformer"
    yield _file(f"{folder}/transformer.py", f"{template}/transformer.py.j2", values)
    yield from beside
    requirements = {"requirements": component_requirements(project)}
    yield _file(f"{folder}/requirements.txt", f"{template}/requirements.txt.j2", requirements)
    constraints = {"constraints": component_constraints(project)}
    yield _file(f"{folder}/constraints.txt", f"{template}/constraints.txt.j2", constraints)
    files = {"files": sorted([*(file.path.name for file in beside), "transformer.py"])}
    yield _file(f"{folder}/Dockerfile", f"{template}/Dockerfile.j2", files)


def _transforms(project: Project, folder: str) -> Iterator[Artefact]:
    """transforms.py and what it reads: class names and the user's own files."""
    code = transforms_code(project)
    yield _file(f"{folder}/transforms.py", "common/transforms.py.j2", {"code": code})
    if code.reads_class_names:
        names = {"class_names": list(project.model.class_names)}
        yield _file(f"{folder}/class_names.json", "common/class_names.json.j2", names)
    for path in custom_paths(project.transforms):
        text = (project.folder / path).read_text(encoding="utf-8")
        name = PurePosixPath(path).name
        yield _file(f"{folder}/{name}", "common/copy.j2", {"text": Verbatim(text)})


def _client(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    """A sample client for the door of Triton itself: with the transforms, or for tensors."""
    if service.has_transformer:
        return
    inputs, outputs = project.model.inputs, project.model.outputs
    input_names = tensor_names(inputs, options, side="INPUT")
    output_names = tensor_names(outputs, options, side="OUTPUT")
    if project.transforms.preprocess:
        yield from _transforms(project, "requests")
        code = client_code(
            project,
            model_name=service.model,
            input_name=input_names[0],
            output_name=output_names[0],
        )
        yield _file("requests/client.py", "common/client.py.j2", {"code": code})
        return
    values = {
        "project": project.name,
        "grpc": project.serving.transport == "grpc",
        "files": " ".join(f"{tensor.name}.npy" for tensor in inputs),
        "model": service.model,
        "inputs": tuple(
            (name, DATATYPE[tensor.dtype], tensor.dtype)
            for name, tensor in zip(input_names, inputs, strict=True)
        ),
        "outputs": tuple(
            (name, tensor.dtype) for name, tensor in zip(output_names, outputs, strict=True)
        ),
    }
    yield _file("requests/client.py", "common/tensor_client.py.j2", values)


def _requests(project: Project, service: Service) -> Iterator[Artefact]:
    if not service.has_transformer:
        return
    field = project.transforms.request_field
    image = base64.b64encode(png(*image_size(project))).decode()
    bodies = {
        "v1": {"instances": [{field: {"b64": image}}]},
        "v2": {"inputs": [{"name": field, "shape": [1], "datatype": "BYTES", "data": [image]}]},
    }
    for protocol, body in bodies.items():
        yield _file(f"requests/{protocol}.json", "common/requests/body.json.j2", {"body": body})
    values = {
        "protocol": service.protocol,
        "field": field,
        "service": service.name,
        "namespace": service.namespace,
        "v1_path": service.path("v1"),
        "v2_path": service.path("v2"),
    }
    yield _file("requests/predict.sh", "triton/requests/predict.sh.j2", values, executable=True)


def _perf_values(project: Project, options: Options, service: Service) -> dict[str, object] | None:
    if not project.perf:
        return None
    return perf.artefact_values(load_test(project, options, service), _texts(perf.TEMPLATES))


def _load_test(values: Mapping[str, object] | None) -> Iterator[Artefact]:
    if values is None:
        return
    for template in perf.TEMPLATES:
        name = PurePosixPath(template).name.removesuffix(".j2")
        yield _file(f"perf/{name}", template, values)
    yield _file(f"images/{PERF}/Dockerfile", f"common/images/{PERF}/Dockerfile.j2")


def _texts(templates: tuple[str, ...]) -> list[str]:
    return [(shipped("templates") / name).read_text(encoding="utf-8") for name in templates]


def _scripts(service: Service) -> Iterator[Artefact]:
    if service.images:
        images = [
            {"name": name, "folder": f"images/{component}"}
            for component, name in service.images.items()
        ]
        values = {"images": images}
        yield _file("scripts/build.sh", "common/scripts/build.sh.j2", values, executable=True)


def _secret_kind(project: Project) -> str | None:
    """The scheme of a storage whose credentials a script can put into a secret."""
    storage = project.storage
    if not storage or not storage.secret:
        return None
    kind = scheme(storage.bundle_uri)
    return kind if kind in _SECRETS_WITH_A_SCRIPT else None


def _admin(
    project: Project, options: Options, service: Service, secret_kind: str | None
) -> Iterator[Artefact]:
    if options.deployment_mode == "Knative":
        name = "knative-config-deployment.sh"
        yield _file(f"admin/{name}", f"triton/admin/{name}.j2", executable=True)
    if secret_kind and project.storage:
        values = {
            "kind": secret_kind,
            "secret": project.storage.secret,
            "namespace": service.namespace,
        }
        template = "triton/admin/storage-secret.sh.j2"
        yield _file("admin/storage-secret.sh", template, values, executable=True)
