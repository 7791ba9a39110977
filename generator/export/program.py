"""Export the model of a project into one file."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from generator.export.aot_inductor import export_aot_inductor
from generator.export.checks import check_module, check_program
from generator.export.download import Report, silent
from generator.export.embedded import embed
from generator.export.embedded_check import check_embedded
from generator.export.module import load_module
from generator.export.onnx_program import export_onnx
from generator.export.record import Origin, origin
from generator.export.refusal import Refusal
from generator.export.torchscript import export_torchscript, own_types, save, scripted
from generator.export.users_code import own_modules
from generator.export.weights import weights_file
from generator.project import Format, Project
from generator.transforms.embedded import is_embedded


def export_program(
    project: Project,
    path: Path,
    report: Report = silent,
    *,
    by_name: bool = False,
    random_weights: bool = False,
) -> Origin:
    """Write the model in its export.format; the same bytes each time.

    Returns what it was made from. `by_name`: its server finds inputs by the names of the spec.
    Raises Refusal where the model and the spec differ, or the program and the model.
    """
    with own_modules(project.folder) as imported_files, own_types():
        module = load_module(project, report, random_weights=random_weights)
        if project.export.format == "state_dict":
            _write_state_dict(module, path)
        else:
            answered = check_module(project, module, by_name=by_name)
            _WRITERS[project.export.format](project, module, path)
            check_program(project, answered, path)
        numbers = _numbers(project, random_weights=random_weights)
        return origin(project, imported_files(), numbers)


def _numbers(project: Project, *, random_weights: bool) -> dict[str, Path]:
    """The file that a model's weights come from, by its name in the spec."""
    weights, program = project.model.weights, project.model.program
    if program:
        return {program: project.folder / program}
    if not weights or random_weights:
        return {}
    return {weights.url or weights.path or "": weights_file(project.folder, weights)}


def _write_state_dict(module: torch.nn.Module, path: Path) -> None:
    whole = io.BytesIO()  # torch's writer ends the process where a disk is full
    torch.save(module.state_dict(), whole)
    path.write_bytes(whole.getbuffer())


def _write_torchscript(project: Project, module: torch.nn.Module, path: Path) -> None:
    save(_torchscript(project, module), path)


_WRITERS: Mapping[Format, Callable[[Project, torch.nn.Module, Path], None]] = {
    "torchscript": _write_torchscript,
    "onnx": export_onnx,
    "aot_inductor": export_aot_inductor,
}


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
