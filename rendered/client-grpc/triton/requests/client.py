"""Ask client-grpc about images: encoded images in, classes with probabilities out.

python3 client.py --address host:port [--authority name] image.jpg ...
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

from transforms import postprocess, preprocess

MODEL = "cifar10_grpc"
INPUT = "image"
OUTPUT = "OUTPUT__0"


def ask(address: str, authority: str | None, tensor: np.ndarray) -> np.ndarray:
    """Send one tensor to the model and return its output."""
    options = [("grpc.default_authority", authority)] if authority else []
    sent = triton.InferInput(INPUT, list(tensor.shape), "FP32")
    sent.set_data_from_numpy(tensor)
    try:
        with triton.InferenceServerClient(address, channel_args=options) as client:
            output: np.ndarray = client.infer(MODEL, [sent]).as_numpy(OUTPUT)
    except triton.InferenceServerException as error:
        sys.exit(f"{address}: {error}")
    return output


def sample(image: Path) -> np.ndarray:
    """Make the model's input of an image file, or end the program with what is wrong with it."""
    try:
        return preprocess(image.read_bytes())
    except OSError as error:
        sys.exit(f"{image}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{image}: {error}")


def main() -> None:
    """Print the answer for each image, one line of JSON each."""
    parser = argparse.ArgumentParser(description="Ask the model about images.")
    parser.add_argument("--address", required=True, help="host:port of the service")
    parser.add_argument("--authority", help="name of the service, where an ingress routes by it")
    parser.add_argument("images", nargs="+", type=Path)
    args = parser.parse_args()
    for image in args.images:
        [output] = ask(args.address, args.authority, sample(image)[np.newaxis])
        print(json.dumps(postprocess(output)))


if __name__ == "__main__":
    main()
