"""What clients of landmarks-targets send and get.

native: the image itself, as the body or as a form field
v1: {"instances": [{"image_bytes": {"b64": ...}}, ...]}
    Other fields of an instance are ignored.
v2: one BYTES tensor [N], its elements base64 text
The field and the tensor are named image_bytes.
The body says which it is, whatever the path; over gRPC the same bytes come under the key data.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from transforms import Entry, preprocess

FIELD = "image_bytes"
PLACES = ("body", "data", FIELD)  # TorchServe calls a whole body "body"; the others are fields
NO_IMAGE = f"there is no image: send it as the body, or as form field data or {FIELD}"


@dataclass(frozen=True)
class Request:
    """A request that can be answered: one sample of the model's input for each image."""

    protocol: Literal["native", "v1", "v2"]
    samples: list[np.ndarray]
    id: str | None = None


def read(row: Mapping[str, object]) -> Request:
    """Read one request as TorchServe hands it over; raises ValueError with what is wrong."""
    body = parsed(next((row[place] for place in PLACES if place in row), b""))
    if isinstance(body, (bytes, bytearray)):
        if not body:
            raise ValueError(f"{NO_IMAGE}; {JSON_NEEDS}")
        return Request("native", [sample(bytes(body))])
    if isinstance(body, dict):
        instances = body.get("instances")
        if isinstance(instances, list):
            images = [instance_image(index, each) for index, each in enumerate(instances)]
            return Request("v1", samples(images))
        texts = tensor_texts(body.get("inputs"))
        if texts is not None:
            return Request("v2", samples(texts), str(body["id"]) if body.get("id") else None)
    raise ValueError(f"this is neither v1 instances nor one v2 tensor, BYTES [N], named {FIELD}")


def tensor_texts(inputs: object) -> list[object] | None:
    """The texts of a v2 request's only tensor; None where it is another one."""
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        return None
    texts = inputs[0].get("data")
    wanted = {"name": FIELD, "datatype": "BYTES"}
    if not isinstance(texts, list) or inputs[0].get("shape") != [len(texts)]:
        return None
    return texts if wanted.items() <= inputs[0].items() else None


JSON_NEEDS = "JSON needs Content-Type: application/json (curl -d sends a form)"


def parsed(value: object) -> object:
    """Parse JSON that comes as bytes, as over gRPC; no image or .npy file begins with a brace."""
    if isinstance(value, str):  # of a content type text/...
        value = value.encode()
    if not isinstance(value, (bytes, bytearray)):
        return value
    if not value.lstrip().startswith(b"{"):
        return value
    try:
        body: object = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    return body


def instance_image(index: int, instance: object) -> object:
    """Find the image of one v1 instance."""
    image = instance.get(FIELD) if isinstance(instance, dict) else None
    if isinstance(image, dict) and "b64" in image:
        return image["b64"]
    raise ValueError(f"instance {index} has no {FIELD}.b64")


def samples(images: Sequence[object]) -> list[np.ndarray]:
    """Make a sample of each base64 text; a refusal names the instance, counted from 0."""
    if not images:
        raise ValueError("the request has no instances")
    made: list[np.ndarray] = []
    for index, image in enumerate(images):
        try:
            made.append(sample(decoded(image)))
        except ValueError as error:
            raise ValueError(f"instance {index}: {error}") from error
    return made


def decoded(image: object) -> bytes:
    """The bytes of an image in JSON."""
    if isinstance(image, str):
        return base64.b64decode(image, validate=True)
    raise ValueError("the image is not base64 text")


def sample(image: bytes) -> np.ndarray:
    """Make the program's input of one image: its pixels, uint8 [channels, height, width]."""
    return preprocess(image).transpose(2, 0, 1).copy()


def answer(
    request: Request, predictions: Sequence[list[Entry]], model: Mapping[str, str]
) -> object:
    """Answer in the protocol of the request, best class first."""
    if request.protocol == "native":
        return [{entry["class_name"]: entry["probability"]} for entry in predictions[0]]
    if request.protocol == "v1":
        return {"predictions": predictions}
    rows = predictions
    flat = [entry for entries in rows for entry in entries]
    shape = [len(rows), len(rows[0])]
    labels = [entry["class_name"] for entry in flat]
    values = [entry["probability"] for entry in flat]
    tensors = [
        v2_tensor("class_name", "BYTES", shape, labels),
        v2_tensor("probability", "FP32", shape, values),
    ]
    return v2_answer(request, tensors, model)


def v2_tensor(
    name: str, datatype: str, shape: Sequence[int], data: Sequence[object]
) -> dict[str, object]:
    """One tensor of a v2 answer."""
    return {"name": name, "datatype": datatype, "shape": list(shape), "data": list(data)}


def v2_answer(
    request: Request, outputs: Sequence[dict[str, object]], model: Mapping[str, str]
) -> dict[str, object]:
    """A v2 answer, under the id of its request."""
    own = {"id": request.id} if request.id else {}
    name, version = model["modelName"], model["modelVersion"]
    return {**own, "model_name": name, "model_version": version, "outputs": outputs}
