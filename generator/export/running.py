"""Call a module, and tell what it does not take in the words of the spec."""

import re
import traceback
from itertools import permutations
from pathlib import Path

import torch

from generator.document import Pointer
from generator.export.refusal import Refusal, first_line
from generator.export.samples import Tensors, copied, sample_inputs
from generator.project import Project

DTYPES = ("float32", "int64", "float16", "float64", "uint8", "int32")
INPUTS: Pointer = ("model", "inputs")
TAKEN = "give the shapes that forward takes"
_GPU = re.compile(r"\bcuda\b|NVIDIA", re.IGNORECASE)


def code_at(project: Project) -> Pointer:
    """Where a spec says which code its model is."""
    return ("model", "program" if project.model.program else "source")


def is_torchs(path: Path) -> bool:
    """Whether a source file is torch's own, and none of the user's."""
    return path.is_relative_to(Path(torch.__file__).parent)


def run(module: torch.nn.Module, inputs: Tensors) -> Tensors:
    """The module's outputs as a tuple; raises Refusal where it does not take the inputs."""
    with torch.inference_mode():
        return _called(module, inputs)


def first_run(project: Project, module: torch.nn.Module, inputs: Tensors) -> Tensors:
    """`run`, with a hint which inputs would be taken; raises Refusal where these are not."""
    try:
        return run(module, inputs)
    except Refusal as refusal:
        if refusal.pointer != INPUTS:
            raise
        hint = _fitting(project, module) or _where_to_look(project)
        raise Refusal(INPUTS, refusal.message, hint) from refusal.__cause__


def _called(module: torch.nn.Module, inputs: Tensors) -> Tensors:
    try:
        outputs = module(*copied(inputs))
    except (Exception, SystemExit) as error:  # the user's forward may raise anything
        said = f"{first_line(error)}{_line_of(error)}"
        if isinstance(error, ImportError | SystemExit):
            raise _at_fault(error, said) from error
        if _GPU.search(first_line(error)):
            hint = "make every tensor on the device of an input, x.device, or register it as buffer"
            at: Pointer = ("model", "source")
            raise Refusal(at, f"the model asks for a GPU: {said}", hint) from error
        shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
        message = f"the model does not take inputs of shape {shapes}: {said}"
        raise Refusal(INPUTS, message, TAKEN) from error
    if isinstance(outputs, torch.Tensor):
        return (outputs,)
    if isinstance(outputs, tuple | list) and all(isinstance(o, torch.Tensor) for o in outputs):
        return tuple(outputs)
    message = f"the model returns {type(outputs).__name__}, which is no tensor or tuple of tensors"
    raise Refusal(("model", "outputs"), message, "wrap the module in one that returns tensors")


def _at_fault(error: BaseException, said: str) -> Refusal:
    """What no other input would change."""
    hint = "let forward raise an exception in its place"
    if isinstance(error, ImportError):
        hint = "import it at the top of the file: a spec's folder is only known while that is read"
    message = f"forward raises {type(error).__name__}: {said}"
    return Refusal(("model", "source"), message, hint)


def _line_of(error: BaseException) -> str:
    """The line of the user's code that raised, if it is one."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path == Path(__file__):
            return ""
        if path.suffix == ".py" and not is_torchs(path):
            return f" ({path.name} line {frame.lineno})"
    return ""


def _where_to_look(project: Project) -> str:
    """How to find what forward takes."""
    source = project.model.source
    return f"{TAKEN}; `gen inspect {source}` looks for them" if source else TAKEN


def _fitting(project: Project, module: torch.nn.Module) -> str | None:
    """What to write in place of an input that is not taken, if another dtype or order of sizes is.

    Of several inputs none is tried: too many could be meant.
    """
    [tensor, *others] = project.model.inputs
    if others:
        return None
    [given] = sample_inputs(project, batch_size=2, seed=0)
    first = 1 if tensor.has_batch else 0
    for dtype in DTYPES:
        if dtype != tensor.dtype and _is_taken(module, given.to(getattr(torch, dtype))):
            return f"write dtype: {dtype}"
    axes = range(first, given.dim())
    for order in permutations(axes) if len(axes) <= 4 else ():
        shape = (*tensor.shape[:first], *(tensor.shape[axis] for axis in order))
        if shape != tensor.shape and _is_taken(module, given.permute(*range(first), *order)):
            return f"write shape: [{', '.join(map(str, shape))}]"
    return None


def _is_taken(module: torch.nn.Module, tensor: torch.Tensor) -> bool:
    try:
        run(module, (tensor,))
    except Refusal:
        return False
    return True
