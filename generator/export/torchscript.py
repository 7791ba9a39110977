"""Turn a module into a TorchScript program and hold it against the spec's signature."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from generator.export.refusal import Refusal
from generator.project import Project, Tensor

FREE_SIZE = 64  # of a free dimension in sample inputs
SEED = 0


def export_torchscript(project: Project, module: torch.nn.Module) -> torch.jit.ScriptModule:
    """The program, in evaluation mode; raises Refusal where it differs from the spec.

    A trace is taken with batches of two, and held against the eager module with other values
    and, where the model has a batch dimension, with batches of one and three. Transforms that
    run in the model are no part of this program: `embed` scripts them around it, whatever
    export.method made it with, for a trace has seen inputs of one size only.
    """
    program = _program(project, module)
    sizes = (1, 3) if project.model.inputs[0].has_batch else (1,)
    for seed, size in enumerate(sizes, start=SEED + 1):
        inputs = sample_inputs(project, batch_size=size, seed=seed)
        expected = run(module, inputs)
        _compare_signature(project, expected, size)
        for index, (want, got) in enumerate(zip(expected, run(program, inputs), strict=True)):
            if not answers_like(got, want):
                name = project.model.outputs[index].name
                message = f"the {project.export.method}d program answers otherwise in `{name}`"
                hint = "a trace follows one path: use method: script, or take the branches out"
                raise Refusal(("export", "method"), message, hint)
    return program


def save(program: torch.jit.ScriptModule, path: Path) -> None:
    """Write the program; the same program gives the same bytes under the same file stem.

    What torch adds for its tracebacks is left out: it holds the paths of the user's sources.
    """
    whole = io.BytesIO()
    with _deprecation_known():
        torch.jit.save(program, whole)
    whole.seek(0)
    reader, writer = torch._C.PyTorchFileReader(whole), torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in _WRITTEN_BY_ITSELF:
            content = reader.get_record(name)
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()


_WRITTEN_BY_ITSELF = ("version", "byteorder", ".data/serialization_id")
"""Records that torch's writer of files adds to each."""


def sample_inputs(project: Project, *, batch_size: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Random tensors of the spec's dtypes and shapes; a free dimension gets FREE_SIZE."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(_sample(tensor, batch_size, generator) for tensor in project.model.inputs)


def run(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The module's outputs as a tuple; raises Refusal where it does not take the inputs."""
    try:
        with torch.inference_mode():
            outputs = module(*inputs)
    except Exception as error:  # the user's forward may raise anything
        shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        message = f"the model does not take inputs of shape {shapes}: {lines[0]}"
        raise Refusal(("model", "inputs"), message, "give the shapes that forward takes") from error
    if isinstance(outputs, torch.Tensor):
        return (outputs,)
    if isinstance(outputs, tuple | list) and all(isinstance(o, torch.Tensor) for o in outputs):
        return tuple(outputs)
    message = f"the model returns {type(outputs).__name__}, which is no tensor or tuple of tensors"
    raise Refusal(("model", "outputs"), message, "wrap the module in one that returns tensors")


def scripted(module: torch.nn.Module) -> torch.jit.ScriptModule:
    """The module compiled from its source; raises what the compiler raises."""
    with _deprecation_known():
        return torch.jit.script(module)


@contextlib.contextmanager
def own_types() -> Iterator[None]:
    """Keep the types of programs apart from those of earlier ones in this process.

    A program names its types, and a name that is taken gets a number: without this, its bytes
    would tell what was exported before it. A scripted type lists its constants in the order of a
    set, which is another one in each process. The names are those of torch 2.4 to 2.13.
    """
    former = torch.jit._state._python_cu
    torch.jit._state._python_cu = torch._C.CompilationUnit()
    torch.jit._recursive.set = _SortedSet
    _forget_types()
    try:
        yield
    finally:
        del torch.jit._recursive.set  # Python's own is seen again
        torch.jit._state._python_cu = former
        _forget_types()


class _SortedSet(set[str]):
    """A set of names that is walked through in one order."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__()))


def _forget_types() -> None:
    torch.jit._state._clear_class_state()
    torch.jit._state._jit_caching_layer.clear()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()


def answers_like(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether a program's output is the module's, but for the order of float32 operations."""
    return bool(torch.allclose(wanted, got, rtol=1e-4, atol=1e-5, equal_nan=True))


def _program(project: Project, module: torch.nn.Module) -> torch.jit.ScriptModule:
    if isinstance(module, torch.jit.ScriptModule):
        return module
    if project.export.method == "script":
        try:
            return scripted(module)
        except Exception as error:  # the compiler raises many kinds, all about the user's code
            message = f"the module cannot be scripted: {' '.join(str(error).split())[:300]}"
            raise Refusal(("export", "method"), message, "use method: trace") from error
    inputs = sample_inputs(project, batch_size=2, seed=SEED)
    run(module, inputs)
    with _deprecation_known(), torch.inference_mode():
        return torch.jit.trace(module, inputs, check_trace=False)


def _sample(tensor: Tensor, batch_size: int, generator: torch.Generator) -> torch.Tensor:
    shape = [size if isinstance(size, int) else FREE_SIZE for size in tensor.shape]
    if tensor.has_batch:
        shape[0] = batch_size
    dtype = getattr(torch, tensor.dtype)
    if dtype.is_floating_point:
        return torch.rand(shape, generator=generator).to(dtype)
    # 0 and 1, which every vocabulary and every integer type has.
    return torch.randint(2, shape, generator=generator).to(dtype)


def _compare_signature(project: Project, outputs: tuple[torch.Tensor, ...], batch: int) -> None:
    wanted = project.model.outputs
    if len(outputs) != len(wanted):
        message = f"the model returns {len(outputs)} tensors, and the spec names {len(wanted)}"
        raise Refusal(("model", "outputs"), message, "name every output, in forward's order")
    for index, (tensor, output) in enumerate(zip(wanted, outputs, strict=True)):
        dtype = str(output.dtype).removeprefix("torch.")
        if dtype != tensor.dtype:
            message = f"output `{tensor.name}` is {dtype} in the model"
            raise Refusal(("model", "outputs", index, "dtype"), message, f"write dtype: {dtype}")
        shape = ["N" if i == 0 and tensor.has_batch else n for i, n in enumerate(output.shape)]
        if not _fits(tensor, tuple(output.shape), batch):
            found = list(output.shape)
            message = f"output `{tensor.name}` has shape {found} for batches of {batch}"
            hint = f"write shape: [{', '.join(map(str, shape))}]"
            raise Refusal(("model", "outputs", index, "shape"), message, hint)


def _fits(tensor: Tensor, shape: tuple[int, ...], batch: int) -> bool:
    wanted = (batch, *tensor.sample_shape) if tensor.has_batch else tensor.shape
    return len(wanted) == len(shape) and all(
        isinstance(want, str) or want == size for want, size in zip(wanted, shape, strict=True)
    )


@contextlib.contextmanager
def _deprecation_known() -> Iterator[None]:
    """TorchScript is deprecated since torch 2.11, and is what Triton's libtorch backend loads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
