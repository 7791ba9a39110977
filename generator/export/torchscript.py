"""Turn a module into a TorchScript program."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from generator.export.program_graph import check_graph
from generator.export.refusal import Refusal, first_line
from generator.export.samples import sample_inputs
from generator.project import Project

SEED = 0


def export_torchscript(project: Project, module: torch.nn.Module) -> torch.jit.ScriptModule:
    """The program, in evaluation mode and bound to no device; raises Refusal where it cannot be.

    A trace is taken with batches of two. Transforms that run in the model are no part of this
    program: `embed` scripts them around it, whatever export.method made it with, for a trace has
    seen inputs of one size only.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return module
    program = _scripted(module) if project.export.method == "script" else _traced(project, module)
    check_graph(project, program)
    return program


def save(program: torch.jit.ScriptModule, path: Path) -> None:
    """Write the program; the same program gives the same bytes.

    What torch adds for its tracebacks is left out: it holds the paths of the user's sources. The
    file is made in memory: torch's writer ends the process where a disk is full.
    """
    whole, kept = io.BytesIO(), io.BytesIO()
    with _deprecation_known():
        torch.jit.save(program, whole)
    whole.seek(0)
    reader, writer = torch._C.PyTorchFileReader(whole), torch._C.PyTorchFileWriter(kept)
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in _WRITTEN_BY_ITSELF:
            content = reader.get_record(name)
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    path.write_bytes(kept.getbuffer())


_WRITTEN_BY_ITSELF = ("version", "byteorder", ".data/serialization_id")
"""Records that torch's writer of files adds to each."""


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


def _scripted(module: torch.nn.Module) -> torch.jit.ScriptModule:
    try:
        return scripted(module)
    except Exception as error:  # the compiler raises many kinds, all about the user's code
        message = f"the module cannot be scripted: {' '.join(str(error).split())[:300]}"
        raise Refusal(("export", "method"), message, "use method: trace") from error


def _traced(project: Project, module: torch.nn.Module) -> torch.jit.ScriptModule:
    inputs = sample_inputs(project, batch_size=2, seed=SEED)
    try:
        with _deprecation_known(), torch.inference_mode():
            return torch.jit.trace(module, inputs, check_trace=False)
    except (Exception, SystemExit) as error:  # the user's forward may raise anything
        message = f"the module cannot be traced: {first_line(error)}"
        raise Refusal(("export", "method"), message, "use method: script") from error


@contextlib.contextmanager
def _deprecation_known() -> Iterator[None]:
    """TorchScript is deprecated since torch 2.11, and is what Triton's libtorch backend loads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
