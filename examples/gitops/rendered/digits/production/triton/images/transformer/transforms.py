"""From an encoded image to the model's input, and from its output to the answer."""

import io
import json
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import Image

CLASS_NAMES: list[str] = json.loads(
    Path(__file__).with_name("class_names.json").read_text(encoding="utf-8")
)

MAX_PIXELS = 64_000_000  # of one image: a small file can claim to hold far more than memory does


class BadImage(ValueError):
    """An image that cannot be used; the message says why."""


class Entry(TypedDict):
    """One class of an answer."""

    class_name: str
    probability: float


def preprocess(encoded: bytes) -> np.ndarray:
    """Turn an encoded image into one sample of the model's input, float32 [1, 28, 28]."""
    image = decode(encoded, "L")
    image = resize(image, height=28, width=28, interpolation=Image.Resampling.BILINEAR)
    return to_tensor(image)


def postprocess(output: np.ndarray) -> list[Entry]:
    """Turn the model's output for one sample into its 3 best classes, best first."""
    scores = softmax(output)
    return [
        {"class_name": CLASS_NAMES[index], "probability": float(scores[index])}
        for index in top_k(scores, 3)
    ]


FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def decode(encoded: bytes, mode: str) -> Image.Image:
    """Open an encoded image in a colour mode; transparency and orientation tags are ignored."""
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            width, height = image.size
            if width * height <= MAX_PIXELS:
                return eight_bit(image).convert(mode)
    except Image.DecompressionBombError as error:
        raise BadImage(f"the image has far more than {MAX_PIXELS} pixels, the limit") from error
    except Exception as error:  # Pillow raises nearly anything on broken data
        raise BadImage("the image is broken or of an unknown format") from error
    raise BadImage(f"the image has {width} x {height} pixels, the limit is {MAX_PIXELS}")


def eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey values down to 8 bits, where Pillow would cut them off at 255."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def resize(
    image: Image.Image, height: int, width: int, interpolation: Image.Resampling
) -> Image.Image:
    """Scale an image to a height and a width, whatever its proportions."""
    return image.resize((width, height), interpolation)


def to_tensor(image: Image.Image) -> np.ndarray:
    """Turn an image into float32 [channels, height, width] between 0 and 1."""
    pixels = np.atleast_3d(np.asarray(image, dtype=np.uint8))  # a grey image has no channel axis
    return pixels.transpose(2, 0, 1).astype(np.float32) / 255


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn the scores of one sample into probabilities that sum to 1."""
    probabilities: np.ndarray = np.exp(scores.astype(np.float32) - np.float32(scores.max()))
    probabilities /= probabilities.sum()
    return probabilities


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Find the indices of the k best scores, best first."""
    return np.argsort(-scores.astype(np.float64), kind="stable")[:k]
