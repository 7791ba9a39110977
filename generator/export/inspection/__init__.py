"""Find out what a module takes and returns, by running it with tensors of many shapes."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from generator.export.inspection.attempts import Report
from generator.export.inspection.naming import signature
from generator.export.inspection.section import section
from generator.export.inspection.subject import project_of
from generator.export.module import load_module
from generator.export.size import size_of_state
from generator.export.users_code import own_modules
from generator.project import Tensor

__all__ = ["inspect_model"]


def inspect_model(
    subject: str,
    arguments: Mapping[str, object],
    weights: str | None,
    given: Sequence[Tensor],
    report: Report,
) -> str:
    """The `model:` section of a spec in this folder for a callable or a program.

    `arguments` and `weights`, a path, are those of the callable; `given` are inputs that are
    known; `report` is told of every attempt. Raises Refusal where a spec could not serve it.
    """
    project = project_of(subject, arguments, weights)
    with own_modules():
        module = load_module(project)
        found = signature(module, given, report)
    return section(replace(project.model, size=size_of_state(module)), found)
