"""Why a model cannot be exported, and which line of the spec is to blame."""

import contextlib
from collections.abc import Iterator

from generator.diagnostics import Rejected
from generator.document import Pointer
from generator.problem import Problem, located
from generator.project import Project
from generator.validate import Deployment


class Refusal(Exception):
    """A mistake of the user's that only shows when the model is loaded or run."""

    def __init__(self, pointer: Pointer, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer
        self.message = message
        self.hint = hint


@contextlib.contextmanager
def refusals_located(deployment: Deployment, project: Project) -> Iterator[None]:
    """Tell a refusal at its line in the spec that the project came from; raises Rejected."""
    try:
        yield
    except Refusal as refusal:
        problem = Problem(refusal.pointer, refusal.message, refusal.hint)
        served = [each for each in deployment.project.also_serves if each.project is project]
        document = served[0].document if served else deployment.document
        raise Rejected([located(problem, "export/refused", document)]) from refusal


def first_line(error: BaseException) -> str:
    """What an exception says first, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
