"""Rules about where the model comes from and what its classes are called."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project
from generator.targets.base import Rule


def source_and_program(project: Project) -> Iterator[Problem]:
    """A model is either built from source or loaded as an exported program."""
    model = project.model
    if model.source and model.program:
        hint = "remove one of `source` and `program`"
        yield Problem(("model", "program"), "`program` contradicts `source`", hint, at_key=True)
    elif not model.source and not model.program:
        hint = "add `source: file.py:callable`, or `program:` with an exported file"
        yield Problem(("model",), "the model has neither `source` nor `program`", hint)


def program_with_parts_of_a_source(project: Project) -> Iterator[Problem]:
    """An exported program already carries its weights; arguments would go nowhere."""
    model = project.model
    if not model.program or model.source:
        return
    for key, given in (("weights", model.weights), ("arguments", model.arguments)):
        if given:
            hint = f"remove `{key}`, or name a `source` instead of `program`"
            yield Problem(("model", key), f"a program takes no `{key}`", hint, at_key=True)


def source_file_missing(project: Project) -> Iterator[Problem]:
    """`gen export` imports this file; it stands in the repository beside the spec."""
    path, _, _ = (project.model.source or "").rpartition(":")
    if path.endswith(".py") and not (project.folder / path).is_file():
        hint = "paths start at the spec's folder"
        yield Problem(("model", "source"), f"there is no file `{path}`", hint)


def class_names_do_not_match_output(project: Project) -> Iterator[Problem]:
    """A label file of another length shifts or drops labels without any error."""
    names, output = len(project.model.class_names), project.model.outputs[0]
    classes = output.shape[-1]
    if names and len(output.sample_shape) < 1:
        message = f"{names} class names for output `{output.name}`, which has no class dimension"
        yield Problem(("model", "class_names"), message, "give the output's shape as [N, classes]")
    elif names and isinstance(classes, int) and classes != names:
        message = f"{names} class names for the {classes} classes of output `{output.name}`"
        hint = "give one name per class, in the order of the output's last dimension"
        yield Problem(("model", "class_names"), message, hint)


RULES: tuple[Rule, ...] = (
    source_and_program,
    program_with_parts_of_a_source,
    source_file_missing,
    class_names_do_not_match_output,
)
