"""Rules about the format that a model is exported to."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project
from generator.target import Rule
from generator.transforms.embedded import is_embedded


def program_in_another_format(project: Project) -> Iterator[Problem]:
    """`model.program` is TorchScript, of which nothing makes another format."""
    given = project.export.format
    if project.model.program and given != "torchscript":
        message = f"`program` is TorchScript, and cannot become {given}"
        hint = "remove `format`, or name a `source` instead of `program`"
        yield Problem(("export", "format"), message, hint)


def transforms_in_another_format(project: Project) -> Iterator[Problem]:
    """With run_in: model the steps become TorchScript, for images of every size."""
    given = project.export.format
    if is_embedded(project.transforms) and given != "torchscript":
        message = f"the transforms of run_in: model become TorchScript, not {given}"
        hint = "remove `format`, or choose another run_in"
        yield Problem(("export", "format"), message, hint)


def method_without_use(project: Project) -> Iterator[Problem]:
    """Other formats are made in one way."""
    given = project.export.format
    if project.export.method and given != "torchscript":
        message = f"`method` is how TorchScript is made, and format is {given}"
        hint = "remove `method`; in an environment, write `method: null`"
        yield Problem(("export", "method"), message, hint, at_key=True)


def compiled_for_another_device(project: Project) -> Iterator[Problem]:
    """`gen export` compiles on and for a CPU; a GPU's program needs that GPU to be compiled."""
    if project.export.format == "aot_inductor" and project.hardware.accelerator != "cpu":
        given = project.hardware.accelerator
        message = f"aot_inductor is compiled for CPUs, and the accelerator is {given}"
        hint = "set format: torchscript or onnx, or hardware.accelerator: cpu"
        yield Problem(("export", "format"), message, hint)


RULES: tuple[Rule, ...] = (
    program_in_another_format,
    transforms_in_another_format,
    method_without_use,
    compiled_for_another_device,
)
