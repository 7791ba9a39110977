"""The transforms of specs/cifar10.yaml in torchvision, in place of the rendered ones."""

import io
import json
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from PIL import Image

# The index's torchvision is built for CUDA: beside a CPU torch its import asks for these two.
LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import transforms  # noqa: E402  # fails without them

CLASS_NAMES: list[str] = json.loads(
    Path(__file__).with_name("class_names.json").read_text(encoding="utf-8")
)
PREPARE = transforms.Compose(
    [
        transforms.Resize((32, 32)),
        transforms.ToTensor(),
        transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ]
)


class Entry(TypedDict):
    """One class of an answer."""

    class_name: str
    probability: float


def preprocess(encoded: bytes) -> np.ndarray:
    """Turn an encoded image into one sample of the model's input, float32 [3, 32, 32]."""
    try:
        image = Image.open(io.BytesIO(encoded)).convert("RGB")
    except OSError as error:
        raise ValueError("the image is broken or of an unknown format") from error
    return PREPARE(image).numpy()


def postprocess(output: np.ndarray) -> list[Entry]:
    """Turn the model's output for one sample into its 3 best classes, best first."""
    values, indices = torch.from_numpy(output.copy()).softmax(0).topk(3)
    return [
        {"class_name": CLASS_NAMES[index], "probability": value}
        for value, index in zip(values.tolist(), indices.tolist(), strict=True)
    ]
