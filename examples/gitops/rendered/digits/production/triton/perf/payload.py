"""The request of the load test: one image, as a client sends it."""

import base64
import json
import random
import struct
import zlib

REQUEST_FIELD = "image_bytes"
WIDTH = 28
HEIGHT = 28


def request() -> tuple[dict[str, str], bytes]:
    """Give the headers and the body, the same at every run."""
    image = base64.b64encode(png()).decode()
    tensor = {"name": REQUEST_FIELD, "shape": [1], "datatype": "BYTES", "data": [image]}
    body = {"inputs": [tensor]}
    return {"Content-Type": "application/json"}, json.dumps(body).encode()


def png() -> bytes:
    """Encode an RGB image of noise: 8 bits a channel, no filter, not interlaced."""
    noise = random.Random(0)
    rows = b"".join(b"\0" + noise.randbytes(3 * WIDTH) for _ in range(HEIGHT))
    header = struct.pack(">2I5B", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
