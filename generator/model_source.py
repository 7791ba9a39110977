"""Where a model comes from, and what it is exported to, which targets ask for."""

from collections.abc import Iterator, Sequence

from generator.problem import Problem
from generator.project import Project


def source_missing(project: Project, _options: object) -> Iterator[Problem]:
    """`gen export` needs something to export: without it there would be no model to serve."""
    if not project.model.source and not project.model.program:
        hint = "add `source: file.py:callable`, or `program:` with an exported file"
        yield Problem(("model",), "the model has neither `source` nor `program`", hint)


def other_formats(
    project: Project, server: str, formats: Sequence[str], and_then: str = ""
) -> Iterator[Problem]:
    """What a server does not load; a target makes a rule of it."""
    if project.export.format not in formats:
        message = f"{server} does not load {project.export.format}"
        choices = " or ".join(filter(None, (", ".join(formats[:-1]), formats[-1])))
        hint = f"set format: {choices}{and_then}"
        yield Problem(("export", "format"), message, hint)
