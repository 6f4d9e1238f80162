"""Files built byte by byte: raw chunks of a PNG, raw segments of a JPEG."""

import struct
import zlib


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_chunks(path, *chunks, late=False):
    """Put raw chunks into a PNG, before or after its pixels."""
    data = path.read_bytes()
    at = data.find(b"IEND" if late else b"IDAT") - 4
    path.write_bytes(data[:at] + b"".join(chunks) + data[at:])


def with_segments(path, *segments):
    """Put raw segments into a JPEG, after JFIF's."""
    data = path.read_bytes()
    at = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2
    path.write_bytes(data[:at] + b"".join(segments) + data[at:])
