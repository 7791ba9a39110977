"""Where a model comes from, which targets ask for where they export it."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project


def source_missing(project: Project, _options: object) -> Iterator[Problem]:
    """`gen export` needs something to export; a rule of every target that exports."""
    if not project.model.source and not project.model.program:
        hint = "add `source: file.py:callable`, or `program:` with an exported file"
        yield Problem(("model",), "the model has neither `source` nor `program`", hint)
