"""Export the model of a project into one file."""

from pathlib import Path

import torch

from generator.export.download import Report, silent
from generator.export.embedded import embed
from generator.export.embedded_check import check_embedded
from generator.export.module import load_module
from generator.export.refusal import Refusal
from generator.export.torchscript import export_torchscript, own_types, save, scripted
from generator.export.users_code import own_modules
from generator.project import Project
from generator.transforms.embedded import is_embedded


def export_program(project: Project, path: Path, report: Report = silent) -> None:
    """Write the model in its export.format; the same bytes each time, under the same file stem.

    Raises Refusal where the model and the spec differ.
    """
    with own_modules(), own_types():
        module = load_module(project, report)
        if project.export.format == "state_dict":
            torch.save(module.state_dict(), path)
        else:
            save(_torchscript(project, module), path)


def _torchscript(project: Project, module: torch.nn.Module) -> torch.jit.ScriptModule:
    program = export_torchscript(project, module)
    if not is_embedded(project.transforms):
        return program
    try:
        whole = scripted(embed(project, program))
    except RuntimeError as error:
        said = " ".join(str(error).split())[:300]
        message = f"transforms cannot be put around the model: {said}"
        hint = "let forward return one tensor"
        raise Refusal(("transforms", "run_in"), message, hint) from error
    check_embedded(project, whole, module)
    return whole
