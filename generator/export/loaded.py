"""Load an exported program, whatever its format, as a function of tensors."""

import os
from collections.abc import Callable
from pathlib import Path

import torch

from generator.diagnostics import CannotRun
from generator.export.samples import Tensors

Run = Callable[[Tensors], Tensors]


def load_program(path: Path, export_format: str) -> Run:
    """The program of a file on the CPU: inputs in forward's order to outputs in theirs.

    Raises ValueError for a format without programs, CannotRun where its runtime is missing.
    """
    if export_format not in _LOADERS:
        raise ValueError(f"no loader for {export_format}")
    return _LOADERS[export_format](path)


def _torchscript(path: Path) -> Run:
    program = torch.jit.load(str(path), map_location="cpu")

    def run(inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            outputs = program(*inputs)
        return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)

    return run


def _onnx(path: Path) -> Run:
    # From 1.29 on it reports to Microsoft when it is imported, unless it is told not to:
    # https://github.com/microsoft/onnxruntime/pull/27379
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ModuleNotFoundError:
        hint = "install serving-generator with its extra `onnx`"
        raise CannotRun(f"an ONNX program needs onnxruntime: {hint}") from None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(inputs: Tensors) -> Tensors:
        arrays = [tensor.numpy() for tensor in inputs]
        outputs = session.run(None, dict(zip(names, arrays, strict=True)))
        return tuple(map(torch.from_numpy, outputs))

    return run


def _aot_inductor(path: Path) -> Run:
    # What Triton's backend calls. torch's own function around it warns on each newer CPU than the
    # one that the program was compiled for.
    loader = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1)

    def run(inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            # Machine code walks through memory as it lies.
            return tuple(loader.run([tensor.contiguous() for tensor in inputs]))

    return run


_LOADERS: dict[str, Callable[[Path], Run]] = {
    "torchscript": _torchscript,
    "onnx": _onnx,
    "aot_inductor": _aot_inductor,
}
