"""The doors of a service on TorchServe, as its runbook lists them."""

from collections.abc import Iterator

from generator.doors import Door, prediction, tensors, v1_images, v2_images
from generator.project import Project, Tensor
from generator.targets.torchserve.options import Options
from generator.targets.torchserve.service import Service
from generator.transforms.code import answer_of

PREDICTIONS = "/predictions"
EXPLANATIONS = "/explanations"
_GRPC = "org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"


def doors(project: Project, options: Options, service: Service) -> Iterator[Door]:
    """Every door of a service, on any platform."""
    takes = service.model.takes
    body = {"tensors": "an .npy file, or v1 or v2 JSON", "anything": "what the handler takes"}
    sent = body.get(takes, "an image, or v1 or v2 JSON")
    grpc = Door("gRPC", _GRPC, f"{sent}, under the key `data`", "the body of an answer over HTTP")
    if service.has_transformer:
        yield v1_images(project, service.path("v1"))
        yield v2_images(project, service.path("v2"))
        return
    if service.platform == "kserve" and service.is_grpc:
        yield grpc
        return
    if takes == "anything":
        whatever = "what the handler takes"
        yield Door("native over HTTP", service.path("native"), whatever, "what it answers")
    elif takes == "tensors":
        yield from _tensor_doors(project, service)
    else:
        yield _native_images(project, service.path("native"))
        yield v1_images(project, service.path("v1"))
        yield v2_images(project, service.path("v2"))
    if service.platform != "kserve":
        yield grpc
    if options.explain:
        path = f"{EXPLANATIONS}/{service.model.name}"
        answer = "what each value of the input contributed to the best class"
        yield Door("explanations over HTTP", path, "as at the native door", answer)
    for other in service.models[1:]:
        path = f"{PREDICTIONS}/{other.name}"
        yield Door(f"`{other.name}`, native", path, "as its own spec says", "likewise")


def _native_images(project: Project, path: str) -> Door:
    answer = answer_of(project)
    one = {"entries": "`[{best class: ...}, ...]`, best first", "tensor": "`[...]`"}
    request = "the image itself: `curl --upload-file cat.jpg`"
    return Door("native over HTTP", path, request, one.get(answer.kind, f"`{prediction(project)}`"))


def _tensor_doors(project: Project, service: Service) -> Iterator[Door]:
    inputs, outputs = project.model.inputs, project.model.outputs
    sent = "an .npy file" if len(inputs) == 1 else "a form field with an .npy file for each input"
    given = "an .npy file" if len(outputs) == 1 else "an .npz file"
    yield Door("native over HTTP", service.path("native"), sent, given)
    yield Door(
        "v1 over HTTP",
        service.path("v1"),
        '`{"instances": [...]}`',
        '`{"predictions": [...]}`',
    )
    yield Door("v2 over HTTP", service.path("v2"), _described(inputs), _described(outputs))


def _described(described: tuple[Tensor, ...]) -> str:
    return tensors((tensor.name for tensor in described), described)
