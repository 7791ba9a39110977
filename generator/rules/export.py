"""Rules about the format that a model is exported to."""

from collections.abc import Iterator

from generator.problem import Problem, says
from generator.project import Project
from generator.target import Rule
from generator.transforms.embedded import is_embedded


def program_in_another_format(project: Project) -> Iterator[Problem]:
    """`model.program` is TorchScript, of which nothing makes another format.

    The server would be told to expect a format that the bundle does not hold.
    """
    given = project.export.format
    if project.model.program and given != "torchscript":
        message = f"`program` is TorchScript, and cannot become {given}"
        hint = "remove `format`, or name a `source` instead of `program`"
        related = ((("model", "program"), "`program` is given here"),)
        yield Problem(("export", "format"), message, hint, related=related)


def transforms_in_another_format(project: Project) -> Iterator[Problem]:
    """With run_in: model the steps become TorchScript, for images of every size.

    `gen export` makes the other formats of the model alone, without what stands around it.
    """
    given = project.export.format
    if is_embedded(project.transforms) and given != "torchscript":
        message = f"the transforms of run_in: model become TorchScript, not {given}"
        hint = "remove `format`, or choose another run_in"
        related = (says(("transforms", "run_in"), "model"),)
        yield Problem(("export", "format"), message, hint, related=related)


def method_without_use(project: Project) -> Iterator[Problem]:
    """`export.method` chooses between a trace and a script, which are two ways to TorchScript.

    The other formats are made in one way, whatever the method says. A program is made already,
    and only run_in: model makes another one around it.
    """
    given, model = project.export.format, project.model
    is_made = model.program and not model.source and not is_embedded(project.transforms)
    if project.export.method and is_made and given == "torchscript":
        message = "`method` is how TorchScript is made, and `program` is made already"
        hint = "remove `method`; in an environment, write `method: null`"
        program = (("model", "program"), "`program` is given here")
        at = ("export", "method")
        yield Problem(at, message, hint, "warning", at_key=True, related=(program,))
    elif project.export.method and given != "torchscript":
        message = f"`method` is how TorchScript is made, and format is {given}"
        hint = "remove `method`; in an environment, write `method: null`"
        related = (says(("export", "format"), given),)
        yield Problem(("export", "method"), message, hint, at_key=True, related=related)


def compiled_for_another_device(project: Project) -> Iterator[Problem]:
    """`gen export` compiles on and for a CPU; a GPU's program needs that GPU to be compiled."""
    if project.export.format == "aot_inductor" and project.hardware.accelerator != "cpu":
        given = project.hardware.accelerator
        message = f"aot_inductor is compiled for CPUs, and the accelerator is {given}"
        hint = "set format: torchscript or onnx, or hardware.accelerator: cpu"
        related = (says(("hardware", "accelerator"), given),)
        yield Problem(("export", "format"), message, hint, related=related)


RULES: tuple[Rule, ...] = (
    program_in_another_format,
    transforms_in_another_format,
    method_without_use,
    compiled_for_another_device,
)
