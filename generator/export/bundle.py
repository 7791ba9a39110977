"""Write the folder that a server loads: the rendered text part and the exported program."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun, Rejected
from generator.export.module import load_module
from generator.export.refusal import Refusal
from generator.export.torchscript import export_torchscript, save
from generator.pipeline import folder_of
from generator.problem import Problem, located
from generator.validate import Deployment

MODELS = "models"


def export_bundle(deployment: Deployment, files: Sequence[RenderedFile], output: Path) -> Path:
    """Export the model of a deployment and write its bundle; returns the bundle's folder.

    `files` are the rendered ones of the spec. The folder is replaced as a whole, and only when
    everything in it has been made. Raises Rejected where the model and the spec differ.
    """
    try:
        program = export_torchscript(deployment.project, load_module(deployment.project))
    except Refusal as refusal:
        problem = Problem(refusal.pointer, refusal.message, refusal.hint)
        raise Rejected([located(problem, "export/refused", deployment.document)]) from refusal
    folder = output / folder_of(deployment)
    staged = folder.with_name(f".{folder.name}.new")
    try:
        shutil.rmtree(staged, ignore_errors=True)
        for path, text in _text_part(deployment, files).items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).write_text(text, encoding="utf-8", newline="\n")
        target = staged / deployment.target.program(deployment.project, deployment.options)
        target.parent.mkdir(parents=True, exist_ok=True)
        save(program, target)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staged, folder)
    except OSError as error:
        raise CannotRun(f"cannot write {error.filename or folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder


def _text_part(deployment: Deployment, files: Sequence[RenderedFile]) -> dict[PurePosixPath, str]:
    """The rendered files of the bundle, by their path in it."""
    models = folder_of(deployment) / MODELS
    under = [file for file in files if file.path.is_relative_to(models)]
    return {f.path.relative_to(models): f.text for f in under if f.path.name != ".gitkeep"}
