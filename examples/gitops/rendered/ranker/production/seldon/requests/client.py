"""Ask ranker with tensors of .npy files, each in a request by itself.

python3 client.py --url http://host:port tensor.npy ...

The url is the orchestrator's, or a gateway's with /seldon/NAMESPACE/ranker behind it.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

DTYPE = "float32"  # of the model's input


def ask(url: str, tensor: np.ndarray) -> np.ndarray:
    """Send one tensor to the model and return its output, both as raw bytes in base64."""
    body = {
        "binData": base64.b64encode(tensor.tobytes()).decode(),
        "meta": {"tags": {"dtype": str(tensor.dtype), "shape": tensor.shape}},
    }
    request = urllib.request.Request(
        f"{url}/api/v1.0/predictions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{url}: {getattr(error, 'reason', error)}")
    data, tags = base64.b64decode(answer["binData"]), answer["meta"]["tags"]
    return np.frombuffer(data, tags["dtype"]).reshape(tags["shape"])


def read(path: Path) -> np.ndarray:
    """Read an .npy file, or end the program with what is wrong with it."""
    try:
        with path.open("rb") as file:
            tensor: np.ndarray = np.lib.format.read_array(file)
        return tensor.astype(DTYPE, order="C")
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{path}: {error}")


def main() -> None:
    """Print the answer for each file, one line of JSON each."""
    parser = argparse.ArgumentParser(description="Ask the model over REST.")
    parser.add_argument("--url", required=True, help="http://host:port of the orchestrator")
    parser.add_argument("files", nargs="+", type=Path)
    args = parser.parse_args()
    for file in args.files:
        output = ask(args.url, read(file))
        print(json.dumps(output.tolist()))


if __name__ == "__main__":
    main()
