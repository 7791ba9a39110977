"""What a node of ranker is sent, and what it answers.

A tensor: {"binData": "<base64 of it>", "meta": {"tags": {"dtype": ..., "shape": [...]}}}
Its numbers: {"data": {"tensor": {"shape": [...], "values": [...]}}} or {"data": {"ndarray": [...]}}
    The answer is in the form of the request.
The bytes of a tensor are little-endian, without gaps, the last dimension varying fastest.
Over gRPC binData is the bytes themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.user_model import SeldonResponse

DTYPE = "float32"
SHAPE: tuple[int | str, ...] = ("N", 64)  # a letter is a size that is free


class Refused(SeldonMicroserviceException):
    """A request that cannot be answered: status 400 over REST, an error with its text over gRPC."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status_code=400, reason="BAD_REQUEST")

    def __str__(self) -> str:
        return str(self.message)


def tensor_of(X: object, meta: dict[str, object] | None) -> np.ndarray:
    """Read the tensor of a request; raises Refused."""
    dtype, shape = taken(meta, "dtype"), taken(meta, "shape")
    if isinstance(X, np.ndarray):
        return of_numbers(X, checked_dtype(dtype or DTYPE))
    if not isinstance(X, bytes):
        raise Refused("send a tensor as binData with the tags dtype and shape, or as data")
    if dtype is None or shape is None:
        raise Refused("a tensor in binData needs the tags dtype and shape")
    return of_bytes(X, checked_dtype(dtype), sizes(shape))


def taken(meta: dict[str, object] | None, name: str) -> object:
    """Take a tag out of a request: the wrapper copies those that are left to the answer."""
    tags = meta.get("tags") if meta else None
    return tags.pop(name, None) if isinstance(tags, dict) else None


def checked_dtype(dtype: object) -> str:
    """Hold the tag dtype against what is expected."""
    if dtype != DTYPE:
        raise Refused(f"tag dtype is {dtype}, not {DTYPE}")
    return DTYPE


def sizes(shape: object) -> list[int]:
    """Read the tag shape, whose numbers are floats when they come over gRPC."""
    if not isinstance(shape, list) or not all(map(is_size, shape)):
        raise Refused(f"tag shape is {shape}, no list of whole numbers from 1 on")
    return list(map(int, shape))


def is_size(size: object) -> bool:
    """Whether a number is whole, and at least 1."""
    return isinstance(size, (int, float)) and size >= 1 and size % 1 == 0


def of_bytes(data: bytes, dtype: str, shape: list[int]) -> np.ndarray:
    """Make a tensor of raw bytes."""
    check_shape(shape)
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != needed:
        raise Refused(f"binData has {len(data)} bytes, and {dtype} {shape} has {needed}")
    return np.frombuffer(bytearray(data), dtype).reshape(shape)  # a copy: torch wants to write


def of_numbers(numbers: np.ndarray, dtype: str) -> np.ndarray:
    """Make a tensor of numbers, without changing a value but for the rounding of floats."""
    check_shape(numbers.shape)
    if numbers.dtype.kind not in "biuf":
        raise Refused("data holds values that are no numbers, or lists of unequal length")
    with np.errstate(over="ignore", invalid="ignore"):
        tensor = numbers.astype(dtype)
    if tensor.dtype.kind != "f" and not np.array_equal(tensor, numbers):
        raise Refused(f"data holds values that are no {dtype}")
    return tensor


def check_shape(shape: Sequence[int]) -> None:
    """Hold the sizes of a tensor against what is expected."""
    if len(shape) != len(SHAPE) or not all(map(fits, SHAPE, shape)):
        expected = ", ".join(map(str, SHAPE))
        raise Refused(f"the tensor has shape {list(shape)}, not [{expected}]")


def fits(expected: int | str, size: int) -> bool:
    """Whether a size is the one that is expected, or any where a letter is."""
    return size > 0 if isinstance(expected, str) else size == expected


def tensor_message(tensor: np.ndarray) -> SeldonResponse:
    """Send a tensor as raw bytes: as JSON it would take many times as long."""
    tags = {"dtype": str(tensor.dtype), "shape": list(tensor.shape)}
    return SeldonResponse(tensor.tobytes(), tags=tags)
