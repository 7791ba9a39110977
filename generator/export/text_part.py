"""The rendered files that are part of a bundle: those under models/ of a deployment."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from generator.artefact import RenderedFile
from generator.pipeline import folder_of
from generator.validate import Deployment

MODELS = "models"


def text_part(
    deployment: Deployment, files: Sequence[RenderedFile]
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Of the rendered files of a spec, those of a bundle by their path in it."""
    models = folder_of(deployment) / MODELS
    for file in files:
        if file.path.is_relative_to(models) and file.path.name != ".gitkeep":
            yield file.path.relative_to(models), file.text.encode()
