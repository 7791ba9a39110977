"""Ask seldon-triton about images: encoded images in, classes with probabilities out.

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

MODEL = "seldon-triton"
INPUT = "INPUT__0"
OUTPUT = "OUTPUT__0"


def ask(url: str, host: str | None, tensor: np.ndarray) -> np.ndarray:
    """Send one tensor to the model and return its output, both as JSON: the door reads no other."""
    sent = {
        "name": INPUT,
        "shape": tensor.shape,
        "datatype": "FP32",
        "data": tensor.ravel().tolist(),
    }
    body = json.dumps({"inputs": [sent], "outputs": [{"name": OUTPUT}]}).encode()
    headers = {"Content-Type": "application/json"}
    if host:
        headers["Host"] = host
    request = urllib.request.Request(f"{url}/v2/models/{MODEL}/infer", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            [output] = json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{url}: {getattr(error, 'reason', error)}")
    return np.array(output["data"], np.float32).reshape(output["shape"])


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
    parser.add_argument("--url", required=True, help="http://host:port of the service")
    parser.add_argument("--host", help="name of the service, where an ingress routes by it")
    parser.add_argument("images", nargs="+", type=Path)
    args = parser.parse_args()
    for image in args.images:
        [output] = ask(args.url, args.host, sample(image)[np.newaxis])
        print(json.dumps(postprocess(output)))


if __name__ == "__main__":
    main()
