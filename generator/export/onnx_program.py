"""Turn a module into an ONNX program: one file, whose tensors are called as in the spec."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from generator.diagnostics import CannotRun
from generator.document import Pointer
from generator.export.exported_program import TORCHSCRIPT, exported, quiet
from generator.export.refusal import Refusal, first_line
from generator.project import Project, Tensor

# Of ONNX 1.13, which ONNX Runtime reads from 1.14 on: Triton 23.03 has it. torch's exporter
# translates to this opset; the newer forms that it has are conversions of it.
OPSET, IR_VERSION = 18, 8
LARGEST_BYTES = 2_000_000_000  # protobuf reads no message of 2 GiB
LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
AT: Pointer = ("export", "format")


def export_onnx(project: Project, module: torch.nn.Module, path: Path) -> None:
    """Write the module as an ONNX file that holds its weights; the same bytes each time.

    Inputs and outputs have the names and the shapes of the spec. Raises Refusal where the module
    cannot be written in ONNX, CannotRun where a library is missing.
    """
    _check_libraries()
    _check_size(module)
    program = exported(project, module)
    try:
        with quiet(), torch.no_grad():
            made = torch.onnx.export(
                program,
                input_names=[tensor.name for tensor in project.model.inputs],
                output_names=[tensor.name for tensor in project.model.outputs],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        model = made.model_proto
    except Exception as error:  # an operator without translation is told in many ways
        message = f"the module cannot be written in ONNX: {_cause(error)}"
        raise Refusal(AT, message, TORCHSCRIPT) from error
    _tidy(model)
    _name_dimensions(model.graph.input, project.model.inputs)
    _name_dimensions(model.graph.output, project.model.outputs)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _check_libraries() -> None:
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        hint = "install serving-generator with its extra `onnx`"
        raise CannotRun(f"export.format: onnx needs {', '.join(missing)}: {hint}")


def _check_size(module: torch.nn.Module) -> None:
    size = sum(value.nbytes for value in module.state_dict().values())
    if size > LARGEST_BYTES:
        message = f"weights of {size / 1e9:.1f} GB do not fit into one ONNX file, which ends at 2"
        raise Refusal(AT, message, "use format: torchscript or aot_inductor")


def _cause(error: BaseException) -> str:
    """What has stopped the exporter, which wraps it in advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _tidy(model: Any) -> None:
    """Drop what no runtime reads: tracebacks with paths, and names that the exporter made up."""
    model.ir_version = IR_VERSION
    for message in (model, *_graphs(model.graph)):
        for field in ("doc_string", "metadata_props", "value_info"):
            if field in message.DESCRIPTOR.fields_by_name:
                message.ClearField(field)


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph with its tensors and nodes, and those of the graphs inside of nodes."""
    yield graph
    yield from (*graph.input, *graph.output, *graph.initializer)
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
                yield from _graphs(inner)


def _name_dimensions(values: Any, tensors: tuple[Tensor, ...]) -> None:
    """Give values the shapes of the spec: the exporter calls free dimensions s40."""
    for value, tensor in zip(values, tensors, strict=True):
        shape = value.type.tensor_type.shape
        shape.ClearField("dim")
        for size in tensor.shape:
            key = "dim_value" if isinstance(size, int) else "dim_param"
            shape.dim.add(**{key: size})
