"""The values of handler.py and bodies.py, which answer requests inside TorchServe."""

from collections.abc import Mapping
from dataclasses import dataclass

from generator.datatypes import DATATYPE
from generator.project import Dtype, Project
from generator.transforms.code import answer_of
from generator.transforms.component import checked_shape, gives, samples_per_call
from generator.transforms.postprocessing import Answer

FREE_SIZE = 64  # of a free dimension in the warm-up; the export has tried the same


@dataclass(frozen=True)
class HandlerCode:
    """What templates/torchserve/models/{handler,bodies}.py.j2 say of one project."""

    project: str
    gives: str
    request_field: str
    sample_instance: str
    imported: str
    batched: bool
    max_batch_size: int
    threads: int
    dtype: Dtype
    warm_up_shape: tuple[int, ...]
    checked_shape: tuple[int, ...] | None
    postprocesses: bool
    explains: bool
    answer: Answer
    answer_name: str
    answer_datatype: str
    label_datatype: str
    pads: bool
    no_class: Mapping[str, str | int | float]


def handler_code(project: Project, *, threads: int, explains: bool = False) -> HandlerCode:
    """Plan the handler of a project whose transforms run in the server and have no mismatch.

    The model has one input and one output. `threads` are those of one worker. With `explains`
    the model is a classifier with a batch dimension and an input of floats.
    """
    transforms, model = project.transforms, project.model
    answer = answer_of(project)
    picks = answer.kind == "entries"
    sizes = model.inputs[0].sample_shape
    # JSON has no 16-bit floats.
    dtype = "float32" if answer.dtype == "float16" else answer.dtype
    return HandlerCode(
        project=project.name,
        gives=gives(answer),
        request_field=transforms.request_field,
        sample_instance=f'{{"{transforms.request_field}": {{"b64": ...}}}}',
        imported="Entry, preprocess" if picks else "preprocess",
        batched=model.inputs[0].has_batch,
        max_batch_size=samples_per_call(project),
        threads=threads,
        dtype=model.inputs[0].dtype,
        warm_up_shape=tuple(size if isinstance(size, int) else FREE_SIZE for size in sizes),
        checked_shape=checked_shape(project),
        postprocesses=bool(transforms.postprocess),
        explains=explains,
        answer=answer,
        answer_name=model.outputs[0].name,
        answer_datatype=DATATYPE[dtype],
        label_datatype="BYTES" if answer.label == "class_name" else "INT64",
        pads=picks and not answer.exact,
        no_class={answer.label: "" if answer.label == "class_name" else -1, answer.value: 0.0},
    )
