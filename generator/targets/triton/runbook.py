"""The values of the target's README: the way from the spec to an answer, and back."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator.datatypes import DATATYPE
from generator.project import Project, Tensor
from generator.storage import upload_commands
from generator.targets.triton.manifests import deadline_seconds
from generator.targets.triton.options import Options
from generator.targets.triton.service import IMAGE, PERF, Service, tensor_names
from generator.transforms.client import client_requirements
from generator.transforms.code import answer_of


@dataclass(frozen=True)
class Door:
    """A way to call the service: its name, its path, what goes in and what comes out."""

    name: str
    path: str
    request: str
    answer: str


def runbook_values(
    project: Project,
    options: Options,
    service: Service,
    *,
    job: str | None,
    writes_secret: bool,
) -> dict[str, object]:
    """What templates/triton/README.md.j2 lays out; `job` is the name of the load test."""
    kubernetes, storage = project.kubernetes, project.storage
    assert storage is not None  # rule storage-missing
    bundle = "/".join(filter(None, ("build", project.name, project.environment, "triton")))
    return {
        "project": project.name,
        "summary": _summary(service),
        "service": service.name,
        "model": service.model,
        "version": project.model.version,
        "namespace": service.namespace,
        "namespace_flag": f" --namespace {service.namespace}" if service.namespace else "",
        "deployment_mode": options.deployment_mode,
        "knative": options.deployment_mode == "Knative",
        "runtime": service.runtime,
        "runtime_image": f"{IMAGE}:{options.runtime_version}",
        "storage_uri": storage.bundle_uri,
        "storage_secret": storage.secret,
        "writes_secret": writes_secret,
        "service_account": kubernetes.service_account,
        "image_pull_secrets": kubernetes.image_pull_secrets,
        "node_selector": kubernetes.node_selector,
        "progress_deadline": f"{deadline_seconds(project)} s",
        "wait": f"{deadline_seconds(project)}s",
        "requirements": " ".join(map(shlex.quote, project.model.requirements)),
        "images": [
            {"name": name, "folder": f"images/{component}"}
            for component, name in service.images.items()
        ],
        "selection": _selection(project),
        "bundle": bundle,
        "upload": upload_commands(storage.bundle_uri, bundle, service.namespace),
        "doors": list(_doors(project, options, service)),
        "has_transformer": service.has_transformer,
        "grpc": service.predictor_is_grpc and not service.has_transformer,
        "call": _call(project, service),
        "ready_path": f"/v2/models/{service.model}/ready",
        "perf": _perf(project, service, job),
    }


def _summary(service: Service) -> str:
    if service.has_transformer:
        return (
            "A transformer decodes images and makes tensors of them, Triton runs the model, and "
            "the transformer turns its output into the answer. The hop between them is gRPC."
        )
    return "Triton runs the model; the caller sends tensors and gets tensors."


def _selection(project: Project) -> str:
    environment = f" --environment {project.environment}" if project.environment else ""
    return f" --target triton{environment}"


def _doors(project: Project, options: Options, service: Service) -> Iterator[Door]:
    """Every door that the exposed port has."""
    if service.has_transformer:
        field = project.transforms.request_field
        yield Door(
            "v1 over HTTP",
            service.path("v1"),
            f'`{{"instances": [{{"{field}": {{"b64": ...}}}}, ...]}}`',
            f'`{{"predictions": [{_prediction(project)}, ...]}}`',
        )
        yield Door(
            "v2 over HTTP",
            service.path("v2"),
            f"one BYTES tensor `{field}` of shape [N], base64 text",
            _answer_tensors(project),
        )
        return
    inputs = _tensors(project.model.inputs, options, side="INPUT")
    outputs = _tensors(project.model.outputs, options, side="OUTPUT")
    if service.predictor_is_grpc:
        path = "inference.GRPCInferenceService/ModelInfer"
        yield Door("v2 over gRPC", path, inputs, outputs)
        return
    yield Door("v2 over HTTP", service.path("v2"), inputs, outputs)


def _tensors(tensors: tuple[Tensor, ...], options: Options, *, side: str) -> str:
    """Triton's names of tensors, and what each is."""
    names = tensor_names(tensors, options, side=side)
    return ", ".join(
        f"`{name}` {DATATYPE[tensor.dtype]} [{', '.join(map(str, tensor.shape))}]"
        for name, tensor in zip(names, tensors, strict=True)
    )


def _prediction(project: Project) -> str:
    """One instance's answer at the v1 door."""
    answer = answer_of(project)
    if answer.kind == "entries":
        return f'[{{"{answer.label}": ..., "{answer.value}": ...}}, ...]'
    return "[...]" if answer.kind == "tensor" else "..."


def _answer_tensors(project: Project) -> str:
    """What the v2 door answers with."""
    answer = answer_of(project)
    if answer.kind == "entries":
        label = "BYTES" if answer.label == "class_name" else "INT64"
        padded = "" if answer.exact else ", short rows filled up with empty names and 0"
        return f"`{answer.label}` {label} and `{answer.value}` FP32, both [N, k]{padded}"
    if answer.kind == "tensor":
        return f"`{project.model.outputs[0].name}`, [N, ...]"
    return "`prediction` BYTES [N], each a JSON text"


def _call(project: Project, service: Service) -> dict[str, object]:
    """How a request is sent from outside the cluster."""
    if service.has_transformer:
        return {
            "needs": "",
            "commands": [
                "./requests/predict.sh              # the sample, at the project's own door",
                "./requests/predict.sh v1 cat.jpg   # an image of yours",
                "./requests/predict.sh v2 cat.jpg dog.png",
            ],
        }
    grpc = project.serving.transport == "grpc"
    packages = ["numpy", "'tritonclient[grpc]'"] if grpc else ["numpy"]
    files = " ".join(f"{tensor.name}.npy" for tensor in project.model.inputs)
    if project.transforms.preprocess:
        packages = [shlex.quote(line) for line in client_requirements(project)]
        files = "cat.jpg"
    door = "$INGRESS_HOST:${INGRESS_PORT:-80}"
    url_door = f"${{INGRESS_SCHEME:-http}}://{door}"
    address = f'--address "{door}" --authority' if grpc else f'--url "{url_door}" --host'
    namespace = f" --namespace {service.namespace}" if service.namespace else ""
    get = f"kubectl get inferenceservice {service.name}{namespace}"
    url = f"{get} --output 'jsonpath={{.status.url}}'"
    return {
        "needs": f"pip install {' '.join(packages)}",
        "commands": [
            f"url=$({url})",
            f'python3 requests/client.py {address} "${{url#*://}}" {files}',
        ],
    }


def _perf(project: Project, service: Service, job: str | None) -> Mapping[str, object] | None:
    if not project.perf:
        return None
    return {
        "rate": project.perf.rate,
        "duration": project.perf.duration,
        "warm_up": project.perf.warm_up,
        "job": job,
        "image": service.images[PERF],
    }
