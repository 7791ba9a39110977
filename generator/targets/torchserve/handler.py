"""The files of a model's archive, and what the code among them says of a project."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from generator.artefact import Artefact, artefact
from generator.datatypes import DATATYPE
from generator.perf import image_size
from generator.project import Dimension, Dtype, Project, Tensor, Transforms
from generator.targets.torchserve.options import Explain
from generator.targets.torchserve.service import Model
from generator.transforms.code import answer_of
from generator.transforms.component import checked_shape, gives, merged, samples_per_call
from generator.transforms.embedded import remaining
from generator.transforms.files import copied, transforms_files
from generator.transforms.postprocessing import Answer
from generator.transforms.preprocessing import flow_preprocess

FREE_SIZE = 64  # of a free dimension in the warm-up; the export has tried the same


ENTRY = "entry.py"
"""What TorchServe starts where the handler is the user's own."""


class HandlerCode(Struct, frozen=True):
    """What templates/torchserve/models/{handler,bodies}.py.j2 say of one project."""

    project: str
    gives: str
    request_field: str
    sample_instance: str
    imported: str
    pixels: bool
    batched: bool
    max_batch_size: int
    threads: int
    dtype: Dtype
    warm_up_shape: tuple[int, ...]
    checked_shape: tuple[int, ...] | None
    postprocesses: bool
    predictions: str
    explains: bool
    steps: int
    answer: Answer
    answer_name: str
    answer_datatype: str
    label_datatype: str
    pads: bool
    no_class: Mapping[str, str | int | float]


class InputCode(Struct, frozen=True):
    """An input of the model: N and letters stand in `shape` for sizes that are free."""

    name: str
    datatype: str
    dtype: Dtype
    shape: tuple[Dimension, ...]


class TensorCode(Struct, frozen=True):
    """What templates/torchserve/models/tensor_{handler,bodies}.py.j2 say of one project.

    `joins`: the samples of several requests go to the model together.
    """

    project: str
    native_request: str
    native_answer: str
    sample_instance: str
    inputs: tuple[InputCode, ...]
    outputs: tuple[str, ...]
    datatypes: Mapping[str, str]
    places: tuple[str, ...]
    several_inputs: bool
    several_outputs: bool
    batched: bool
    joins: bool
    max_batch_size: int
    threads: int
    warm_up: tuple[tuple[tuple[int, ...], Dtype], ...]
    explains: bool
    steps: int


def model_files(model: Model) -> list[Artefact]:
    """List the files of a model's archive, from its folder on, but for the program.

    A prebuilt archive has its own.
    """
    project, options, threads = model.project, model.options, model.threads
    if options.handler:
        return list(_written_files(project, options.handler))
    if model.takes == "tensors":
        tensors = tensor_code(project, threads=threads, explain=options.explain)
        return _code_files("tensor_", tensors)
    if model.takes == "images":
        images = handler_code(project, threads=threads, explain=options.explain)
        return [*_code_files("", images), *_transforms_files(project)]
    if model.takes == "pixels":
        outside = remaining(project.transforms)
        pixels = pixels_code(project, outside, threads=threads)
        return [*_code_files("", pixels), *_transforms_files(project, outside)]
    return []


def archive_handler(model: Model) -> str:
    """What an archive's manifest calls its handler: a file with a single class of its own."""
    return ENTRY if model.options.handler else "handler.py"


def _code_files(prefix: str, code: HandlerCode | TensorCode) -> list[Artefact]:
    return [
        artefact(f"{name}.py", f"torchserve/models/{prefix}{name}.py.j2", {"code": code})
        for name in ("bodies", "handler")
    ]


def _transforms_files(project: Project, outside: Transforms | None = None) -> Iterator[Artefact]:
    yield from transforms_files(project, PurePosixPath(), outside=outside)
    yield from _requirements(project.transforms.requirements)


def _requirements(lines: tuple[str, ...]) -> Iterator[Artefact]:
    if lines:
        values = {"requirements": merged(lines, ())}
        template = "common/requirements.txt.j2"
        yield artefact("requirements.txt", template, values)


def _written_files(project: Project, handler: str) -> Iterator[Artefact]:
    """The user's own handler with the files beside it, and what makes TorchServe find it."""
    file, _, name = handler.rpartition(":")
    path = project.folder / file
    values = {"project": project.name, "module": path.stem, "name": name}
    yield artefact(ENTRY, "torchserve/models/entry.py.j2", values)
    for each in (path, *(project.folder / other for other in project.model.files)):
        yield copied(each, PurePosixPath())
    yield from _requirements(project.model.requirements)


def handler_code(project: Project, *, threads: int, explain: Explain | None = None) -> HandlerCode:
    """Plan the handler of a project whose transforms run in the server and have no mismatch.

    The model has one input and one output. With `explain` it is a classifier with a batch
    dimension and an input of floats.
    """
    transforms, model = project.transforms, project.model
    answer = answer_of(project)
    picks = answer.kind == "entries"
    # JSON has no 16-bit floats.
    dtype = "float32" if answer.dtype == "float16" else answer.dtype
    return HandlerCode(
        project=project.name,
        gives=gives(answer),
        request_field=transforms.request_field,
        sample_instance=f'{{"{transforms.request_field}": {{"b64": ...}}}}',
        imported="Entry, preprocess" if picks else "preprocess",
        pixels=False,
        batched=model.inputs[0].has_batch,
        max_batch_size=samples_per_call(project),
        threads=threads,
        dtype=model.inputs[0].dtype,
        warm_up_shape=_warm_up_shape(model.inputs[0].sample_shape),
        checked_shape=checked_shape(project),
        postprocesses=bool(transforms.postprocess),
        predictions=_predictions("next(outputs)", "_ in request.samples", transforms),
        explains=explain is not None,
        steps=explain.steps if explain else 0,
        answer=answer,
        answer_name=model.outputs[0].name,
        answer_datatype=DATATYPE[dtype],
        label_datatype="BYTES" if answer.label == "class_name" else "INT64",
        pads=picks and not answer.exact,
        no_class={answer.label: "" if answer.label == "class_name" else -1, answer.value: 0.0},
    )


def pixels_code(project: Project, outside: Transforms, *, threads: int) -> HandlerCode:
    """Plan the handler of a project whose program transforms: it takes the pixels of one image.

    `outside` are the steps that the program leaves to the handler, a decode first.
    """
    channels = flow_preprocess(outside.preprocess).value.shape[2]
    width, height = image_size(project)
    return replace(
        handler_code(project, threads=threads),
        pixels=True,
        batched=False,
        dtype="uint8",
        warm_up_shape=_warm_up_shape((channels, height, width)),
        checked_shape=None,
        postprocesses=bool(outside.postprocess),
        predictions=_predictions("output", "output in outputs[index]", outside)
        if outside.postprocess
        else "outputs[index]",
    )


def _predictions(output: str, each: str, transforms: Transforms) -> str:
    """The comprehension that makes a request's predictions of the model's outputs."""
    made = f"postprocess({output})" if transforms.postprocess else output
    return f"[{made} for {each}]"


def tensor_code(project: Project, *, threads: int, explain: Explain | None = None) -> TensorCode:
    """Plan the handler of a project whose model is sent tensors.

    With `explain` the model has one input of floats with a batch dimension, and its first
    output is that of a classifier.
    """
    model = project.model
    inputs = tuple(tensor.name for tensor in model.inputs)
    outputs = tuple(tensor.name for tensor in model.outputs)
    several = len(inputs) > 1
    files = f"fields {', '.join(inputs)}" if several else f"form field {inputs[0]}"
    dtypes: list[Dtype] = [*(tensor.dtype for tensor in model.outputs)]
    dtypes += ["float32"] if explain else []
    return TensorCode(
        project=project.name,
        native_request=f"a form with an .npy file for each input, in {files}"
        if several
        else f"an .npy file, as the body or as {files}",
        native_answer=f"an .npz file with {', '.join(outputs)}"
        if len(outputs) > 1
        else "an .npy file",
        sample_instance="{" + ", ".join(f'"{name}": [...]' for name in inputs) + "}",
        inputs=tuple(
            InputCode(tensor.name, DATATYPE[tensor.dtype], tensor.dtype, tensor.shape)
            for tensor in model.inputs
        ),
        outputs=outputs,
        datatypes={dtype: DATATYPE[dtype] for dtype in dtypes},
        places=("body", "data") if several else tuple(dict.fromkeys(("body", "data", *inputs))),
        several_inputs=several,
        several_outputs=len(outputs) > 1,
        batched=model.inputs[0].has_batch,
        joins=_joins(model.inputs, model.outputs),
        max_batch_size=project.serving.batching.max_size or 1,
        threads=threads,
        warm_up=tuple(
            ((1, *shape) if tensor.has_batch else shape, tensor.dtype)
            for tensor in model.inputs
            for shape in (_warm_up_shape(tensor.sample_shape),)
        ),
        explains=explain is not None,
        steps=explain.steps if explain else 0,
    )


def _joins(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> bool:
    """Whether samples of different requests fit into one batch: all but its size is known."""
    return all(
        tensor.has_batch and all(isinstance(size, int) for size in tensor.sample_shape)
        for tensor in (*inputs, *outputs)
    )


def _warm_up_shape(shape: tuple[Dimension, ...]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else FREE_SIZE for size in shape)
