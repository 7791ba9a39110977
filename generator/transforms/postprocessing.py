"""What a postprocess pipeline makes of the model's output, and where it cannot."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from generator.project import Dimension, Dtype, Step, Tensor
from generator.transforms.mismatch import Complaint, Mismatch, placed
from generator.transforms.operations import (
    Argmax,
    ClassName,
    Custom,
    Postprocess,
    Sigmoid,
    Softmax,
    Threshold,
    TopK,
    read_postprocess,
)


class Answer(Struct, frozen=True):
    """What a client gets for one instance.

    `tensor`: numbers of `dtype` and `shape` (no batch dimension). `entries`: a list, best
    first, of maps with two keys: `label` (`class_name` or `class_index`) and `value`
    (`probability` after softmax or sigmoid, else `score`); it has `at_most` entries (None: no
    limit is known), and `exact` says whether it always has that many, as it has without
    threshold. `custom`: whatever the user's function returns.
    """

    kind: Literal["tensor", "entries", "custom"]
    dtype: Dtype
    shape: tuple[Dimension, ...]
    value: Literal["probability", "score"] = "score"
    label: Literal["class_name", "class_index"] = "class_index"
    at_most: int | None = None
    exact: bool = True


class AnswerFlow(Struct, frozen=True):
    """What comes out of a postprocess pipeline; only to be trusted without mismatches."""

    answer: Answer
    mismatches: tuple[Mismatch, ...]


FLOATS = frozenset({"float16", "float32", "float64"})
ACTIVATIONS = frozenset({"softmax", "sigmoid"})
SELECTIONS = frozenset({"argmax", "top_k", "threshold"})


def flow_postprocess(
    steps: tuple[Step, ...], outputs: tuple[Tensor, ...], class_names: int
) -> AnswerFlow:
    """Follow the model's output for one sample through a postprocess pipeline.

    `class_names` is how many the model has. A step that cannot work where it stands is left
    out, so that one mistake is told once. Without steps the answer is the first output.
    """
    output = outputs[0]
    answer = Answer("tensor", output.dtype, output.sample_shape)
    mismatches: list[Mismatch] = []
    if steps and len(outputs) > 1:
        complaint = Complaint(f"postprocess takes one output, but the model has {len(outputs)}")
        return AnswerFlow(answer, tuple(placed("postprocess", 0, [complaint])))
    for index, step in enumerate(steps):
        earlier = tuple(previous.operation for previous in steps[:index])
        operation = read_postprocess(step)
        complaints = [
            *_order_complaints(step.operation, earlier, answer),
            *_complaints(operation, earlier, answer, class_names),
        ]
        mismatches.extend(placed("postprocess", index, complaints))
        if not complaints:
            answer = _after(operation, answer)
    return AnswerFlow(answer, tuple(mismatches))


def _order_complaints(name: str, earlier: tuple[str, ...], answer: Answer) -> Iterator[Complaint]:
    """Say what stands in the wrong place: activation, selection, class_name, custom."""
    if answer.kind == "custom":
        yield Complaint(
            f"{name} comes after a custom function that returns whatever it likes",
            "put custom last, or add what it produces",
        )
    elif name in ACTIVATIONS and (before := _first(earlier, SELECTIONS | ACTIVATIONS)):
        yield Complaint(f"{name} comes after {before}", _activation_hint(name, before))
    elif name in SELECTIONS and name in earlier:
        yield Complaint(f"{name} comes twice", f"keep one {name}")
    elif name in ("argmax", "top_k") and (before := _first(earlier, {"argmax", "top_k"})):
        yield Complaint(f"{name} comes after {before}", f"keep one of {before} and {name}")
    elif name in SELECTIONS and "class_name" in earlier:
        yield Complaint(f"{name} comes after class_name", f"move {name} before class_name")
    elif name == "class_name" and "class_name" in earlier:
        yield Complaint("class_name comes twice", "keep one class_name")
    elif name == "class_name" and not _first(earlier, SELECTIONS):
        yield Complaint(
            "class_name comes without argmax, top_k or threshold",
            "put `top_k: 3` before class_name",
        )


def _first(earlier: tuple[str, ...], names: frozenset[str] | set[str]) -> str | None:
    return next((name for name in earlier if name in names), None)


def _activation_hint(name: str, before: str) -> str:
    if before in ACTIVATIONS:
        return f"drop {name}: {before} gives probabilities already"
    return f"move {name} before {before}"


def _complaints(
    operation: Postprocess, earlier: tuple[str, ...], answer: Answer, class_names: int
) -> Iterator[Complaint]:
    """Say which output or number an operation cannot work with."""
    if answer.kind == "custom":
        return
    match operation:
        case Softmax():
            yield from _dtype_complaints("softmax", answer)
            yield from _shape_complaints("softmax", answer)
        case Sigmoid():
            yield from _dtype_complaints("sigmoid", answer)
        case Argmax():
            yield from _shape_complaints("argmax", answer)
        case TopK(k):
            yield from _shape_complaints("top_k", answer)
            classes = _classes(answer)
            if classes is not None and k > classes:
                yield Complaint(
                    f"top_k {k} exceeds the {classes} classes of the output",
                    f"write `top_k: {classes}` or less",
                    ("top_k",),
                    "classes",
                )
        case Threshold(limit):
            yield from _shape_complaints("threshold", answer)
            if answer.value == "probability" and not 0 <= limit <= 1:
                yield Complaint(
                    f"threshold {limit:g} is no probability",
                    "write a number between 0 and 1",
                    ("threshold",),
                )
        case ClassName():
            if not class_names:
                yield Complaint(
                    "class_name needs class names, but the model has none",
                    "list them as `model.class_names`",
                )
        case Custom(produces=produces):
            if produces is not None and _first(earlier, SELECTIONS):
                yield Complaint(
                    "custom cannot produce a tensor from a list of entries",
                    "drop produces, or move custom before top_k",
                    ("custom", "produces"),
                )


def _dtype_complaints(name: str, answer: Answer) -> Iterator[Complaint]:
    if answer.dtype not in FLOATS:
        yield Complaint(f"{name} needs a float output, but gets {answer.dtype}")


def _shape_complaints(name: str, answer: Answer) -> Iterator[Complaint]:
    if len(answer.shape) != 1:
        shape = ", ".join(str(size) for size in answer.shape)
        yield Complaint(
            f"{name} needs [classes] for each sample, but gets [{shape}]",
            "take the output of a classifier, or write a custom step",
        )


def _classes(answer: Answer) -> int | None:
    """How many classes an output [classes] has, where that is known."""
    match answer.shape:
        case (int(classes),):
            return classes
    return None


def _after(operation: Postprocess, answer: Answer) -> Answer:
    """What an operation makes of an answer that it can work on."""
    match operation:
        case Softmax() | Sigmoid():
            return replace(answer, dtype="float32", value="probability")
        case Argmax():
            return replace(answer, kind="entries", at_most=1)
        case TopK(k):
            return replace(answer, kind="entries", at_most=k)
        case Threshold():
            at_most = answer.at_most if answer.kind == "entries" else _classes(answer)
            return replace(answer, kind="entries", at_most=at_most, exact=False)
        case ClassName():
            return replace(answer, label="class_name")
        case Custom(produces=produces):
            if produces is None:
                return replace(answer, kind="custom")
            return Answer("tensor", produces.dtype, produces.shape, answer.value)
