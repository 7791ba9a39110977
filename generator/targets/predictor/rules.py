"""What a program that stands alone cannot do."""

from collections.abc import Iterator

from msgspec.structs import replace

from generator.document import Pointer
from generator.model_source import source_missing
from generator.problem import Problem, says
from generator.project import Project
from generator.target import TargetRule
from generator.targets.predictor.options import Options
from generator.targets.predictor.unused import RULES as UNUSED_RULES
from generator.transforms import embedded
from generator.transforms.embedded import is_embedded


def transforms_missing(project: Project, _options: Options) -> Iterator[Problem]:
    """predict.py opens images and hands their pixels on: the program knows what becomes of them.

    Without preprocess there is nothing in it that makes the model's input of an image.
    """
    if not project.transforms.preprocess:
        message = "the predictor takes images, and the spec has no preprocess for them"
        hint = f"add `transforms:` with run_in: model; {_OR_A_SERVER}"
        yield Problem(("transforms",), message, hint, at_key=True)


def run_in_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """Around a program that stands alone nothing else runs, no server and no component.

    Transforms that wait for one would never run, and the model would get raw pixels.
    """
    transforms = project.transforms
    if transforms.preprocess and transforms.run_in != "model":
        message = f"the predictor has no {transforms.run_in} that could run transforms"
        alone = "or for it alone `predictor: {transforms: {run_in: model}}`"
        hint = f"set run_in: model, {alone}; {_OR_A_SERVER}"
        yield Problem(("transforms", "run_in"), message, hint)


_OR_A_SERVER = "or name a server: a spec without `targets:` is for the predictor"


def custom_step(project: Project, _options: Options) -> Iterator[Problem]:
    """A function of the user's own is no part of the program, and takes arrays of numpy."""
    if not is_embedded(project.transforms):
        return
    for problem in embedded.why_not(project.transforms):
        yield replace(problem, hint="do it in the model's forward")
    for index, step in enumerate(project.transforms.postprocess):
        if step.operation == "custom":
            message = "a custom function has no place behind a program that stands alone"
            hint = "do it in the model's forward, or with what predict.py --json prints"
            at: Pointer = ("transforms", "postprocess", index)
            related = (says(("transforms", "run_in"), "model"),)
            yield Problem(at, message, hint, related=related)


def several_outputs(project: Project, _options: Options) -> Iterator[Problem]:
    """The program answers with one tensor: the others would be lost without a word."""
    for problem in embedded.several_outputs(project):
        yield replace(problem, hint="return one tensor from the model")


def trace_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """The program is scripted as a whole: a trace holds sizes and branches as it once saw them.

    Where the transforms bring every image to one size, a traced model inside of them answers
    right, and servers take one; where they do not, model/trace-of-free-sizes refuses it for all.
    This program is handed on alone: the compiler vouches for all of it, or the user does, with a
    `model.program`.
    """
    sizes = project.model.inputs[0].sample_shape
    is_sized = all(isinstance(size, int) for size in sizes)
    exports = is_embedded(project.transforms) and project.model.source
    if exports and project.export.is_traced and is_sized:
        message = "the predictor's program is compiled whole: a trace holds one size and one branch"
        hint = "set export: {method: script}; a model that only traces can come as `model.program`"
        yield Problem(("export", "method"), message, hint)


RULES: tuple[TargetRule, ...] = (
    source_missing,
    transforms_missing,
    run_in_not_offered,
    custom_step,
    several_outputs,
    trace_not_offered,
    *UNUSED_RULES,
)
