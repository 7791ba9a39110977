"""Inputs and outputs that Triton refuses, or takes and loses."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from generator.model_config import integer, is_true
from generator.model_config_rules.model import (
    PYTORCH,
    TENSORRT,
    Model,
    at,
    first,
    ineffective,
    word,
)
from generator.pbtxt import Refusal, Scalar

_VARIABLE = -1


def duplicate_tensor_name(model: Model) -> Iterator[Refusal]:
    """Triton takes two inputs or outputs of one name, and serves one of them [ran]."""
    for kind in ("input", "output"):
        seen = set()
        for tensor in model.config.messages(kind):
            for name in tensor.scalars("name"):
                if name.text in seen:
                    yield at(name, f"two tensors named `{name.text}` among `{kind}`")
                seen.add(name.text)


def incomplete_tensor(model: Model) -> Iterator[Refusal]:
    """Triton refuses a tensor without name, type or dims [core].

    Most backends complete them from the model file before that; PyTorch's does not, and an
    ensemble has none: https://github.com/triton-inference-server/server/issues/8233
    """
    if model.is_completed:
        return
    for tensor in model.tensors():
        if not word(tensor, "name"):
            yield at(tensor, "a tensor without `name`")
        if word(tensor, "data_type") in ("", "TYPE_INVALID", "0"):
            yield at(tensor, "a tensor without `data_type`")
        if not any(tensor.scalars("dims")):
            yield at(tensor, "a tensor without `dims`")


def impossible_dimension(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model with a dimension of 0 or below -1 [core]."""
    for tensor in model.tensors():
        shapes = [*tensor.scalars("dims")]
        for reshape in tensor.messages("reshape"):
            shapes += reshape.scalars("shape")
        for size in shapes:
            if not _is_size(size):
                yield at(size, f"dimension {integer(size)} is neither -1 nor at least 1")


def reshape_of_another_size(model: Model) -> Iterator[Refusal]:
    """Triton refuses a reshape that holds more or fewer elements than the dims [core].

    Variable dimensions have to be as many in both, with as many elements between them.
    """
    for tensor in model.tensors():
        dims = list(tensor.scalars("dims"))
        for reshape in tensor.messages("reshape"):
            shape = list(reshape.scalars("shape"))
            if dims and all(map(_is_size, dims + shape)) and _runs(dims) != _runs(shape):
                text = f"reshape {_shown(shape)} does not hold the elements of dims {_shown(dims)}"
                yield at(reshape, text, "each `-1` needs its own, and equal products between them")


def empty_reshape_without_batching(model: Model) -> Iterator[Refusal]:
    """Triton refuses an empty reshape where max_batch_size is 0: it has no scalars [core]."""
    if model.maximum or model.is_completed:
        return
    for tensor in model.tensors():
        for reshape in tensor.messages("reshape"):
            if not any(reshape.scalars("shape")):
                yield at(reshape, "an empty reshape with max_batch_size 0", "give it `shape: [1]`")


def format_without_three_dimensions(model: Model) -> Iterator[Refusal]:
    """Triton refuses FORMAT_NHWC and FORMAT_NCHW where dims are not three [core]."""
    for tensor in model.config.messages("input"):
        dims = list(tensor.scalars("dims"))
        for layout in tensor.scalars("format"):
            if layout.text not in ("FORMAT_NONE", "0") and len(dims) not in (0, 3):
                yield at(layout, f"`{layout.text}` needs 3 dims, not {len(dims)}", "drop `format`")


def field_of_tensorrt_alone(model: Model) -> Iterator[Refusal]:
    """Triton refuses shape tensors, non-linear formats and profiles on other platforms [core]."""
    if model.is_ensemble or model.backend in ("", TENSORRT):
        return
    for tensor in model.tensors():
        for field in ("is_shape_tensor", "is_non_linear_format_io"):
            for given in tensor.scalars(field):
                if is_true(given):
                    yield at(given, f"`{field}` on backend `{model.backend}`, which TensorRT has")
    for group in model.config.messages("instance_group"):
        for profile in list(group.scalars("profile"))[:1]:
            yield at(profile, f"`profile` on backend `{model.backend}`, which TensorRT has")


def empty_label_filename(model: Model) -> Iterator[Refusal]:
    """Triton reads an empty label file name as none: answers then carry no labels."""
    for output in model.config.messages("output"):
        for name in output.scalars("label_filename"):
            if not name.text:
                yield ineffective(name, "`label_filename` is empty", "drop it, or name the file")


def batch_tensor_of_unknown_tensor(model: Model) -> Iterator[Refusal]:
    """Triton refuses batch tensors whose sources and targets are no tensors of the model [core]."""
    names = {
        kind: {word(tensor, "name") for tensor in model.config.messages(kind)}
        for kind in ("input", "output")
    }
    asked = [
        (name, "input")
        for kind in ("batch_input", "batch_output")
        for batch in model.config.messages(kind)
        for name in batch.scalars("source_input")
    ]
    asked += [
        (name, "output")
        for batch in model.config.messages("batch_output")
        for name in batch.scalars("target_name")
    ]
    for name, kind in asked:
        if names[kind] and name.text not in names[kind]:
            yield at(name, f"no {kind} is named `{name.text}`")


def batch_tensor_without_one_source(model: Model) -> Iterator[Refusal]:
    """Triton refuses a batch tensor that has not exactly one source_input [core]."""
    for kind in ("batch_input", "batch_output"):
        for batch in model.config.messages(kind):
            sources = len(list(batch.scalars("source_input")))
            if sources != 1:
                yield at(batch, f"`{kind}` takes one source_input, not {sources}")


def batch_input_of_another_type(model: Model) -> Iterator[Refusal]:
    """Triton fills batch inputs with TYPE_INT32 or TYPE_FP32, and refuses others [core]."""
    for batch in model.config.messages("batch_input"):
        given = first(batch, "data_type")
        if given is None:
            yield at(batch, "`batch_input` without `data_type`", "TYPE_INT32 or TYPE_FP32")
        elif given.text not in ("TYPE_INT32", "TYPE_FP32", "8", "11"):
            yield at(given, f"`batch_input` is TYPE_INT32 or TYPE_FP32, not {given.text}")


def type_that_torch_lacks(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend refuses unsigned types wider than 8 bits and TYPE_BF16.

    ModelConfigDataTypeToTorchType in libtorch_utils.cc of triton-inference-server/pytorch_backend.
    """
    if model.is_torchscript:
        for tensor in model.tensors():
            for given in tensor.scalars("data_type"):
                if given.text in ("TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64", "TYPE_BF16"):
                    hint = "take TYPE_INT64 and convert in the model"
                    if given.text == "TYPE_BF16":
                        hint = "take TYPE_FP32 and convert in the model"
                    yield at(given, f"backend `{PYTORCH}` does not serve {given.text}", hint)


def text_of_two_dimensions(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend takes texts of one dimension, the batch counted, and refuses others.

    ValidateInputs in model_instance_state.cc of triton-inference-server/pytorch_backend.
    """
    if not model.is_torchscript:
        return
    for tensor in model.tensors():
        shapes = [*tensor.messages("reshape")]
        field = "shape" if shapes else "dims"
        dims = list((shapes[0] if shapes else tensor).scalars(field))
        if word(tensor, "data_type") == "TYPE_STRING" and len(dims) + bool(model.maximum) > 1:
            text = f"backend `{PYTORCH}` takes TYPE_STRING of one dimension, the batch counted"
            yield at(tensor, text, "leave max_batch_size out, and give it one dimension")


def torch_index_out_of_order(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend reads the place of an argument from a name like `INPUT__0`.

    It takes numbers that are doubled or too high, and hands the tensors to the wrong arguments:
    AddInputToMap in model_instance_state.cc of triton-inference-server/pytorch_backend.
    """
    names = [first(tensor, "name") for tensor in model.config.messages("input")]
    others = ("sequence_batching", "batch_input")
    if not model.is_torch or any(any(model.config.messages(other)) for other in others):
        return
    indices: dict[int, Scalar] = {}
    for name in names:
        index = "" if name is None else name.text.partition("__")[2]
        if name is None or not (index.isascii() and index.isdigit() and len(index) < 4):
            return
        if int(index) in indices:
            text = f"`{name.text}` and `{indices[int(index)].text}` are one argument"
            yield at(name, text, "number the inputs from 0")
            return
        indices[int(index)] = name
    for number, name in indices.items():
        if number >= len(names):
            text = f"`{name.text}` is argument {number}, and there are {len(names)} inputs"
            yield at(name, text, "number the inputs from 0")


def _is_size(size: Scalar) -> bool:
    return integer(size) >= 1 or integer(size) == _VARIABLE


def _runs(shape: list[Scalar]) -> list[int]:
    """How many elements stand before, between and after the variable dimensions."""
    runs: list[list[int]] = [[]]
    for size in map(integer, shape):
        if size == _VARIABLE:
            runs.append([])
        else:
            runs[-1].append(size)
    return [prod(run) for run in runs]


def _shown(shape: list[Scalar]) -> str:
    return f"[{', '.join(size.text for size in shape)}]"


RULES = (
    duplicate_tensor_name,
    incomplete_tensor,
    impossible_dimension,
    reshape_of_another_size,
    empty_reshape_without_batching,
    format_without_three_dimensions,
    field_of_tensorrt_alone,
    empty_label_filename,
    batch_tensor_of_unknown_tensor,
    batch_tensor_without_one_source,
    batch_input_of_another_type,
    type_that_torch_lacks,
    text_of_two_dimensions,
    torch_index_out_of_order,
)
