"""The `model:` section of a spec, as text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from generator import schema, source
from generator.diagnostics import Rejected
from generator.export.inspection.naming import Signature
from generator.export.refusal import Refusal
from generator.problem import dotted
from generator.project import Model, Tensor
from generator.quoting import quote_yaml

SPEC = "spec_version: 1\nname: inspected\n"  # what makes a spec of the section


def section(model: Model, signature: Signature) -> str:
    """The section of a model with this signature; raises Refusal where a spec cannot say it."""
    text = "".join(f"{line}\n" for line in _lines(model, signature))
    try:
        document = source.load("model", SPEC + text, Path())
    except Rejected as rejected:
        raise Refusal(("model",), rejected.diagnostics[0].message) from None
    for problem in schema.problems(schema.project_schema(), document):
        raise Refusal(problem.pointer, f"{dotted(problem.pointer)}: {problem.message}")
    return text


def _lines(model: Model, signature: Signature) -> Iterator[str]:
    yield "model:"
    if model.program:
        yield f"  program: {quote_yaml(model.program)}"
    else:
        yield f"  source: {quote_yaml(model.source)}"
    if model.arguments:
        yield f"  arguments: {quote_yaml(model.arguments)}"
    if model.weights:
        yield f"  weights: {quote_yaml({'path': model.weights.path})}"
    if model.size:
        yield f"  size: {model.size}"
    yield from (f"  # {remark}" for remark in signature.remarks)
    yield from _tensors("inputs: ", signature.inputs)
    yield from _tensors("outputs:", signature.outputs)


def _tensors(key: str, tensors: Sequence[Tensor]) -> Iterator[str]:
    if len(tensors) == 1:
        yield f"  {key} [{_flow(tensors[0])}]"
        return
    yield f"  {key.rstrip()}"
    yield from (f"    - {_flow(tensor)}" for tensor in tensors)


def _flow(tensor: Tensor) -> str:
    """A tensor on one line; the letters of its shape are plain, as every spec here has them."""
    shape = ", ".join(map(str, tensor.shape))
    return f"{{name: {quote_yaml(tensor.name)}, dtype: {tensor.dtype}, shape: [{shape}]}}"
