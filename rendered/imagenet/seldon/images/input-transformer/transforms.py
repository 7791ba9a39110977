"""From an encoded image to the model's input."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

MAX_PIXELS = 64_000_000  # of one image: a small file can claim to hold far more than memory does


class BadImage(ValueError):
    """An image that cannot be used; the message says why."""


def preprocess(encoded: bytes) -> np.ndarray:
    """Turn an encoded image into one sample of the model's input, float32 [3, 224, 224]."""
    image = decode(encoded, "RGB")
    image = resize_shorter_edge(image, 255, Image.Resampling.BILINEAR)
    image = center_crop(image, height=224, width=224)
    tensor = to_tensor(image)
    return normalize(tensor, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


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


def resize_shorter_edge(
    image: Image.Image, edge: int, interpolation: Image.Resampling
) -> Image.Image:
    """Scale an image until its shorter side has `edge` pixels, keeping its proportions."""
    longer = int(edge * max(image.size) / min(image.size))
    if edge * longer > MAX_PIXELS:
        raise BadImage(f"the image is too long and thin: {image.width} x {image.height} pixels")
    size = (edge, longer) if image.width <= image.height else (longer, edge)
    return image.resize(size, interpolation)


def center_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    """Cut the middle out of an image, filling up with zeros where it is too small."""
    left, top = margin(image.width, width), margin(image.height, height)
    return image.crop((left, top, left + width, top + height))


def margin(length: int, wanted: int) -> int:
    """Where the middle starts; negative where there is less than wanted."""
    if wanted > length:
        return -((wanted - length) // 2)
    return round((length - wanted) / 2)


def to_tensor(image: Image.Image) -> np.ndarray:
    """Turn an image into float32 [channels, height, width] between 0 and 1."""
    pixels = np.atleast_3d(np.asarray(image, dtype=np.uint8))  # a grey image has no channel axis
    return pixels.transpose(2, 0, 1).astype(np.float32) / 255


def normalize(tensor: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """Subtract the mean of each channel, then divide by its standard deviation."""
    per_channel = (-1, 1, 1)
    centred = tensor - np.array(mean, dtype=np.float32).reshape(per_channel)
    return centred / np.array(std, dtype=np.float32).reshape(per_channel)
