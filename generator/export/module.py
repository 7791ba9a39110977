"""Build a project's module: the user's code, with its weights, ready for inference."""

import torch

from generator.document import Pointer
from generator.export.download import Report, silent
from generator.export.random_weights import randomize
from generator.export.refusal import Refusal, first_line
from generator.export.users_code import called, imported
from generator.export.weights import load_weights
from generator.project import Project

SEED = 0


def load_module(
    project: Project, report: Report = silent, *, random_weights: bool = False
) -> torch.nn.Module:
    """The eager module on the CPU, in evaluation mode; raises Refusal where it cannot be had.

    Weights that are left as they are initialized are the same each time, and so are
    `random_weights`, which take the place of those that the spec names. A program keeps its own.
    """
    if project.model.program:
        return _program(project)
    module = _built(project)
    if not random_weights:
        load_weights(module, project, report)
    at: Pointer = ("model", "source")
    called(project.folder, at, "moving the module to the CPU", lambda: module.cpu().eval())
    if random_weights:
        randomize(project, module)
    return module


def _program(project: Project) -> torch.jit.ScriptModule:
    path = project.folder / (project.model.program or "")
    try:
        program = torch.jit.load(path, map_location="cpu")
    except (OSError, ValueError, RuntimeError) as error:
        message = f"cannot load {path.name}: {first_line(error)}"
        raise Refusal(("model", "program"), message) from error
    return program.eval()


def _built(project: Project) -> torch.nn.Module:
    at: Pointer = ("model", "source")
    source, arguments = project.model.source or "", project.model.arguments
    make = imported(project.folder, source, at)
    listed = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    name = source.rpartition(":")[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        module = called(project.folder, at, f"{name}({listed})", lambda: make(**arguments))
    if not isinstance(module, torch.nn.Module):
        raise Refusal(at, f"{name}() returned {type(module).__name__}, not a torch.nn.Module")
    return module
