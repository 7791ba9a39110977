"""Rules about the operations around the model."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from generator import reads, transforms
from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Dimension, Project, Tensor
from generator.target import Rule
from generator.transforms import Mismatch, Value


def _problems(mismatches: Iterable[Mismatch], project: Project) -> Iterator[Problem]:
    for mismatch in mismatches:
        pointer: Pointer = ("transforms", mismatch.section, mismatch.step, *mismatch.keys)
        related = tuple(_contradicted(mismatch, project))
        yield Problem(pointer, mismatch.message, mismatch.hint, related=related)


def _contradicted(mismatch: Mismatch, project: Project) -> Iterator[tuple[Pointer, str]]:
    """What says the number that an argument of a step does not agree with."""
    if mismatch.against == "classes":
        yield says(("model", "outputs", 0, "shape"), _listed(project.model.outputs[0].shape))
    elif mismatch.against == "mean":
        at: Pointer = ("transforms", "preprocess", mismatch.step, "normalize", "mean")
        yield at, "the values of mean"
    elif mismatch.against:
        names, message = _MADE_BY[mismatch.against]
        steps = project.transforms.preprocess[: mismatch.step]
        made = [index for index, step in enumerate(steps) if step.operation in names]
        for index in made[-1:]:
            at = ("transforms", "preprocess", index)
            step = steps[index]
            yield ((*at, step.operation) if step.arguments else at), message


_MADE_BY = {
    "size": (("resize", "center_crop", "pad", "custom"), "the size of the image comes from here"),
    "channels": (("decode", "grayscale", "custom"), "the channels come from here"),
}
"""The operations that decide what an argument is held against."""


def impossible_step(project: Project) -> Iterator[Problem]:
    """Each operation takes what the one before it made; what cannot work fails at run time."""
    steps = project.transforms
    if steps.preprocess:
        yield from _problems(transforms.flow_preprocess(steps.preprocess).mismatches, project)
    yield from _problems(_answer(project), project)


def _answer(project: Project) -> tuple[Mismatch, ...]:
    model = project.model
    flow = transforms.flow_postprocess(
        project.transforms.postprocess, model.outputs, len(model.class_names)
    )
    return flow.mismatches


def does_not_arrive_at_the_input(project: Project) -> Iterator[Problem]:
    """What preprocessing makes is the model's input: same dtype, same shape.

    Otherwise every request fails in the model, or a size that it happens to take is answered wrong.
    """
    if not project.transforms.preprocess:
        return
    if len(project.model.inputs) > 1:
        message = f"preprocess makes one tensor, and the model takes {len(project.model.inputs)}"
        hint = "let the caller make the inputs: remove `transforms`"
        second: Pointer = ("model", "inputs", 1)
        at: Pointer = ("transforms", "preprocess")
        yield Problem(at, message, hint, related=((second, "the second input"),))
        return
    flow = transforms.flow_preprocess(project.transforms.preprocess)
    if flow.mismatches:
        return  # told already, and what follows from it is not to be trusted
    wanted, got = project.model.inputs[0], flow.value
    last: Pointer = ("transforms", "preprocess", len(project.transforms.preprocess) - 1)
    target = f"input `{wanted.name}` takes {wanted.dtype} {_listed(wanted.sample_shape)}"
    if got.kind == "encoded" or got.dtype != wanted.dtype:
        custom = f"end with a custom operation that produces {wanted.dtype}"
        hint = custom if got.kind == "tensor" else "end with `to_tensor`"
        related = (says(("model", "inputs", 0, "dtype"), wanted.dtype),)
        yield Problem(last, f"preprocess makes {got}, and {target}", hint, related=related)
    elif not _fits(got.shape, wanted.sample_shape):
        message, hint = f"preprocess makes {got}, and {target}", _way_out(got, wanted)
        related = (says(("model", "inputs", 0, "shape"), _listed(wanted.shape)),)
        yield Problem(last, message, hint, related=related)


def _way_out(got: Value, wanted: Tensor) -> str:
    if len(got.shape) != len(wanted.sample_shape):
        return "change the input's shape, or end with a custom operation"
    if _fits(got.shape[1:], wanted.sample_shape[1:]):
        return "choose another mode of decode, or change the input's shape"
    return "change the sizes of resize and center_crop, or the input's shape"


def _fits(made: tuple[Dimension, ...], wanted: tuple[Dimension, ...]) -> bool:
    """Whether no size is known to differ; one known only at run time is checked there."""
    return len(made) == len(wanted) and all(
        isinstance(want, str) or isinstance(size, str) or want == size
        for size, want in zip(made, wanted, strict=True)
    )


def _listed(shape: tuple[Dimension, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def custom_file_unreadable(project: Project) -> Iterator[Problem]:
    """The file is copied into the build context, so it must be there, and be Python.

    Otherwise the image that runs the operations could not be built, or would die at its start.
    """
    for section in ("preprocess", "postprocess"):
        for index, step in enumerate(getattr(project.transforms, section)):
            if step.operation != "custom":
                continue
            path, _, _ = str(step.arguments["function"]).partition(":")
            pointer: Pointer = ("transforms", section, index, "custom", "function")
            if not reads.is_file(project.folder / path):
                hint = "paths start at the spec's folder"
                yield Problem(pointer, f"there is no file `{path}`", hint)
            elif flaw := _flaw(project.folder / path):
                yield Problem(pointer, f"`{path}` is not Python: {flaw}")


def _flaw(path: Path) -> str:
    """Why a file is not a Python module, or nothing."""
    try:
        ast.parse(reads.read_text(path, "utf-8"))
    except UnicodeDecodeError as error:
        return f"byte {error.start} is not UTF-8"
    except SyntaxError as error:
        return f"line {error.lineno or 1}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or "it nests too deep"
    return ""


def custom_cannot_be_imported(project: Project) -> Iterator[Problem]:
    """The files of custom operations are copied into one folder and imported by name.

    A name that Python cannot import, or that another module has, ends the server at its start, or
    gets it the other module in place of this one.
    """
    yield from _problems(transforms.check_custom(project.transforms), project)


def postprocess_alone(project: Project) -> Iterator[Problem]:
    """What runs behind the model also runs in front of it, and takes what callers send.

    The rendered code is for images; without preprocess it would not know what to make of them.
    """
    steps = project.transforms
    if steps.postprocess and not steps.preprocess:
        message = "postprocess has no preprocess before the model"
        yield Problem(("transforms", "postprocess"), message, "add `preprocess:`")


def requirements_of_nothing(project: Project) -> Iterator[Problem]:
    """Packages are installed where the operations run; without operations, nowhere.

    Whoever expects them in the model's server would find them missing there.
    """
    steps = project.transforms
    if steps.requirements and not steps.preprocess:
        message = "`requirements` of transforms that are not there"
        hint = "remove it, or name them in model.requirements"
        yield Problem(("transforms", "requirements"), message, hint, at_key=True)


RULES: tuple[Rule, ...] = (
    impossible_step,
    does_not_arrive_at_the_input,
    custom_file_unreadable,
    custom_cannot_be_imported,
    postprocess_alone,
    requirements_of_nothing,
)
