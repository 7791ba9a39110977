"""What a preprocess pipeline makes of an encoded image, and where it cannot."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from generator.project import Dimension, Dtype, Step
from generator.transforms.mismatch import Complaint, Mismatch, placed
from generator.transforms.operations import (
    CenterCrop,
    Custom,
    Decode,
    Grayscale,
    Normalize,
    Pad,
    Preprocess,
    Produced,
    Rescale,
    ResizeShorterEdge,
    ResizeTo,
    ToTensor,
    read_preprocess,
)


class Value(Struct, frozen=True):
    """One sample between two steps.

    `encoded` is the bytes of an image file (no dtype, no shape); `image` is uint8
    [height, width, channels]; `tensor` is any other array. A letter in `shape` is a size
    that is known only when an image arrives.
    """

    kind: Literal["encoded", "image", "tensor"]
    dtype: Dtype | None = None
    shape: tuple[Dimension, ...] = ()
    shorter_edge: int | None = None
    """Pixels of the shorter side of an image whose sides are not known by themselves."""

    def __str__(self) -> str:
        if self.kind == "encoded":
            return "an encoded image"
        return f"{self.dtype} [{', '.join(str(size) for size in self.shape)}]"


class Flow(Struct, frozen=True):
    """What comes out of a preprocess pipeline; only to be trusted without mismatches."""

    value: Value
    mismatches: tuple[Mismatch, ...]


ENCODED = Value("encoded")
CHANNELS = {"RGB": 3, "L": 1}


def flow_preprocess(steps: tuple[Step, ...]) -> Flow:
    """Follow one encoded image through a preprocess pipeline.

    A step that cannot work where it stands is left out (a missing decode is imagined), so
    that one mistake is told once.
    """
    value = ENCODED
    mismatches: list[Mismatch] = []
    for index, step in enumerate(steps):
        later = tuple(following.operation for following in steps[index + 1 :])
        complaint = _misplaced(step.operation, value, later) or _incomplete(step)
        if complaint:
            mismatches.extend(placed("preprocess", index, [complaint]))
            value = _recovered(value, step.operation, later)
            continue
        operation = read_preprocess(step)
        mismatches.extend(placed("preprocess", index, _complaints(operation, value)))
        value = _after(operation, value)
    return Flow(value, tuple(mismatches))


def _recovered(value: Value, name: str, later: tuple[str, ...]) -> Value:
    """What to go on with behind a step that was left out."""
    if value.kind == "encoded" and "decode" not in later:
        return _image("C")
    if value.kind == "image" and name == "resize":
        return _image(value.shape[2])
    return value


IMAGE_OPERATIONS = frozenset({"resize", "center_crop", "pad", "grayscale", "to_tensor"})
TENSOR_OPERATIONS = frozenset({"rescale", "normalize"})


def _misplaced(name: str, value: Value, later: tuple[str, ...]) -> Complaint | None:
    """Say why an operation cannot take the value that arrives, if it cannot."""
    if name == "custom":
        return None
    if name == "decode":
        return _decode_misplaced(value)
    if value.kind == "encoded":
        if "decode" in later:
            return Complaint(f"{name} comes before decode", f"move decode before {name}")
        return Complaint(f"{name} comes without a decode", "put `decode: {mode: RGB}` first")
    if name in IMAGE_OPERATIONS and value.kind == "tensor":
        if name == "to_tensor":
            return Complaint(f"to_tensor needs an image, but gets {value}", "drop to_tensor")
        return Complaint(
            f"{name} needs an image, but gets {value}", f"move {name} before to_tensor"
        )
    if name in TENSOR_OPERATIONS and value.kind == "image":
        if "to_tensor" in later:
            return Complaint(f"{name} comes before to_tensor", f"move to_tensor before {name}")
        return Complaint(f"{name} comes without a to_tensor", f"put to_tensor before {name}")
    return None


def _decode_misplaced(value: Value) -> Complaint | None:
    if value.kind == "encoded":
        return None
    return Complaint(f"decode needs an encoded image, but gets {value}", "drop this decode")


def _incomplete(step: Step) -> Complaint | None:
    """Say which argument is missing, where a schema cannot."""
    if step.operation != "resize":
        return None
    given = [key for key in ("shorter_edge", "size") if key in step.arguments]
    if len(given) == 1:
        return None
    words = "both shorter_edge and size" if given else "neither shorter_edge nor size"
    return Complaint(
        f"resize has {words}", "write `shorter_edge: 256`, or `size: [224, 224]`", ("resize",)
    )


def _complaints(operation: Preprocess, value: Value) -> Iterator[Complaint]:
    match operation:
        case CenterCrop():
            yield from _crop_complaints(operation, value)
        case Rescale(scale=0):
            yield Complaint("rescale by 0 makes all pixels equal", keys=("rescale", "scale"))
        case Normalize():
            yield from _normalize_complaints(operation, value)
        case Custom(produces=None):
            yield Complaint(
                "custom in preprocess does not say what it produces",
                "add `produces: {dtype: float32, shape: [3, 224, 224]}`",
                ("custom",),
            )
        case Custom(produces=Produced(shape=("N", *_))):
            yield Complaint(
                "custom produces a batch dimension N, but works on one image",
                "drop N from the shape",
                ("custom", "produces", "shape"),
            )


def _crop_complaints(crop: CenterCrop, value: Value) -> Iterator[Complaint]:
    height, width = value.shape[:2]
    keys = ("center_crop", "size")
    hint = "resize to at least that size first, or pad before center_crop"
    for word, asked, there in (("height", crop.height, height), ("width", crop.width, width)):
        if isinstance(there, int) and asked > there:
            message = f"center_crop {word} {asked} exceeds the image's {there}"
            yield Complaint(message, hint, keys, "size")
    edge = value.shorter_edge
    if edge is not None and min(crop.height, crop.width) > edge:
        size = min(crop.height, crop.width)
        message = f"center_crop {size} exceeds the image's shorter edge {edge}"
        yield Complaint(message, hint, keys, "size")


def _normalize_complaints(normalize: Normalize, value: Value) -> Iterator[Complaint]:
    if value.dtype != "float32" or len(value.shape) != 3:
        yield Complaint(f"normalize needs float32 [channels, height, width], but gets {value}")
        return
    channels = value.shape[0]
    for word, numbers in (("mean", normalize.mean), ("std", normalize.std)):
        if isinstance(channels, int) and len(numbers) != channels:
            values = "value" if len(numbers) == 1 else "values"
            of = "channel" if channels == 1 else "channels"
            yield Complaint(
                f"normalize has {len(numbers)} {word} {values} for {channels} {of}",
                f"give {word} one value per channel",
                ("normalize", word),
                "channels",
            )
    if not isinstance(channels, int) and len(normalize.mean) != len(normalize.std):
        yield Complaint(
            f"normalize has {len(normalize.mean)} values in mean and {len(normalize.std)} in std",
            "give mean and std one value per channel",
            ("normalize", "std"),
            "mean",
        )
    if 0 in normalize.std:
        yield Complaint("normalize divides by a std of 0", "give std above 0", ("normalize", "std"))


def _after(operation: Preprocess, value: Value) -> Value:
    """What an operation makes of a value that it can take."""
    match operation:
        case Decode(mode):
            return _image(CHANNELS[mode])
        case ResizeTo(height, width) | CenterCrop(height, width):
            return _image(value.shape[2], height, width)
        case ResizeShorterEdge(edge):
            return _resized(edge, value)
        case Pad():
            return _padded(operation, value)
        case Grayscale(channels):
            return replace(value, shape=(*value.shape[:2], channels))
        case ToTensor():
            return Value("tensor", "float32", (value.shape[2], *value.shape[:2]))
        case Rescale():
            return replace(value, dtype="float32")
        case Normalize():
            return value
        case Custom(produces=produces):
            if produces is None:
                return Value("tensor", "float32", ("C", "H", "W"))
            return _custom_result(produces.dtype, produces.shape)


def _image(channels: Dimension, height: Dimension = "H", width: Dimension = "W") -> Value:
    return Value("image", "uint8", (height, width, channels))


def _resized(edge: int, value: Value) -> Value:
    height, width, channels = value.shape
    if isinstance(height, int) and isinstance(width, int):
        longer = int(edge * max(height, width) / min(height, width))
        size = (edge, longer) if height <= width else (longer, edge)
        return _image(channels, *size)
    return replace(_image(channels), shorter_edge=edge)


def _padded(pad: Pad, value: Value) -> Value:
    height, width, channels = value.shape
    rows, columns = pad.top + pad.bottom, pad.left + pad.right
    edge = value.shorter_edge
    return replace(
        _image(
            channels,
            height + rows if isinstance(height, int) else height,
            width + columns if isinstance(width, int) else width,
        ),
        shorter_edge=edge + rows if edge is not None and rows == columns else None,
    )


def _custom_result(dtype: Dtype, shape: tuple[Dimension, ...]) -> Value:
    if dtype == "uint8" and len(shape) == 3 and shape[2] in (1, 3):
        return Value("image", dtype, shape)
    return Value("tensor", dtype, shape)
