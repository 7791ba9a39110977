"""The code that a project's transforms become: the values of templates/common/transforms.py.j2."""

import builtins
from collections.abc import Iterable, Iterator, Mapping
from keyword import iskeyword
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from generator.project import Project, Step, Transforms
from generator.transforms.layout import Bracketed, comprehension, imported, statement
from generator.transforms.operations import (
    Argmax,
    CenterCrop,
    ClassName,
    Custom,
    Decode,
    Grayscale,
    Normalize,
    Pad,
    Postprocess,
    Preprocess,
    Rescale,
    ResizeShorterEdge,
    ResizeTo,
    Sigmoid,
    Softmax,
    Threshold,
    TopK,
    ToTensor,
    read_postprocess,
    read_preprocess,
)
from generator.transforms.postprocessing import Answer, flow_postprocess
from generator.transforms.preprocessing import flow_preprocess


class Field(Struct, frozen=True):
    """A key of an answer's entries, and the type of its value."""

    name: str
    type: str


class Function(Struct, frozen=True):
    """A rendered function: its docstring, its body and what it returns."""

    summary: str
    lines: tuple[str, ...]
    returns: str


class TransformsCode(Struct, frozen=True):
    """What transforms.py consists of; `operations` are names of templates to include."""

    summary: str
    imports: tuple[tuple[str, ...], ...]
    operations: tuple[str, ...]
    reads_class_names: bool
    checks_images: bool
    entry: tuple[Field, ...]
    preprocess: Function | None
    postprocess: Function | None


Half = Literal["preprocess", "postprocess"]

TEMPLATE = "common/operations/{}.py.j2"
TEMPLATES: Mapping[type[Preprocess | Postprocess], str] = {
    Decode: "decode",
    ResizeTo: "resize",
    ResizeShorterEdge: "resize_shorter_edge",
    CenterCrop: "center_crop",
    Pad: "pad",
    Grayscale: "grayscale",
    ToTensor: "to_tensor",
    Rescale: "rescale",
    Normalize: "normalize",
    Softmax: "softmax",
    Sigmoid: "sigmoid",
    Argmax: "argmax",
    TopK: "top_k",
    Threshold: "threshold",
}
TAKEN = frozenset(
    {*dir(builtins), *TEMPLATES.values(), "eight_bit", "margin", "preprocess", "postprocess"}
    | {"encoded", "image", "tensor", "output", "scores", "entries", "index"}
    | {"io", "json", "np", "Image", "Path", "TypedDict", "BadImage", "Entry"}
    | {"CLASS_NAMES", "FORMATS", "MAX_PIXELS"}
)
"""Names that rendered code gives away itself, so that a user's function gets another one."""


def transforms_code(
    project: Project,
    *,
    outside: Transforms | None = None,
    half: Half | None = None,
    postponed: bool = False,
) -> TransformsCode:
    """Plan transforms.py of a project whose transforms have no mismatch.

    `outside` are the steps that stay outside the program where it holds some of them itself;
    `half` is the only list of steps that is wanted, where one is. `postponed`: a Python before
    3.9 runs it, which cannot evaluate the annotations.
    """
    steps = halved(outside or project.transforms, half)
    before = tuple(map(read_preprocess, steps.preprocess))
    after = tuple(map(read_postprocess, steps.postprocess))
    answer = answer_of(project)
    used = _used(before, after)
    reads_class_names = ClassName() in after
    names = _function_names((*before, *after))
    imports = _imports(used, names, picks=_picks(after), reads_class_names=reads_class_names)
    makes = "pixels" if outside else SAMPLE
    return TransformsCode(
        summary=_file_summary(half, after),
        imports=(*((FUTURE,) if postponed else ()), *imports),
        operations=tuple(TEMPLATE.format(name) for name in used),
        reads_class_names=reads_class_names,
        checks_images="decode" in used or "resize_shorter_edge" in used,
        entry=_fields(after, answer),
        preprocess=_preprocess(before, steps.preprocess, names, makes) if before else None,
        postprocess=_postprocess(after, answer, names) if after else None,
    )


def halved(transforms: Transforms, half: Half | None) -> Transforms:
    """The transforms without the list of steps that is not wanted, where there is one."""
    match half:
        case "preprocess":
            return replace(transforms, postprocess=())
        case "postprocess":
            return replace(transforms, preprocess=())
        case None:
            return transforms


FUTURE = ("from __future__ import annotations",)


def _file_summary(half: Half | None, after: tuple[Postprocess, ...]) -> str:
    if half == "postprocess":
        return "From the model's output to the answer"
    and_back = ", and from its output to the answer" if after else ""
    return f"From an encoded image to the model's input{and_back}"


def answer_of(project: Project) -> Answer:
    """What a client of a project gets for one instance."""
    steps, model = project.transforms.postprocess, project.model
    return flow_postprocess(steps, model.outputs, len(model.class_names)).answer


def _used(before: tuple[Preprocess, ...], after: tuple[Postprocess, ...]) -> tuple[str, ...]:
    """The functions to render, each once, in the order of their first use."""
    names = [TEMPLATES[type(step)] for step in (*before, *after) if type(step) in TEMPLATES]
    if "threshold" in names:  # the best of threshold's list are its first
        names = [name for name in names if name not in ("argmax", "top_k")]
    return tuple(dict.fromkeys(names))


Names = Mapping[tuple[str, str], str]
"""The name under which rendered code knows the function of a module."""


def _function_names(operations: Iterable[Preprocess | Postprocess]) -> Names:
    """Name the users' functions, after their module too where the name alone is taken."""
    names: dict[tuple[str, str], str] = {}
    for operation in operations:
        if isinstance(operation, Custom):
            module, function = operation.module, operation.function
            if function in TAKEN or iskeyword(function) or function in names.values():
                function = f"{module}_{function}"
            names.setdefault((module, operation.function), function)
    return names


def _imports(
    used: tuple[str, ...], names: Names, *, picks: bool, reads_class_names: bool
) -> tuple[tuple[str, ...], ...]:
    """Import lines in groups: the standard library, packages, the user's modules."""
    standard = [
        *(["import io"] if "decode" in used else []),
        *(["import json", "from pathlib import Path"] if reads_class_names else []),
        *(["from typing import TypedDict"] if picks else []),
    ]
    pillow = ["from PIL import Image"] if IMAGE_FUNCTIONS & set(used) else []
    modules = sorted({module for module, _ in names})
    own = [line for module in modules for line in _own_imports(module, names)]
    groups = (standard, ["import numpy as np", *pillow], own)
    return tuple(tuple(group) for group in groups if group)


IMAGE_FUNCTIONS = {
    "decode",
    "resize",
    "resize_shorter_edge",
    "center_crop",
    "pad",
    "grayscale",
    "to_tensor",
}


def _own_imports(module: str, names: Names) -> Iterator[str]:
    """Import a user's functions; a renamed one has a line of its own."""
    functions = sorted(function for owner, function in names if owner == module)
    for function in functions:
        if names[module, function] != function:
            yield f"from {module} import {function} as {names[module, function]}"
    plain = [function for function in functions if names[module, function] == function]
    if plain:
        yield from imported(module, plain)


SAMPLE = "one sample of the model's input"


def _preprocess(
    operations: tuple[Preprocess, ...], steps: tuple[Step, ...], names: Names, makes: str
) -> Function:
    """One line for each operation; a value is called by what it is."""
    lines: list[str] = []
    argument = "encoded"
    for count, operation in enumerate(operations, start=1):
        value = flow_preprocess(steps[:count]).value
        result = "image" if value.kind == "image" else "tensor"
        call = _preprocess_call(operation, argument, names)
        start = f"{result} = "
        if count == len(operations) and value.kind == "tensor":
            start = "return "
        lines.extend(statement(start, call))
        argument = result
    value = flow_preprocess(steps).value
    if value.kind == "image":
        # A grey Pillow image has no channel axis.
        array = Bracketed("np.asarray", ("image",))
        grey = Bracketed("np.atleast_3d", (str(array),))
        lines.extend(statement("return ", grey if value.shape[2] == 1 else array))
    summary = f"Turn an encoded image into {makes}, {value}."
    return Function(summary, tuple(lines), "np.ndarray")


def _preprocess_call(operation: Preprocess, argument: str, names: Names) -> Bracketed:
    match operation:
        case Custom(module=module, function=function):
            return Bracketed(names[module, function], (argument,))
        case _:
            items = (argument, *_arguments(operation))
            return Bracketed(TEMPLATES[type(operation)], items)


def _arguments(operation: Preprocess) -> Iterator[str | Bracketed]:
    match operation:
        case Decode(mode):
            yield f'"{mode}"'
        case ResizeTo(height, width, interpolation):
            yield from (f"height={height}", f"width={width}")
            yield f"interpolation={_resampling(interpolation)}"
        case ResizeShorterEdge(edge, interpolation):
            yield from (str(edge), _resampling(interpolation))
        case CenterCrop(height, width):
            yield from (f"height={height}", f"width={width}")
        case Pad(left, top, right, bottom, fill):
            yield from (f"left={left}", f"top={top}", f"right={right}", f"bottom={bottom}")
            yield f"fill={fill}"
        case Grayscale(channels):
            yield f"channels={channels}"
        case Rescale(scale, offset):
            yield from (f"scale={scale!r}", f"offset={offset!r}")
        case Normalize(mean, std):
            yield Bracketed("mean=", tuple(map(repr, mean)), is_call=False)
            yield Bracketed("std=", tuple(map(repr, std)), is_call=False)


def _resampling(interpolation: str) -> str:
    return f"Image.Resampling.{interpolation.upper()}"


def _fields(operations: tuple[Postprocess, ...], answer: Answer) -> tuple[Field, ...]:
    if not _picks(operations):
        return ()
    label = Field(answer.label, "str" if answer.label == "class_name" else "int")
    return label, Field(answer.value, "float")


def _picks(operations: tuple[Postprocess, ...]) -> bool:
    return any(isinstance(operation, Argmax | TopK | Threshold) for operation in operations)


def _postprocess(operations: tuple[Postprocess, ...], answer: Answer, names: Names) -> Function:
    """Work on the scores of one sample, pick classes from them, hand the rest to the user."""
    lines: list[str] = []
    current = "output"
    for position, operation in enumerate(operations, start=1):
        start = "return " if position == len(operations) else "scores = "
        match operation:
            case Softmax() | Sigmoid():
                call = Bracketed(TEMPLATES[type(operation)], (current,))
                lines.extend(statement(start, call))
                current = "scores"
            case Custom(module=module, function=function):
                if _picks(operations[:position]):
                    lines.extend(_entries("entries: list[Entry] = ", operations, answer, current))
                    current = "entries"
                lines.extend(statement(start, Bracketed(names[module, function], (current,))))
                current = "scores"
    if answer.kind == "entries":
        lines.extend(_entries("return ", operations, answer, current))
    return Function(_summary(operations, answer), tuple(lines), RETURNS[answer.kind])


RETURNS = {"entries": "list[Entry]", "tensor": "np.ndarray", "custom": "object"}


def _entries(
    start: str, operations: tuple[Postprocess, ...], answer: Answer, scores: str
) -> tuple[str, ...]:
    """Make the list of entries from the scores."""
    label = "CLASS_NAMES[index]" if answer.label == "class_name" else "int(index)"
    element = f'{{"{answer.label}": {label}, "{answer.value}": float({scores}[index])}}'
    return comprehension(start, element, f"for index in {_picked(operations, scores)}")


def _picked(operations: tuple[Postprocess, ...], scores: str) -> str:
    """The expression for the indices of the classes to keep, best first."""
    limit, k = _limit(operations), _most(operations)
    if limit is not None:
        return f"threshold({scores}, {limit!r})" + (f"[:{k}]" if k else "")
    if any(isinstance(operation, Argmax) for operation in operations):
        return f"argmax({scores})"
    return f"top_k({scores}, {k})"


def _limit(operations: tuple[Postprocess, ...]) -> float | None:
    return next((step.limit for step in operations if isinstance(step, Threshold)), None)


def _most(operations: tuple[Postprocess, ...]) -> int | None:
    """How many classes are kept at most, where an operation says so."""
    for operation in operations:
        match operation:
            case Argmax():
                return 1
            case TopK(k):
                return k
    return None


def _summary(operations: tuple[Postprocess, ...], answer: Answer) -> str:
    start = "Turn the model's output for one sample into"
    if answer.kind == "custom":
        return f"{start} its answer."
    if answer.kind == "tensor":
        what = "probabilities" if answer.value == "probability" else "numbers"
        return f"{start} {what}, {answer.dtype} [{', '.join(map(str, answer.shape))}]."
    limit, k = _limit(operations), _most(operations)
    least = "" if limit is None else f" of at least {limit:g}"
    if k == 1:
        return f"{start} its best class{least}."
    best = "" if k is None else f"{k} best "
    return f"{start} its {best}classes{least}, best first."
