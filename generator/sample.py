"""A small image for sample requests, the same bytes everywhere."""

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """A checkered black and white PNG of one bit a pixel.

    The data is stored, not compressed: what deflate makes of it differs between versions of
    zlib, and rendered files must not.
    """
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = b"".join(b"\x00" + _row(width, y) for y in range(height))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (_chunk(b"IHDR", header), _chunk(b"IDAT", _stored(rows)), _chunk(b"IEND", b""))
    )


def _row(width: int, y: int) -> bytes:
    """Eight pixels of one colour, then eight of the other, shifted every eight rows."""
    return bytes(0xFF if (x + y // 8) % 2 else 0x00 for x in range((width + 7) // 8))


def _stored(data: bytes) -> bytes:
    """A zlib stream of stored blocks: RFC 1950 and 1951."""
    blocks = []
    for start in range(0, len(data), 0xFFFF):
        block = data[start : start + 0xFFFF]
        last = start + 0xFFFF >= len(data)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(data))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
