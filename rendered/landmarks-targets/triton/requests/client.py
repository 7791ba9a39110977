"""Ask landmarks-targets about images: encoded images in, classes with probabilities out.

python3 client.py --url http://host:port [--host name] image.jpg ...
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from transforms import postprocess, preprocess

MODEL = "landmarks-targets"
INPUT = "INPUT__0"
OUTPUT = "OUTPUT__0"
LENGTH = "Inference-Header-Content-Length"  # of the JSON that precedes the tensors


def ask(url: str, host: str | None, tensor: np.ndarray) -> np.ndarray:
    """Send one tensor to the model and return its output, both as raw bytes."""
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": INPUT,
                    "shape": tensor.shape,
                    "datatype": "UINT8",
                    "parameters": {"binary_data_size": tensor.nbytes},
                }
            ],
            "outputs": [{"name": OUTPUT, "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"Content-Type": "application/octet-stream", LENGTH: str(len(head))}
    if host:
        headers["Host"] = host
    request = urllib.request.Request(
        f"{url}/v2/models/{MODEL}/infer", head + tensor.tobytes(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            body, length = response.read(), int(response.headers[LENGTH])
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{url}: {getattr(error, 'reason', error)}")
    [output] = json.loads(body[:length])["outputs"]
    return np.frombuffer(body[length:], np.float32).reshape(output["shape"])


def sample(image: Path) -> np.ndarray:
    """Give the pixels [channels, height, width] of an image file, or end with what is wrong."""
    try:
        return preprocess(image.read_bytes()).transpose(2, 0, 1)
    except OSError as error:
        sys.exit(f"{image}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{image}: {error}")


def main() -> None:
    """Print the answer for each image, one line of JSON each."""
    parser = argparse.ArgumentParser(description="Ask the model about images.")
    parser.add_argument("--url", required=True, help="http://host:port of the service")
    parser.add_argument("--host", help="name of the service, where an ingress routes by it")
    parser.add_argument("images", nargs="+", type=Path)
    args = parser.parse_args()
    for image in args.images:
        output = ask(args.url, args.host, sample(image))
        print(json.dumps(postprocess(output)))


if __name__ == "__main__":
    main()
