"""Golden pictures: soft patches of colour in the forms that cameras and programs write."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

ORIENTATION = 0x0112  # of EXIF; nobody here turns a picture by it
SIZES = ((300, 240), (61, 47), (233, 350), (64, 64), (127, 90), (41, 200))
"""Width and height where any will do."""


@dataclass(frozen=True)
class Picture:
    """An encoded image, and what it is, in a few words."""

    encoded: bytes
    described: str


def pictures(count: int, only_size: tuple[int, int] | None) -> Iterator[Picture]:
    """`count` pictures, the same each time; of one width and height where only that will do."""
    for seed in range(count):
        size = only_size or SIZES[seed % len(SIZES)]
        form = tuple(FORMS)[seed % len(FORMS)]
        yield Picture(_encoded(form, _painted(seed, size)), f"{form}, {size[0]} x {size[1]}")


def broken() -> Picture:
    """The beginning of a picture, which is to be refused."""
    whole = _encoded("colour PNG", _painted(0, (64, 64)))
    return Picture(whole[: len(whole) // 2], "half a PNG")


def _painted(seed: int, size: tuple[int, int]) -> Image.Image:
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def _encoded(form: str, picture: Image.Image) -> bytes:
    file = io.BytesIO()
    kind, mode = FORMS[form]
    if mode == "16 bits":
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        picture = Image.fromarray(grey)
    elif mode == "turned":
        turned = Image.Exif()
        turned[ORIENTATION] = 6
        picture.save(file, kind, exif=turned, quality=90)
        return file.getvalue()
    else:
        picture = picture.convert(mode)
    picture.save(file, kind)
    return file.getvalue()


FORMS = {
    "colour PNG": ("png", "RGB"),
    "JPEG": ("jpeg", "RGB"),
    "grey PNG": ("png", "L"),
    "transparent PNG": ("png", "RGBA"),
    "palette GIF": ("gif", "P"),
    "CMYK JPEG": ("jpeg", "CMYK"),
    "16-bit grey PNG": ("png", "16 bits"),
    "turned JPEG": ("jpeg", "turned"),
}
"""Pillow's format and mode of each form."""
