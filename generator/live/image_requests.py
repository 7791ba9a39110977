"""Encoded images in the bodies of the v1 and v2 protocols, and the answers to them."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from generator.live import Answer, Custom, Entries, Tensors, Unanswered
from generator.live.exchange import post_json
from generator.live.tensor_requests import Connection, infer, json_arrays
from generator.project import Project
from generator.transforms.code import answer_of


def ask_v1(project: Project, address: str, path: str, images: Sequence[bytes]) -> list[Answer]:
    """Send images as instances of one request of the v1 protocol."""
    field = project.transforms.request_field
    instances = [{field: {"b64": base64.b64encode(image).decode()}} for image in images]
    answer = post_json(address, path, {"instances": instances})
    return v1_answers(project, answer, len(images))


def ask_v2(project: Project, address: str, path: str, images: Sequence[bytes]) -> list[Answer]:
    """Send images as one BYTES tensor of base64 texts, of the v2 protocol's JSON."""
    data = [base64.b64encode(image).decode() for image in images]
    shape, name = [len(data)], project.transforms.request_field
    tensor = {"name": name, "shape": shape, "datatype": "BYTES", "data": data}
    arrays = json_arrays(post_json(address, path, {"inputs": [tensor]}))
    return array_answers(project, arrays, len(images))


def ask_v2_binary(
    project: Project, connection: Connection, name: str, images: Sequence[bytes]
) -> list[Answer]:
    """Send images as one BYTES tensor of base64 texts behind v2's JSON, to the service `name`."""
    texts = np.array([base64.b64encode(image) for image in images], dtype=object)
    tensor = connection.client.InferInput(project.transforms.request_field, texts.shape, "BYTES")
    tensor.set_data_from_numpy(texts)
    arrays = infer(connection, name, [tensor], _output_names(project))
    return array_answers(project, arrays, len(images))


def v1_answers(project: Project, answer: Any, count: int) -> list[Answer]:
    """The answers in `{"predictions": [...]}`; raises Unanswered where it holds something else."""
    predictions = answer.get("predictions") if isinstance(answer, Mapping) else None
    if not isinstance(predictions, list) or len(predictions) != count:
        raise Unanswered(f"no list of {count} predictions in {str(answer)[:300]}")
    return [prediction_answer(project, prediction) for prediction in predictions]


def prediction_answer(project: Project, prediction: Any) -> Answer:
    """What postprocess made of one sample, as v1 has it."""
    told = answer_of(project)
    try:
        if told.kind == "custom":
            return Custom(prediction)
        if told.kind == "tensor":
            return Tensors((_numbers(prediction),))
        labels = tuple(entry[told.label] for entry in prediction)
        return Entries(labels, tuple(float(entry[told.value]) for entry in prediction))
    except (KeyError, TypeError, ValueError):
        wanted = f"entries with {told.label} and {told.value}"
        wanted = "numbers" if told.kind == "tensor" else wanted
        raise Unanswered(f"no {wanted} in {str(prediction)[:300]}") from None


def array_answers(project: Project, arrays: Mapping[str, Any], count: int) -> list[Answer]:
    """The answers in a request's outputs; raises Unanswered where they are not the project's."""
    try:
        answers = list(_in_arrays(project, [arrays[name] for name in _output_names(project)]))
    except (AttributeError, KeyError, TypeError, ValueError):
        told = str(dict(arrays))[:300]
        raise Unanswered(f"other outputs than the project's: {told}") from None
    if len(answers) != count:
        raise Unanswered(f"{len(answers)} answers to {count} samples")
    return answers


def _output_names(project: Project) -> tuple[str, ...]:
    """The names of v2's outputs, as docs/doors.md has them."""
    told = answer_of(project)
    if told.kind == "entries":
        return told.label, told.value
    return ("prediction",) if told.kind == "custom" else (project.model.outputs[0].name,)


def _in_arrays(project: Project, arrays: Sequence[Any]) -> Iterator[Answer]:
    """The answer for each sample, a row of the arrays."""
    told = answer_of(project)
    if told.kind == "entries":
        yield from _entries(*arrays, exact=told.exact)
        return
    [array] = arrays
    for row in array:
        yield Custom(json.loads(row)) if told.kind == "custom" else Tensors((_numbers(row),))


def _entries(labels: Any, values: Any, *, exact: bool) -> Iterator[Answer]:
    """A row of labels and one of values for each sample; short rows are filled up at the end."""
    for names, numbers in zip(labels.tolist(), values.tolist(), strict=True):
        texts = [each.decode() if isinstance(each, bytes) else each for each in names]
        filled = [each for each in texts if exact or each not in ("", -1)]
        yield Entries(tuple(filled), tuple(map(float, numbers[: len(filled)])))


def _numbers(value: Any) -> Any:
    """An array of nested lists of numbers; raises ValueError for anything else."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{array.dtype} are no numbers")
    return array
