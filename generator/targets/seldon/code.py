"""The Python of Seldon's nodes: a class, what it is sent, and its transforms."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from msgspec import Struct

from generator.artefact import Artefact, artefact
from generator.perf import image_size
from generator.project import Dimension, Dtype, Project, Tensor
from generator.targets.seldon.service import Component, Service
from generator.transforms.code import answer_of
from generator.transforms.component import checked_shape, gives, samples_per_call
from generator.transforms.embedded import as_called, remaining
from generator.transforms.files import transforms_files

FREE_SIZE = 64  # of a free dimension in the warm-up; the export has tried the same

Joins = Literal["all", "one"]
"""How the tensors of several images become one: in a new first dimension; or there is only one."""


class MessagesCode(Struct, frozen=True):
    """What templates/seldon/images/messages.py.j2 says of one node.

    A node reads encoded images; or a tensor of `dtype` and `shape`, in which letters stand for
    sizes that are free, or any tensor where `shape` is None. `joins` is None where the tensors of
    several images are not joined; `differ`: not all of them need have the same shape.
    """

    node: str
    makes_tensor: bool
    reads_images: bool = False
    request_field: str = ""
    sample_instance: str = ""
    joins: Joins | None = None
    differ: bool = False
    reads_numbers: bool = False
    dtype: Dtype | None = None
    shape: tuple[Dimension, ...] | None = None


class InputCode(Struct, frozen=True):
    """What templates/seldon/images/input.py.j2 says of one project."""

    project: str
    class_name: str
    messages: str
    joined: str
    makes_sample: str
    checked_shape: tuple[int, ...] | None


class OutputCode(Struct, frozen=True):
    """What templates/seldon/images/output.py.j2 says of one project."""

    project: str
    class_name: str
    gives: str
    predictions: str


class ModelCode(Struct, frozen=True):
    """What templates/seldon/images/model.py.j2 says of one project.

    `downloads`: the program comes from the storage, else it lies beside the class. `pixels`: the
    program takes the pixels of one image.
    """

    project: str
    class_name: str
    gives: str
    messages: str
    transforms: str
    downloads: bool
    makes_sample: str
    checked_shape: tuple[int, ...] | None
    pixels: bool
    batched: bool
    max_batch_size: int
    warms_up: str
    warm_up_shape: tuple[int, ...]
    dtype: Dtype
    postprocesses: bool
    predictions: str
    returns: str


class TensorModelCode(Struct, frozen=True):
    """What templates/seldon/images/tensor_model.py.j2 says of one project, or of none.

    `refuses`: what the program does not take can be the sender's mistake, because no check before
    it knows all sizes. `max_batch_size` is None where the model has no batch dimension. A server
    that many projects share knows of none what it takes: there all that is None.
    """

    summary: str
    class_name: str
    downloads: bool
    refuses: bool
    max_batch_size: int | None = None
    warms_up: str = "infer(WARM_UP_TENSOR)"
    warm_up_shape: tuple[int, ...] | None = None
    dtype: Dtype | None = None


def component_code(project: Project, service: Service, component: Component) -> Iterator[Artefact]:
    """List the Python files of a node and the data that they read, from its own folder on.

    The project's transforms have no mismatch, and its model has one input and one output.
    """
    match component.role:
        case "input":
            yield from _input_files(project, component)
        case "output":
            yield from _output_files(project, component)
        case "model" if service.takes != "tensors":
            yield from _image_model_files(project, service, component)
        case "model" if service.model_server == "TORCH_SERVER":
            yield from _server_files(component)
        case "model":
            yield from _tensor_model_files(project, service, component)


def _input_files(project: Project, component: Component) -> Iterator[Artefact]:
    [wanted] = project.model.inputs
    joins: Joins = "all" if wanted.has_batch else "one"
    joined = "joined" if wanted.has_batch else "only"
    shape = checked_shape(project)
    code = InputCode(
        project=project.name,
        class_name=component.class_name,
        messages=_listed("encoded_images", "of_each", joined, "tensor_message"),
        joined=joined,
        makes_sample="sample" if shape else "preprocess",
        checked_shape=shape,
    )
    yield _class_file(component, "input", code)
    yield _messages_file(_of_images(project, joins, differ=_is_free(wanted)))
    yield from transforms_files(project, PurePosixPath(), half="preprocess", postponed=True)


def _output_files(project: Project, component: Component) -> Iterator[Artefact]:
    [output] = project.model.outputs
    each = f"{_prediction(project, 'output')} for output in tensor_of(X, meta)"
    code = OutputCode(
        project=project.name,
        class_name=component.class_name,
        gives=gives(answer_of(project)),
        predictions=f"[{each if output.has_batch else _prediction(project, 'tensor_of(X, meta)')}]",
    )
    yield _class_file(component, "output", code)
    yield _messages_file(_of_tensors(project, output, answers_tensor=False))
    yield from transforms_files(project, PurePosixPath(), half="postprocess", postponed=True)


def _image_model_files(
    project: Project, service: Service, component: Component
) -> Iterator[Artefact]:
    """Files of a model that is sent images; with `pixels` its program holds most transforms."""
    pixels = service.takes == "pixels"
    outside = remaining(project.transforms) if pixels else None
    steps = outside or project.transforms
    called = as_called(project).model
    shape = None if pixels else checked_shape(project)
    answers = () if steps.postprocess else ("joined", "tensor_message")
    joins: Joins | None = None if steps.postprocess else "all"
    code = ModelCode(
        project=project.name,
        class_name=component.class_name,
        gives=gives(answer_of(project)),
        messages=_listed("encoded_images", "of_each", *answers),
        transforms="postprocess, preprocess" if steps.postprocess else "preprocess",
        downloads=service.model_uri is not None,
        makes_sample="sample" if shape else "preprocess",
        checked_shape=shape,
        pixels=pixels,
        batched=called.inputs[0].has_batch,
        max_batch_size=samples_per_call(project),
        warms_up="run(WARM_UP_SAMPLE)" if pixels else "infer([WARM_UP_SAMPLE])",
        warm_up_shape=_image_shape(project) if pixels else _warm_up_shape(called.inputs[0]),
        dtype=called.inputs[0].dtype,
        postprocesses=bool(steps.postprocess),
        predictions=f"[{_prediction(project, 'output')} for output in outputs]",
        returns="dict[str, object]" if steps.postprocess else "SeldonResponse",
    )
    yield _class_file(component, "model", code)
    yield _messages_file(_of_images(project, joins, differ=_is_free(called.outputs[0])))
    yield from transforms_files(project, PurePosixPath(), outside=outside, postponed=True)


def _tensor_model_files(
    project: Project, service: Service, component: Component
) -> Iterator[Artefact]:
    [wanted] = project.model.inputs
    shape = _warm_up_shape(wanted)
    code = TensorModelCode(
        summary=f"The model of {project.name} in Seldon Core.",
        class_name=component.class_name,
        downloads=service.model_uri is not None,
        refuses=_is_free(wanted),
        max_batch_size=(project.serving.batching.max_size or 1) if wanted.has_batch else None,
        warm_up_shape=(1, *shape) if wanted.has_batch else shape,
        dtype=wanted.dtype,
    )
    yield _class_file(component, "tensor_model", code)
    yield _messages_file(_of_tensors(project, wanted, answers_tensor=True))


def _server_files(component: Component) -> Iterator[Artefact]:
    """Files of a server for any program: nothing of the project is in them."""
    summary = "Runs any TorchScript program with one input and one output in Seldon Core."
    code = TensorModelCode(summary, component.class_name, downloads=True, refuses=True)
    yield _class_file(component, "tensor_model", code)
    yield _messages_file(MessagesCode("this server", makes_tensor=True, reads_numbers=True))


def _of_images(project: Project, joins: Joins | None, *, differ: bool) -> MessagesCode:
    field = project.transforms.request_field
    return MessagesCode(
        node=f"a node of {project.name}",
        makes_tensor=joins is not None,
        reads_images=True,
        request_field=field,
        sample_instance=f'{{"{field}": {{"b64": "<base64>"}}}}',
        joins=joins,
        differ=differ,
    )


def _of_tensors(project: Project, tensor: Tensor, *, answers_tensor: bool) -> MessagesCode:
    """The messages of the model's node, or of the one behind it, which clients cannot reach."""
    return MessagesCode(
        node=f"a node of {project.name}",
        makes_tensor=answers_tensor,
        reads_numbers=answers_tensor,
        dtype=tensor.dtype,
        shape=tensor.shape,
    )


def _prediction(project: Project, output: str) -> str:
    """The expression for the answer to one sample, in what JSON knows."""
    call = f"postprocess({output})"
    return f"{call}.tolist()" if answer_of(project).kind == "tensor" else call


def _is_free(tensor: Tensor) -> bool:
    """Whether samples of a tensor differ in shape."""
    return not all(isinstance(size, int) for size in tensor.sample_shape)


def _warm_up_shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else FREE_SIZE for size in tensor.sample_shape)


def _image_shape(project: Project) -> tuple[int, ...]:
    """The shape of an image as clients may send it, for a program that takes pixels."""
    [channels, *_] = as_called(project).model.inputs[0].shape
    width, height = image_size(project)
    assert isinstance(channels, int)
    return (channels, height, width)


def _listed(*names: str) -> str:
    """Names of functions to import, in order."""
    return ", ".join(sorted(names))


def _class_file(component: Component, template: str, code: object) -> Artefact:
    path = f"{component.class_name}.py"
    return artefact(path, f"seldon/images/{template}.py.j2", {"code": code})


def _messages_file(code: MessagesCode) -> Artefact:
    return artefact("messages.py", "seldon/images/messages.py.j2", {"code": code})
