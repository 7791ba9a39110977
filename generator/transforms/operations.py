"""The operations of a pipeline as typed values, read from the steps of a spec.

Arguments come from a spec that its schema has accepted: anything else is a mistake of ours
and raises `TypeError` or `KeyError`.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Literal, cast

from msgspec import Struct

from generator.project import Dimension, Dtype, Step

Arguments = Mapping[str, object]
Interpolation = Literal["nearest", "bilinear", "bicubic"]


class Decode(Struct, frozen=True):
    """Open an encoded image: `RGB` has three channels, `L` (luminance) has one."""

    mode: Literal["RGB", "L"]


class ResizeShorterEdge(Struct, frozen=True):
    """Scale an image until its shorter side has this many pixels, keeping its proportions."""

    edge: int
    interpolation: Interpolation


class ResizeTo(Struct, frozen=True):
    """Scale an image to a height and width, whatever its proportions."""

    height: int
    width: int
    interpolation: Interpolation


class CenterCrop(Struct, frozen=True):
    """Cut the middle out of an image; a side that is too short is filled up with zeros."""

    height: int
    width: int


class Pad(Struct, frozen=True):
    """Put a border of one grey value around an image, in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    fill: int


class Grayscale(Struct, frozen=True):
    """Turn an image grey, leaving one channel or three equal ones."""

    channels: Literal[1, 3]


class ToTensor(Struct, frozen=True):
    """Turn a uint8 image [height, width, channels] into float32 [c, h, w] between 0 and 1."""


class Rescale(Struct, frozen=True):
    """Multiply a tensor by `scale`, then add `offset`."""

    scale: float
    offset: float


class Normalize(Struct, frozen=True):
    """Subtract the mean of each channel, then divide by its standard deviation."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Softmax(Struct, frozen=True):
    """Turn the scores of a sample into probabilities that sum to 1."""


class Sigmoid(Struct, frozen=True):
    """Turn each score into a probability of its own."""


class Argmax(Struct, frozen=True):
    """Keep the best class: a list of one entry."""


class TopK(Struct, frozen=True):
    """Keep the `k` best classes, best first."""

    k: int


class Threshold(Struct, frozen=True):
    """Keep the classes whose value is at least `limit`, best first."""

    limit: float


class ClassName(Struct, frozen=True):
    """Name the kept classes by `model.class_names` instead of counting them from 0."""


class Produced(Struct, frozen=True):
    """What a custom function says that it returns for one sample."""

    dtype: Dtype
    shape: tuple[Dimension, ...]


class Custom(Struct, frozen=True):
    """Call a user's function with what the steps before it made of one sample.

    In preprocess the function takes the encoded bytes when it stands first, a Pillow image
    while the value is an image, else an array; it refuses a sample by raising `ValueError`.
    `produces` of uint8 [height, width, 1 or 3] is an image: return a Pillow image (or an
    array, when `to_tensor` or nothing follows). Any other `produces` is an array.

    In postprocess the function takes the array of one sample, or the list of entries after
    argmax, top_k or threshold. With `produces` it returns an array that further steps may
    work on; without, it comes last and what it returns goes into the answer as JSON.
    """

    path: str
    function: str
    produces: Produced | None

    @property
    def file(self) -> str:
        """The name of the file, without its folders."""
        return PurePosixPath(self.path).name

    @property
    def module(self) -> str:
        return PurePosixPath(self.path).stem


Image = ResizeShorterEdge | ResizeTo | CenterCrop | Pad | Grayscale | ToTensor
Preprocess = Decode | Image | Rescale | Normalize | Custom
Postprocess = Softmax | Sigmoid | Argmax | TopK | Threshold | ClassName | Custom


def read_preprocess(step: Step) -> Preprocess:
    """The preprocess operation that a step asks for; raises `KeyError` for an unknown one."""
    return PREPROCESS[step.operation](step.arguments)


def read_postprocess(step: Step) -> Postprocess:
    """The postprocess operation that a step asks for; raises `KeyError` for an unknown one."""
    return POSTPROCESS[step.operation](step.arguments)


def _decode(arguments: Arguments) -> Decode:
    return Decode(cast(Literal["RGB", "L"], arguments.get("mode", "RGB")))


def _resize(arguments: Arguments) -> ResizeShorterEdge | ResizeTo:
    interpolation = cast(Interpolation, arguments.get("interpolation", "bilinear"))
    if "shorter_edge" in arguments:
        return ResizeShorterEdge(_integer(arguments["shorter_edge"]), interpolation)
    height, width = _sides(arguments["size"])
    return ResizeTo(height, width, interpolation)


def _center_crop(arguments: Arguments) -> CenterCrop:
    return CenterCrop(*_sides(arguments["size"]))


def _pad(arguments: Arguments) -> Pad:
    padding, fill = arguments["padding"], _integer(arguments.get("fill", 0))
    if isinstance(padding, int | float):
        side = _integer(padding)
        return Pad(side, side, side, side, fill)
    left, top, right, bottom = (_integer(side) for side in _sequence(padding))
    return Pad(left, top, right, bottom, fill)


def _grayscale(arguments: Arguments) -> Grayscale:
    return Grayscale(cast(Literal[1, 3], arguments.get("channels", 1)))


def _to_tensor(arguments: Arguments) -> ToTensor:
    return ToTensor()


def _rescale(arguments: Arguments) -> Rescale:
    return Rescale(_number(arguments["scale"]), _number(arguments.get("offset", 0)))


def _normalize(arguments: Arguments) -> Normalize:
    return Normalize(_numbers(arguments["mean"]), _numbers(arguments["std"]))


def _softmax(arguments: Arguments) -> Softmax:
    return Softmax()


def _sigmoid(arguments: Arguments) -> Sigmoid:
    return Sigmoid()


def _argmax(arguments: Arguments) -> Argmax:
    return Argmax()


def _top_k(arguments: Arguments) -> TopK:
    return TopK(_integer(arguments["top_k"]))


def _threshold(arguments: Arguments) -> Threshold:
    return Threshold(_number(arguments["threshold"]))


def _class_name(arguments: Arguments) -> ClassName:
    return ClassName()


def _custom(arguments: Arguments) -> Custom:
    path, _, function = str(arguments["function"]).rpartition(":")
    return Custom(path, function, _produced(arguments.get("produces")))


def _produced(produces: object) -> Produced | None:
    if produces is None:
        return None
    fields = cast(Arguments, produces)
    shape = cast("tuple[Dimension, ...]", tuple(_sequence(fields["shape"])))
    return Produced(cast(Dtype, fields["dtype"]), shape)


def _integer(value: object) -> int:
    number = _number(value)  # a JSON schema calls 3.0 a whole number too
    if not number.is_integer():
        raise TypeError(f"not a whole number: {value!r}")
    return int(number)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"not a number: {value!r}")
    return float(value)


def _numbers(value: object) -> tuple[float, ...]:
    return tuple(_number(item) for item in _sequence(value))


def _sides(value: object) -> tuple[int, int]:
    """A height and a width; one number stands for both."""
    if isinstance(value, int | float):
        return _integer(value), _integer(value)
    height, width = (_integer(side) for side in _sequence(value))
    return height, width


def _sequence(value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"not a list: {value!r}")
    return tuple(value)


PREPROCESS: Mapping[str, Callable[[Arguments], Preprocess]] = {
    "decode": _decode,
    "resize": _resize,
    "center_crop": _center_crop,
    "pad": _pad,
    "grayscale": _grayscale,
    "to_tensor": _to_tensor,
    "rescale": _rescale,
    "normalize": _normalize,
    "custom": _custom,
}
POSTPROCESS: Mapping[str, Callable[[Arguments], Postprocess]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "argmax": _argmax,
    "top_k": _top_k,
    "threshold": _threshold,
    "class_name": _class_name,
    "custom": _custom,
}
