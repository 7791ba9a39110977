"""Every file of a deployment, whatever its target: what the target plans, and what applies it."""

from collections.abc import Iterable
from typing import Any

from generator.argo_cd.annotations import annotated
from generator.argo_cd.application import application_files
from generator.artefact import Artefact, RenderedFile
from generator.project import Project
from generator.render import render
from generator.target import Target


def planned(
    target: Target,
    project: Project,
    options: Any,  # Any: each target has its own options type
) -> list[Artefact]:
    """The files to render, in path order."""
    own = target.plan(project, options)
    everything = [*own, *application_files(project, own)]
    return sorted(everything, key=lambda each: each.path.parts)  # as paths compare, but quicker


def rendered(artefacts: Iterable[Artefact], project: Project) -> list[RenderedFile]:
    """Their texts, with the annotations that the spec asks for."""
    return annotated([render(artefact) for artefact in artefacts], project)
