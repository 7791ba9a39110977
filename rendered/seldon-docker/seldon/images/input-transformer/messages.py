"""What a node of seldon-docker is sent, and what it answers.

One image: {"binData": "<base64 of the image>"}
Any number: {"jsonData": {"instances": [...]}}
    An instance: {"image_bytes": {"b64": "<base64>"}}
    Other fields of an instance are ignored.
The answer: {"binData": "<base64 of a tensor>", "meta": {"tags": {"dtype": ..., "shape": [...]}}}
The bytes of a tensor are little-endian, without gaps, the last dimension varying fastest.
Over gRPC binData is the bytes themselves.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.user_model import SeldonResponse

FIELD = "image_bytes"  # of an instance


class Refused(SeldonMicroserviceException):
    """A request that cannot be answered: status 400 over REST, an error with its text over gRPC."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status_code=400, reason="BAD_REQUEST")

    def __str__(self) -> str:
        return str(self.message)


def encoded_images(X: object) -> list[bytes]:
    """Read the images of a request, at least one; raises Refused."""
    if isinstance(X, bytes):
        if not X:
            raise Refused("binData is empty, or no base64")
        return [X]
    instances = X.get("instances") if isinstance(X, dict) else None
    if not isinstance(instances, list):
        raise Refused(f"send an image as binData, or instances with {FIELD}.b64 as jsonData")
    if not instances:
        raise Refused("the request has no instances")
    return [encoded_image(index, instance) for index, instance in enumerate(instances)]


def encoded_image(index: int, instance: object) -> bytes:
    """Find the image of one instance, counted from 0."""
    image = instance.get(FIELD) if isinstance(instance, dict) else None
    text = image.get("b64") if isinstance(image, dict) else None
    if not isinstance(text, str):
        raise Refused(f"instance {index} has no {FIELD}.b64")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(f"instance {index}: {FIELD}.b64 is no base64: {error}") from error


def of_each(images: list[bytes], make: Callable[[bytes], np.ndarray]) -> list[np.ndarray]:
    """Make a tensor of each image; among several, a refusal names the instance."""
    made: list[np.ndarray] = []
    for index, image in enumerate(images):
        try:
            made.append(make(image))
        except ValueError as error:
            place = f"instance {index}: " if len(images) > 1 else ""
            raise Refused(f"{place}{error}") from error
    return made


def joined(tensors: list[np.ndarray]) -> np.ndarray:
    """Put the tensors of all images into one, behind each other in a new first dimension."""
    return np.stack(tensors)


def tensor_message(tensor: np.ndarray) -> SeldonResponse:
    """Send a tensor as raw bytes: as JSON it would take many times as long."""
    tags = {"dtype": str(tensor.dtype), "shape": list(tensor.shape)}
    return SeldonResponse(tensor.tobytes(), tags=tags)
