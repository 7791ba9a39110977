"""Guess what an input looks like from the layers that read it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import cast

import torch

from generator.export.inspection.readers import Reader, readers
from generator.project import Dimension, Dtype

NEAREST = 4  # of the layers that read an input, how many are asked

Shape = tuple[Dimension, ...]


@dataclass(frozen=True)
class Guess:
    """What an input may be: a letter is a size that is to be found, a leading N the batch.

    `remark` says what the guess rests on, where no layer asks for exactly this; `is_given`: the
    user has said so.
    """

    dtype: Dtype
    shape: Shape
    remark: str = ""
    is_given: bool = False


_NOTHING_KNOWN = "a guess: no layer says what this input is, and forward takes this"
WITHOUT_A_LAYER = (
    Guess("float32", ("N", "L"), _NOTHING_KNOWN),
    Guess("float32", ("N", 3, "H", "W"), _NOTHING_KNOWN),
    Guess("float32", ("N", 1, "H", "W"), _NOTHING_KNOWN),
    Guess("float32", ("N", "L", "D"), _NOTHING_KNOWN),
    Guess("int64", ("N", "L"), _NOTHING_KNOWN),
    Guess("bool", ("N", "L"), _NOTHING_KNOWN),
    Guess("int64", ("N",), _NOTHING_KNOWN),
    Guess("float32", ("N",), _NOTHING_KNOWN),
)


def guesses(
    module: torch.nn.Module, names: Sequence[str], defaults: Mapping[str, object]
) -> dict[str, tuple[Guess, ...]]:
    """What each of these arguments of forward may be, the likeliest first.

    `defaults` are those of the arguments that are left out.
    """
    found = readers(module, names, defaults, set(_FORMS))
    return {name: _of_readers(nearest[:NEAREST]) for name, nearest in found.items()}


def _of_readers(nearest: Sequence[Reader]) -> tuple[Guess, ...]:
    told = [guess for reader in nearest for guess in _of_reader(reader)]
    return tuple(dict.fromkeys(told)) or WITHOUT_A_LAYER


def _of_reader(reader: Reader) -> list[Guess]:
    form = _FORMS[reader.kind]
    tensor = _tensor(reader.layer, form.tensor)
    if tensor is None:
        return []
    dtype = form.dtype or cast(Dtype, str(tensor.dtype).removeprefix("torch."))
    images = _flattened(tensor.shape[1]) if reader.flattens and reader.kind == "Linear" else []
    return images + [Guess(dtype, shape) for shape in form.shapes(tensor.shape, reader.layer)]


def _tensor(layer: torch.nn.Module, name: str) -> torch.Tensor | None:
    """A tensor of a layer, unless it was built without."""
    try:
        found: torch.Tensor | None = attrgetter(name)(layer)
    except AttributeError:
        return None
    return found


def _flattened(features: int) -> list[Guess]:
    """The square images, grey or in colour, that have this many numbers."""
    sides = {channels: round((features / channels) ** 0.5) for channels in (1, 3)}
    remark = f"a guess: forward makes {features} numbers of it, and this image has as many"
    return [
        Guess("float32", ("N", channels, side, side), remark)
        for channels, side in sides.items()
        if side > 1 and channels * side * side == features
    ]


@dataclass(frozen=True)
class _Form:
    """How a layer's input follows from the sizes of one of its tensors."""

    tensor: str
    shapes: Callable[[Sequence[int], torch.nn.Module], list[Shape]]
    dtype: Dtype | None = None  # the tensor's


def _convolution(*sizes: str) -> _Form:
    # A traced layer has forgotten its groups; the first one of a model rarely has any.
    return _Form(
        "weight", lambda size, layer: [("N", size[1] * getattr(layer, "groups", 1), *sizes)]
    )


def _transposed(*sizes: str) -> _Form:
    return _Form("weight", lambda size, layer: [("N", size[0], *sizes)])


def _normalization(*sizes: str) -> _Form:
    return _Form("running_mean", lambda size, layer: [("N", size[0], *sizes)])


def _sequence(tensor: str, dimension: int) -> _Form:
    return _Form(tensor, lambda size, layer: [_steps(size[dimension], layer)])


def _steps(features: int, layer: torch.nn.Module) -> Shape:
    """Steps behind or before the batch; a traced layer has forgotten which."""
    batch_first = getattr(layer, "batch_first", True)
    return ("N", "L", features) if batch_first else ("L", "B", features)


_FORMS = {
    "Conv1d": _convolution("L"),
    "Conv2d": _convolution("H", "W"),
    "Conv3d": _convolution("D", "H", "W"),
    "ConvTranspose1d": _transposed("L"),
    "ConvTranspose2d": _transposed("H", "W"),
    "ConvTranspose3d": _transposed("D", "H", "W"),
    "BatchNorm1d": _Form("running_mean", lambda size, _: [("N", size[0]), ("N", size[0], "L")]),
    "BatchNorm2d": _normalization("H", "W"),
    "BatchNorm3d": _normalization("D", "H", "W"),
    "LayerNorm": _Form("weight", lambda size, _: [("N", *size), ("N", "L", *size)]),
    "Linear": _Form("weight", lambda size, _: [("N", size[1]), ("N", "L", size[1])]),
    "Embedding": _Form("weight", lambda *_: [("N", "L"), ("N",)], "int64"),
    "EmbeddingBag": _Form("weight", lambda *_: [("N", "L")], "int64"),
    "RNN": _sequence("weight_ih_l0", 1),
    "LSTM": _sequence("weight_ih_l0", 1),
    "GRU": _sequence("weight_ih_l0", 1),
    "MultiheadAttention": _sequence("out_proj.weight", 0),
}
"""By the name of a layer's class in torch.nn."""
