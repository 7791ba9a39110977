"""The doors of a service, as runbooks tell of them."""

from collections.abc import Iterable

from msgspec import Struct

from generator.datatypes import DATATYPE
from generator.project import Project, Tensor
from generator.transforms.code import answer_of


class Door(Struct, frozen=True):
    """A way to call the service: its name, its path, what goes in and what comes out."""

    name: str
    path: str
    request: str
    answer: str


def v1_images(project: Project, path: str) -> Door:
    """The v1 door of a service that takes encoded images."""
    field = project.transforms.request_field
    return Door(
        "v1 over HTTP",
        path,
        f'`{{"instances": [{{"{field}": {{"b64": ...}}}}, ...]}}`',
        f'`{{"predictions": [{prediction(project)}, ...]}}`',
    )


def v2_images(project: Project, path: str) -> Door:
    """The v2 door of a service that takes encoded images."""
    field = project.transforms.request_field
    request = f"one BYTES tensor `{field}` of shape [N], base64 text"
    return Door("v2 over HTTP", path, request, answer_tensors(project))


def tensors(names: Iterable[str], described: Iterable[Tensor]) -> str:
    """Tensors under their names at a door, and what each is."""
    return ", ".join(
        f"`{name}` {DATATYPE[tensor.dtype]} [{', '.join(map(str, tensor.shape))}]"
        for name, tensor in zip(names, described, strict=True)
    )


def prediction(project: Project) -> str:
    """One instance's answer at the v1 door."""
    answer = answer_of(project)
    if answer.kind == "entries":
        return f'[{{"{answer.label}": ..., "{answer.value}": ...}}, ...]'
    return "[...]" if answer.kind == "tensor" else "..."


def answer_tensors(project: Project) -> str:
    """What the v2 door answers with."""
    answer = answer_of(project)
    if answer.kind == "entries":
        label = "BYTES" if answer.label == "class_name" else "INT64"
        padded = "" if answer.exact else ", short rows filled up with empty names and 0"
        return f"`{answer.label}` {label} and `{answer.value}` FP32, both [N, k]{padded}"
    if answer.kind == "tensor":
        return f"`{project.model.outputs[0].name}`, [N, ...]"
    return "`prediction` BYTES [N], each a JSON text"
