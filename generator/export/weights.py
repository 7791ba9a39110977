"""Find the weights of a module and load them into it; a file of weights never runs code."""

import os
from pathlib import Path

import torch

from generator.document import Pointer
from generator.export.download import Remote, Report, check, download, sha256_of, silent
from generator.export.refusal import Refusal, first_line
from generator.export.users_code import called, imported
from generator.project import Project, Weights

AT: Pointer = ("model", "weights")


def load_weights(module: torch.nn.Module, project: Project, report: Report = silent) -> None:
    """Load the weights that a spec names, if any; raises Refusal where they do not fit."""
    weights = project.model.weights
    if not weights:
        return
    at: Pointer = (*AT, "url" if weights.url else "path")
    path = weights_file(project.folder, weights, report)
    file = (weights.url or weights.path or "").rpartition("/")[2]
    name = f"`{file}`"
    state = _loaded(path, name, at)
    if weights.convert:
        at, name = (*AT, "convert"), f"{weights.convert}()"
        convert = imported(project.folder, weights.convert, at)
        state = called(project.folder, at, name, lambda: convert(state))
        if not isinstance(state, dict):
            raise Refusal(at, f"{name} returned {type(state).__name__}, not a state_dict")
    elif not isinstance(state, dict):
        message = f"{name} holds {type(state).__name__}, not a state_dict"
        raise Refusal(at, message, "make one of it with a function of your own: `convert`")
    try:
        module.load_state_dict(state)
    except Exception as error:  # a foreign dict may hold anything
        said = " ".join(str(error).split())
        raise Refusal(at, f"{name} does not fit the module: {said}") from error


def weights_file(folder: Path, weights: Weights, report: Report = silent) -> Path:
    """Where the file of weights lies, downloaded where it must be, its checksum held."""
    sha256, at = weights.sha256 or "", (*AT, "sha256")
    if weights.url:
        return _downloaded(Remote(weights.url, sha256, (*AT, "url"), at), report)
    path = folder / (weights.path or "")
    if not path.is_file():
        raise Refusal((*AT, "path"), f"there is no file `{path.name}` there")
    if sha256:
        check(path.name, sha256_of(path), sha256, at)
    return path


def _downloaded(remote: Remote, report: Report) -> Path:
    """The file of a URL in the user's cache, under its checksum."""
    folder = _cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob(f"{remote.sha256}*")):
        if sha256_of(path) == path.name:
            return path
    return download(remote, folder, report)


def _cache_folder() -> Path:
    """By https://specifications.freedesktop.org/basedir-spec, which ignores relative paths."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = given if given.is_absolute() else Path.home() / ".cache"
    return cache / "serving-generator" / "weights"


def _loaded(path: Path, name: str, at: Pointer) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a foreign file may raise anything
        message = f"{name} is no state_dict that loads safely: {first_line(error)}"
        raise Refusal(at, message, "save it with torch.save(module.state_dict(), ...)") from error
