"""Ask argo-cd with tensors from .npy files, one for each input of the model.

python3 client.py --url http://host:port [--host name] image.npy
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

MODEL = "argo-cd"
INPUTS = (  # name, datatype and numpy's dtype, in the order of forward
    ("INPUT__0", "FP32", "float32"),
)
OUTPUTS = (  # name and numpy's dtype
    ("OUTPUT__0", "float32"),
)
LENGTH = "Inference-Header-Content-Length"  # of the JSON that precedes the tensors


def ask(url: str, host: str | None, tensors: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Send the inputs and return the outputs by name, all as raw bytes."""
    inputs = [
        {
            "name": name,
            "shape": tensor.shape,
            "datatype": datatype,
            "parameters": {"binary_data_size": tensor.nbytes},
        }
        for (name, datatype, _), tensor in zip(INPUTS, tensors, strict=True)
    ]
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name, _ in OUTPUTS]
    head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    body = head + b"".join(tensor.tobytes() for tensor in tensors)
    headers = {"Content-Type": "application/octet-stream", LENGTH: str(len(head))}
    if host:
        headers["Host"] = host
    request = urllib.request.Request(f"{url}/v2/models/{MODEL}/infer", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            body, length = response.read(), int(response.headers[LENGTH])
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{url}: {getattr(error, 'reason', error)}")
    return dict(arrays(json.loads(body[:length])["outputs"], body[length:]))


def arrays(outputs: list[dict[str, Any]], data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Cut the tensors of an answer out of the bytes that follow its JSON."""
    dtypes = dict(OUTPUTS)
    for output in outputs:
        size = output["parameters"]["binary_data_size"]
        name, shape = output["name"], output["shape"]
        yield name, np.frombuffer(data[:size], dtypes[name]).reshape(shape)
        data = data[size:]


def loaded(path: Path, dtype: str) -> np.ndarray:
    """Read an .npy file, or end the program with what is wrong with it."""
    try:
        with path.open("rb") as file:
            tensor: np.ndarray = np.lib.format.read_array(file)
        return tensor.astype(dtype, order="C")
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{path}: {error}")


def main() -> None:
    """Print the outputs as one line of JSON."""
    parser = argparse.ArgumentParser(description="Ask the model with tensors.")
    parser.add_argument("--url", required=True, help="http://host:port of the service")
    parser.add_argument("--host", help="name of the service, where an ingress routes by it")
    parser.add_argument("tensors", nargs=len(INPUTS), type=Path, help=".npy files")
    args = parser.parse_args()
    tensors = [
        loaded(path, dtype) for path, (_, _, dtype) in zip(args.tensors, INPUTS, strict=True)
    ]
    answer = ask(args.url, args.host, tensors)
    print(json.dumps({name: array.tolist() for name, array in answer.items()}))


if __name__ == "__main__":
    main()
