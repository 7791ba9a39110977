"""Build a project's module: the user's code, with its weights, ready for inference."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch

from generator.export.refusal import Refusal
from generator.project import Project


def load_module(project: Project) -> torch.nn.Module:
    """The eager module on the CPU, in evaluation mode; raises Refusal where it cannot be had."""
    if project.model.program:
        return _program(project.folder / project.model.program)
    module = _built(project)
    if project.model.weights:
        _load_weights(module, project.folder / project.model.weights.path)
    return module.cpu().eval()


def _program(path: Path) -> torch.jit.ScriptModule:
    try:
        program = torch.jit.load(path, map_location="cpu")
    except (OSError, ValueError, RuntimeError) as error:
        message = f"cannot load {path.name}: {_first_line(error)}"
        raise Refusal(("model", "program"), message) from error
    return program.eval()


def _built(project: Project) -> torch.nn.Module:
    where, _, name = (project.model.source or "").rpartition(":")
    at = ("model", "source")
    with _users_code(project.folder, at, f"importing {where}"):
        code = _imported(project.folder, where)
    make = getattr(code, name, None)
    if not callable(make):
        raise Refusal(at, f"`{where}` has no callable `{name}`")
    arguments = ", ".join(f"{key}={value!r}" for key, value in project.model.arguments.items())
    with _users_code(project.folder, at, f"{name}({arguments})"):
        module = make(**project.model.arguments)
    if not isinstance(module, torch.nn.Module):
        raise Refusal(at, f"{name}() returned {type(module).__name__}, not a torch.nn.Module")
    return module


def _imported(folder: Path, where: str) -> ModuleType:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = folder / where
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{where} is no Python file")
    code = importlib.util.module_from_spec(spec)
    # Under its own name, as an import would have it: torch and pickle look classes up there.
    sys.modules[path.stem] = code
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(code)
    finally:
        sys.path.remove(str(path.parent))
    return code


@contextlib.contextmanager
def _users_code(folder: Path, at: tuple[str, ...], doing: str) -> Iterator[None]:
    """Tell what the user's code raised as a mistake in it, not as ours."""
    sys.path.insert(0, str(folder))
    try:
        yield
    except Exception as error:  # the user's code may raise anything
        raise Refusal(at, f"{doing} raised {type(error).__name__}: {_first_line(error)}") from error
    finally:
        sys.path.remove(str(folder))


def _load_weights(module: torch.nn.Module, path: Path) -> None:
    at = ("model", "weights", "path")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Refusal(at, f"there is no file `{path.name}` there") from None
    except Exception as error:  # unpickling a foreign file may raise anything
        message = f"`{path.name}` is no state_dict that loads safely: {_first_line(error)}"
        raise Refusal(at, message, "save it with torch.save(module.state_dict(), ...)") from error
    if not isinstance(state, dict):
        raise Refusal(at, f"`{path.name}` holds {type(state).__name__}, not a state_dict")
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise Refusal(at, f"`{path.name}` does not fit the module: {said}") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
