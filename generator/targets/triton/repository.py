"""Triton's model repository: what is rendered of it, and where the program goes."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from generator.artefact import Artefact, artefact
from generator.project import Project
from generator.targets.triton.config import LABELS, config_values
from generator.targets.triton.formats import LOADED
from generator.targets.triton.options import Options
from generator.targets.triton.service import describe


def program_path(project: Project, model: str) -> PurePosixPath:
    """Where Triton's backend looks for the program of a model."""
    file = LOADED[project.export.format].file
    return PurePosixPath(model, str(project.model.version), file)


def repository_files(project: Project, options: Options) -> Iterator[Artefact]:
    """models/: the configuration and the class names of the project's model."""
    service = describe(project, options)
    folder = f"models/{service.model}"
    values = config_values(project, options, service)
    yield artefact(f"{folder}/config.pbtxt", "triton/models/config.pbtxt.j2", values)
    if project.model.class_names:
        names = {"class_names": project.model.class_names}
        yield artefact(f"{folder}/{LABELS}", "triton/models/labels.txt.j2", names)
    # Git keeps no empty folders; the program goes beside it.
    version = f"models/{program_path(project, service.model).parent}"
    yield artefact(f"{version}/.gitkeep", "common/empty.j2")
