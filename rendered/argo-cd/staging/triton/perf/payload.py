"""The request of the load test: the model's input tensors (V2 protocol, binary form)."""

import json
import math
import random
import struct

# Name, datatype, its letter in the struct module, shape.
TENSORS = [
    ("INPUT__0", "FP32", "f", (1, 1, 28, 28)),
]


def request() -> tuple[dict[str, str], bytes]:
    """Give the headers and the body, the same at every run."""
    numbers = random.Random(0)
    inputs: list[dict[str, object]] = []
    data = b""
    for name, datatype, element, shape in TENSORS:
        values = tensor(numbers, element, math.prod(shape))
        size = {"binary_data_size": len(values)}
        inputs.append({"name": name, "datatype": datatype, "shape": shape, "parameters": size})
        data += values
    answer = {"binary_data_output": True}
    header = json.dumps({"inputs": inputs, "parameters": answer}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        # Where the JSON ends and the tensors begin.
        "Inference-Header-Content-Length": str(len(header)),
    }
    return headers, header + data


def tensor(numbers: random.Random, element: str, count: int) -> bytes:
    """Fill a tensor: floats from 0 to 1; integers 0 and 1, which every vocabulary has."""
    if element in "efd":
        return struct.pack(f"<{count}{element}", *(numbers.random() for _ in range(count)))
    return struct.pack(f"<{count}{element}", *(numbers.randrange(2) for _ in range(count)))
