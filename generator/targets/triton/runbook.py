"""The values of the target's README: the way from the spec to an answer, and back."""

import shlex
from collections.abc import Iterator

from generator.doors import Door, tensors, v1_images, v2_images
from generator.kserve.exposure import Exposure
from generator.kserve.runbook import image_calls, url_command
from generator.project import Project
from generator.targets.triton.formats import LOADED
from generator.targets.triton.options import Options
from generator.targets.triton.service import IMAGE, Service, is_resolved, tensor_names
from generator.transforms.client import client_requirements
from generator.transforms.embedded import as_called, is_embedded


def own_values(
    project: Project, options: Options, service: Service, exposure: Exposure
) -> dict[str, object]:
    """What templates/triton/README.md.j2 says beside the values of any service under KServe."""
    return {
        "title": "KServe with Triton",
        "bundle_is": "model repository",
        "before_upload": (),
        "summary": _summary(project, service),
        "model": service.model,
        "takes_pixels": is_embedded(project.transforms),
        "program": LOADED[project.export.format].file,
        "is_compiled": project.export.format == "aot_inductor",
        "runtime": service.runtime,
        "runtime_image": f"{IMAGE}:{options.runtime_version}",
        "is_resolved": is_resolved(project, options, service),
        "doors": list(_doors(project, options, service)),
        "grpc": service.predictor_is_grpc and not service.has_transformer,
        "call": _call(project, service, exposure),
        "ready_path": f"/v2/models/{service.model}/ready",
    }


def _summary(project: Project, service: Service) -> str:
    if service.has_transformer:
        return (
            "A transformer decodes images and makes tensors of them, Triton runs the model, and "
            "the transformer turns its output into the answer. The hop between them is gRPC."
        )
    if is_embedded(project.transforms):
        return (
            "Triton runs one program that transforms images and asks the model; the caller decodes "
            "an image and sends its pixels, of any height and width."
        )
    return "Triton runs the model; the caller sends tensors and gets tensors."


def _doors(project: Project, options: Options, service: Service) -> Iterator[Door]:
    """Every door that the exposed port has."""
    if service.has_transformer:
        yield v1_images(project, service.path("v1"))
        yield v2_images(project, service.path("v2"))
        return
    called = as_called(project).model
    inputs = tensors(tensor_names(project, options, side="INPUT"), called.inputs)
    outputs = tensors(tensor_names(project, options, side="OUTPUT"), called.outputs)
    if service.predictor_is_grpc:
        path = "inference.GRPCInferenceService/ModelInfer"
        yield Door("v2 over gRPC", path, inputs, outputs)
        return
    yield Door("v2 over HTTP", service.path("v2"), inputs, outputs)


def _call(project: Project, service: Service, exposure: Exposure) -> dict[str, object]:
    """How a request is sent from outside the cluster."""
    if service.has_transformer:
        return {
            "needs": "",
            "commands": image_calls(),
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
    return {
        "needs": f"pip install {' '.join(packages)}",
        "commands": [
            url_command(exposure, service.namespace),
            f'python3 requests/client.py {address} "${{url#*://}}" {files}',
        ],
    }
