"""Follow a module with torch.export, which other formats than TorchScript are made from."""

import contextlib
import warnings
from collections.abc import Iterator

import torch

from generator.diagnostics import CannotRun
from generator.export.refusal import Refusal, first_line
from generator.export.samples import sample_inputs
from generator.project import Project

SEED = 0
TORCHSCRIPT = "use format: torchscript"


def exported(project: Project, module: torch.nn.Module) -> torch.export.ExportedProgram:
    """The program of one call with a batch of two, for any batch and any free size.

    Raises Refusal where the module cannot be followed, or holds for some sizes only, CannotRun
    where torch is too old.
    """
    _check_torch(project)
    inputs = sample_inputs(project, batch_size=2, seed=SEED)
    shapes = torch.export.ShapesCollection()
    for tensor, value in zip(project.model.inputs, inputs, strict=True):
        free = [index for index, size in enumerate(tensor.shape) if isinstance(size, str)]
        shapes[value] = dict.fromkeys(free, torch.export.Dim.DYNAMIC)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(module, inputs, dynamic_shapes=shapes)
    except (
        Exception,
        SystemExit,
    ) as error:  # the user's forward may raise anything, and so may the follower
        message = f"torch.export cannot follow the module: {first_line(error)}"
        hint = TORCHSCRIPT
        if "specialized" in str(error):
            message = "forward computes with one size of a dimension that the spec leaves free"
            hint = f"give sizes in place of letters, or {TORCHSCRIPT}"
        raise Refusal(("export", "format"), message, hint) from error


def _check_torch(project: Project) -> None:
    if not (hasattr(torch.export, "ShapesCollection") and hasattr(torch.export.Dim, "DYNAMIC")):
        message = f"export.format: {project.export.format} needs torch 2.6 or later"
        raise CannotRun(f"{message}, and this is {torch.__version__}: pip install torch==2.13.0")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what torch says of its own inner calls."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", category=category)
        yield
