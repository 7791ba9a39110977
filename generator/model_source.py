"""Where a model comes from, which targets ask for where they export it."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project


def source_or_program_missing(project: Project) -> Iterator[Problem]:
    """Say that a project has nothing to export; a target makes a rule of it."""
    if not project.model.source and not project.model.program:
        hint = "add `source: file.py:callable`, or `program:` with an exported file"
        yield Problem(("model",), "the model has neither `source` nor `program`", hint)
