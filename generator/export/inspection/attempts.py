"""Run a module with tensors of given shapes, within limits, and note what it answers."""

import math
import re
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from generator.document import Pointer
from generator.export.refusal import Refusal
from generator.export.samples import memory_for
from generator.project import Dtype

Shapes = tuple[tuple[int, ...], ...]
"""A shape for each tensor."""

SEED = 0
MAX_ATTEMPTS = 600
MAX_SECONDS = 300.0
MAX_VALUES = 1 << 23  # of inputs whose size is looked for: more take memory and tell no more
OUTPUTS: Pointer = ("model", "outputs")
# What torch 2.4 to 2.13 say of a linear layer's input, rows x features, and of a view.
FEATURES = re.compile(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
VIEW = re.compile(r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)")

Report = Callable[[str], None]  # receives what is being tried


@dataclass(frozen=True)
class Answer:
    """What a module answers to inputs of some shapes.

    `names` are those of a named tuple. `sums_to_one`: an output's last dimension holds
    probabilities.
    """

    shapes: Shapes
    dtypes: tuple[str, ...]
    names: tuple[str, ...] | None
    sums_to_one: tuple[bool, ...]


@dataclass(frozen=True)
class Failure:
    """What a module says that does not take inputs.

    `features` are how many numbers it made of the inputs and how many a step of it takes, where
    that is the reason.
    """

    said: str
    features: tuple[int, int] | None = None


class OutOfAttempts(Exception):
    """The limit of attempts or of time is reached; says which."""


@dataclass
class Attempts:
    """A module that is tried with many shapes; the same shapes are tried once.

    `max_values` are numbers of all inputs of an attempt.
    """

    module: torch.nn.Module
    report: Report
    max_values: int = MAX_VALUES
    count: int = 0
    began: float = field(default_factory=time.monotonic)
    _known: dict[tuple[tuple[Dtype, ...], Shapes], Answer | Failure] = field(default_factory=dict)

    def answer(self, dtypes: tuple[Dtype, ...], shapes: Shapes) -> Answer | Failure:
        """What the module answers; raises Refusal where a server could not, OutOfAttempts."""
        key = (dtypes, shapes)
        if key not in self._known:
            self._known[key] = self._tried(dtypes, shapes)
        return self._known[key]

    def are_too_large(self, shapes: Shapes) -> bool:
        """Whether tensors of these shapes would take too much memory."""
        return sum(map(math.prod, shapes)) > self.max_values

    def _tried(self, dtypes: tuple[Dtype, ...], shapes: Shapes) -> Answer | Failure:
        if self.are_too_large(shapes):
            return Failure(f"gen inspect tries no more than {self.max_values} numbers")
        if self.count >= MAX_ATTEMPTS:
            raise OutOfAttempts(f"{MAX_ATTEMPTS} attempts")
        if self.count and time.monotonic() - self.began > MAX_SECONDS:
            raise OutOfAttempts(f"{MAX_SECONDS:g} s")
        self.count += 1
        listed = " and ".join(str(list(shape)) for shape in shapes)
        self.report(f"trying shapes: {self.count} of at most {MAX_ATTEMPTS}, {listed}")
        inputs = _inputs(dtypes, shapes)
        try:
            with torch.inference_mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outputs = self.module(*inputs)
        except (Exception, SystemExit) as error:  # the user's forward may raise anything
            return _failure(error, batch=shapes[0][0] if shapes[0] else 1)
        return _answer(outputs)


def _inputs(dtypes: Sequence[Dtype], shapes: Shapes) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(SEED)
    return [_random(dtype, shape, generator) for dtype, shape in zip(dtypes, shapes, strict=True)]


def _random(dtype: Dtype, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    kind = getattr(torch, dtype)
    with memory_for(shape, kind):
        if kind.is_floating_point:
            return torch.rand(shape, generator=generator).to(kind)
        return torch.randint(2, shape, generator=generator).to(kind)  # every vocabulary has these


def _failure(error: BaseException, *, batch: int) -> Failure:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A program's traceback comes before what went wrong.
    said = lines[-1 if isinstance(error, torch.jit.Error) else 0] if lines else type(error).__name__
    if features := FEATURES.search(str(error)):
        return Failure(said, (int(features[1]), int(features[2])))
    if view := VIEW.search(str(error)):
        sizes = [batch if size == "-1" else int(size) for size in view[1].split(", ")]
        return Failure(said, (int(view[2]), math.prod(sizes)))
    return Failure(said)


def _answer(outputs: object) -> Answer:
    tensors = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
    if not isinstance(tensors, tuple | list) or not tensors:
        raise _not_tensors(f"the model returns {_kind(outputs)}")
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, torch.Tensor):
            raise _not_tensors(f"item {position} of what the model returns is {_kind(tensor)}")
    return Answer(
        shapes=tuple(tuple(tensor.shape) for tensor in tensors),
        dtypes=tuple(str(tensor.dtype).removeprefix("torch.") for tensor in tensors),
        names=getattr(tensors, "_fields", None),
        sums_to_one=tuple(map(_sums_to_one, tensors)),
    )


def _not_tensors(message: str) -> Refusal:
    hint = "servers answer with tensors: wrap the module in one that returns a tensor or a tuple"
    return Refusal(OUTPUTS, message, hint)


def _kind(value: object) -> str:
    is_empty = isinstance(value, tuple | list) and not value
    return "nothing" if value is None or is_empty else f"a {type(value).__name__}"


def _sums_to_one(tensor: torch.Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.shape or tensor.shape[-1] < 2:
        return False
    sums = tensor.double().sum(-1)
    return bool((tensor >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
