"""What a command line names: a callable that builds a module, or an exported program."""

import os
from collections.abc import Mapping
from pathlib import Path

from generator.document import Pointer
from generator.export.refusal import Refusal
from generator.project import Model, Project, Weights

PROGRAMS = (".pt", ".pth", ".ts", ".torchscript")
SOURCE = "give file.py:callable, package.module:callable, or a TorchScript file"


def project_of(subject: str, arguments: Mapping[str, object], weights: str | None) -> Project:
    """A project whose model is only known by where it comes from; paths start here.

    Raises Refusal where there is no such file, or where it takes no arguments or weights.
    """
    where, _, name = subject.rpartition(":")
    if subject.endswith(PROGRAMS):
        if arguments or weights:
            message = "a program takes no --argument and no --weights: it holds its own"
            raise Refusal(("model", "program"), message)
        return _project(Model((), (), program=_file(subject, ("model", "program"))))
    if not where or not name:
        raise Refusal(("model", "source"), "names no callable", SOURCE)
    if where.endswith(".py"):
        where = _file(where, ("model", "source"))
    model = Model(
        inputs=(),
        outputs=(),
        source=f"{where}:{name}",
        arguments=dict(arguments),
        weights=Weights(path=_file(weights, ("model", "weights"))) if weights else None,
    )
    return _project(model)


def _project(model: Model) -> Project:
    return Project(name="inspected", target="", model=model, storage=None, folder=Path.cwd())


def _file(path: str, at: Pointer) -> str:
    """A file's path as a spec in this folder has it."""
    if not Path(path).is_file():
        raise Refusal(at, f"there is no file `{path}`")
    return Path(os.path.relpath(path)).as_posix()
