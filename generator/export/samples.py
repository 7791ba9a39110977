"""Made-up inputs for a model: random ones, and those at the edges of what a caller may send."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from generator.diagnostics import CannotRun
from generator.project import Project, Tensor

FREE_SIZE = 64  # of a free dimension in sample inputs
STEP = 32  # to a size that no trace has seen; a network that halves sizes takes multiples only
ROUNDING = 8  # steps of a dtype between two inputs that a model should take for the same

Tensors = tuple[torch.Tensor, ...]

RANDOM = "random values"
VALUES = {
    RANDOM: (1.0, 0.0),
    "zeros": (0.0, 0.0),
    "ones": (0.0, 1.0),
    "large values": (1000.0, 0.0),
    "negative values": (-1.0, 0.0),
    "tiny values": (1e-6, 0.0),
}
"""What samples hold: random numbers of 0 to 1, times the first number, plus the second."""


@dataclass(frozen=True)
class Sample:
    """Inputs for one call, batches of one where the model batches; `words` say what they hold."""

    words: str
    inputs: Tensors


def sample_inputs(
    project: Project, *, batch_size: int, seed: int, sizes: Mapping[str, int] | None = None
) -> Tensors:
    """Random tensors of the spec's dtypes and shapes: 0 to 1, and whole numbers 0 or 1.

    0 and 1 are what every vocabulary and every integer type has. `sizes` are those of free
    dimensions by their letters, where they are not FREE_SIZE. Raises CannotRun where the memory
    does not suffice.
    """
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        _filled(tensor, RANDOM, _shape(tensor, batch_size, sizes or {}), generator)
        for tensor in project.model.inputs
    )


def edge_samples(project: Project, seed: int) -> Iterator[Sample]:
    """Samples that a model may refuse, the same for the same seed."""
    tensors = project.model.inputs
    for sizes in _other_sizes(tensors):
        listed = " and ".join(map(str, dict.fromkeys(sizes.values())))
        inputs = sample_inputs(project, batch_size=1, seed=seed, sizes=sizes)
        yield Sample(f"free dimensions of {listed}", inputs)
    generator = torch.Generator().manual_seed(seed)
    for words in VALUES:
        if words != RANDOM and any(_has(tensor, words) for tensor in tensors):
            shapes = ((tensor, _shape(tensor, 1, {})) for tensor in tensors)
            yield Sample(words, tuple(_filled(each, words, of, generator) for each, of in shapes))


def nearby(inputs: Tensors) -> Tensors:
    """The same inputs but for roundings of their largest value."""
    generator = torch.Generator().manual_seed(0)
    return tuple(_rounded(tensor, generator) for tensor in inputs)


def copied(inputs: Tensors) -> Tensors:
    """Inputs for one call: forward may write into those that it gets."""
    return tuple(tensor.clone() for tensor in inputs)


def batch_of(samples: Sequence[Tensors]) -> Tensors:
    """One batch of the inputs of batches of one; raises CannotRun like `sample_inputs`."""
    return tuple(map(_joined, zip(*samples, strict=True)))


@contextlib.contextmanager
def memory_for(shape: Sequence[int], dtype: torch.dtype) -> Iterator[None]:
    """Make a tensor of this shape; raises CannotRun where the memory does not suffice."""
    try:
        yield
    except RuntimeError as error:  # torch has no kind of its own for memory that is not the GPU's
        size = math.prod(shape) * dtype.itemsize
        message = f"a sample of shape {list(shape)} takes {size} bytes, more than there is memory"
        raise CannotRun(message) from error


def _joined(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    first = tensors[0]
    with memory_for([len(tensors), *first.shape[1:]], first.dtype):
        return torch.cat(tuple(tensors))


def _other_sizes(tensors: Sequence[Tensor]) -> Iterator[dict[str, int]]:
    """Sizes by the letters of free dimensions: first one for all, then one for each of several."""
    shapes = (tensor.sample_shape for tensor in tensors)
    letters = dict.fromkeys(size for shape in shapes for size in shape if isinstance(size, str))
    if letters:
        yield dict.fromkeys(letters, FREE_SIZE + STEP)
    if len(letters) > 1:
        yield {letter: FREE_SIZE + STEP * place for place, letter in enumerate(letters)}


def _shape(tensor: Tensor, batch_size: int, sizes: Mapping[str, int]) -> list[int]:
    free = [sizes.get(size, FREE_SIZE) if isinstance(size, str) else size for size in tensor.shape]
    return [batch_size, *free[1:]] if tensor.has_batch else free


def _has(tensor: Tensor, words: str) -> bool:
    """Whether a tensor can hold such values: whole numbers may be an index of any vocabulary."""
    if words in ("zeros", "ones") or tensor.dtype.startswith("float"):
        return True
    return words == "large values" and tensor.dtype == "uint8"


def _filled(
    tensor: Tensor, words: str, shape: list[int], generator: torch.Generator
) -> torch.Tensor:
    """A tensor of a spec's dtype; with random values where it cannot hold those of the words."""
    dtype = getattr(torch, tensor.dtype)
    factor, offset = VALUES[words if _has(tensor, words) else RANDOM]
    with memory_for(shape, dtype):
        if dtype.is_floating_point:
            return (factor * torch.rand(shape, generator=generator) + offset).to(dtype)
        if not factor:
            return torch.full(shape, int(offset)).to(dtype)
        most = 2 if factor == 1 else 256  # of uint8
        return torch.randint(most, shape, generator=generator).to(dtype)


def _rounded(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if not tensor.dtype.is_floating_point or not tensor.numel():
        return tensor
    step = ROUNDING * torch.finfo(tensor.dtype).eps * (float(tensor.abs().max()) or 1.0)
    return tensor + step * (2 * torch.rand(tensor.shape, generator=generator) - 1).to(tensor.dtype)
