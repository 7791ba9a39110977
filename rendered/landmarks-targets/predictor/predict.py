"""Ask the program of landmarks-targets about images: files in, classes with probabilities out.

python3 predict.py [--model standalone_model.pt] [--json] image.jpg ...

The program carries every step from decoding to the scores, and the names of the classes.
Exit status: 0 all answered, 1 an image could not be used, 2 nothing was tried.
"""

import argparse
import io
import json
import sys
import warnings
from pathlib import Path
from typing import TypedDict

from PIL import Image

with warnings.catch_warnings():
    # torch misses numpy aloud where it is not installed; nothing here needs it.
    warnings.filterwarnings("ignore", "Failed to initialize NumPy")
    import torch

MODEL = Path("standalone_model.pt")
MAX_PIXELS = 64_000_000  # of one image: a small file can claim to hold far more than memory does


class BadImage(ValueError):
    """An image that cannot be used; the message says why."""


class Entry(TypedDict):
    """One class of an answer."""

    class_name: str
    probability: float


def run(program: torch.jit.ScriptModule, path: Path) -> torch.Tensor:
    """Run the program on an image file; its output has no batch dimension."""
    try:
        image = pixels(decode(path.read_bytes(), "RGB"))
        with torch.inference_mode():
            return program(image)
    except OSError as error:
        raise BadImage(error.strerror) from error
    except (torch.jit.Error, RuntimeError) as error:
        _, is_refused, reason = str(error).rpartition("builtins.ValueError: ")
        if is_refused:
            raise BadImage(reason.strip()) from error
        last = "".join(str(error).strip().splitlines()[-1:])
        raise BadImage(f"the program fails on it: {last}") from error


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
        return image.convert("I").point(lambda grey: grey / 256).convert("L")
    return image


def pixels(image: Image.Image) -> torch.Tensor:
    """Make the program's input of an image: its pixels, uint8 [3, height, width]."""
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return values.reshape(image.height, image.width, 3).permute(2, 0, 1)


def classes(program: torch.jit.ScriptModule, output: torch.Tensor) -> list[Entry]:
    """Name the 3 best classes, best first."""
    scores = output.tolist()
    best_first = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    return [
        {"class_name": program.class_names[index], "probability": scores[index]}
        for index in best_first[:3]
    ]


def told(entries: list[Entry]) -> str:
    """The classes of an answer on one line."""
    texts = [f"{entry['class_name']} {entry['probability']:.3f}" for entry in entries]
    return ", ".join(texts)


def main() -> None:
    """Print the answer for each image, on one line each."""
    parser = argparse.ArgumentParser(description="Ask the program about images.")
    parser.add_argument("--model", type=Path, default=MODEL, help="the program (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each image")
    parser.add_argument("images", nargs="+", type=Path, metavar="image")
    args = parser.parse_args()
    # What Pillow says of metadata and transparency changes no pixel.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be any bytes
    try:
        program = torch.jit.load(args.model, map_location="cpu")
    except (OSError, RuntimeError, ValueError) as error:
        parser.error(f"{args.model} is no program that loads: {str(error).strip().splitlines()[0]}")
    if not hasattr(program, "class_names"):
        parser.error(f"{args.model} is a program without names of classes")
    status = 0
    for image in args.images:
        try:
            answer = classes(program, run(program, image))
        except ValueError as error:
            print(f"{parser.prog}: {image}: {error}", file=sys.stderr)
            status = 1
        else:
            text = json.dumps({"image": str(image), "answer": answer})
            print(text if args.json else f"{image}: {told(answer)}")
    sys.exit(status)


if __name__ == "__main__":
    main()
