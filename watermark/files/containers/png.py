"""PNG: a signature and chunks (PNG specification, third edition, 2025)."""

import zlib
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
"""What a decoder of one still picture needs."""
TEXT = {b"tEXt", b"zTXt", b"iTXt"}
COLOUR_SPACE = b"cICP"
"""Colour primaries and transfer function by number (ITU-T H.273); the name under which any format's are kept."""
KEPT = 10_000
"""Chunks beside those of the pixels that are looked at; what editors leave of their histories is some dozens."""
MAX_TEXT = 2**23
"""Bytes that one compressed text or profile may unpack to."""


@dataclass(frozen=True)
class Chunk:
    """One chunk; ``late`` if it stood after the pixels."""

    kind: bytes
    body: bytes
    late: bool = False

    def tobytes(self) -> bytes:
        """As it stands in a file."""
        check = zlib.crc32(self.body, zlib.crc32(self.kind))
        return len(self.body).to_bytes(4, "big") + self.kind + self.body + check.to_bytes(4, "big")

    @property
    def keyword(self) -> str:
        """Of a text chunk or profile."""
        return self.body.partition(b"\0")[0][:79].decode("latin-1")


def split(data: bytes) -> tuple[list[Chunk], bytes, int]:
    """The first chunks that a decoder can do without, a file of those that it needs, and how many were damaged."""
    others: list[Chunk] = []
    needed, at, late, damaged = [SIGNATURE], len(SIGNATURE), False, 0
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if not (kind.isalpha() and kind.isascii()):  # no chunk: a decoder reads no further either
            needed.append(data[at:])
            break
        if kind in PIXELS:
            late = late or kind == b"IDAT"
            needed.append(data[at:end])  # cut off or damaged: the decoder says so
        elif len(others) == KEPT:
            pass
        elif end <= len(data) and zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big"):
            others.append(Chunk(kind, data[at + 8 : end - 4], late))
        else:
            damaged += 1
        if kind == b"IEND":
            break
        at = end
    else:
        if at < len(data):
            needed.append(data[at:])
    return others, b"".join(needed), damaged


def join(pixels: bytes, chunks: list[Chunk]) -> bytes:
    """A complete file: the decoder's chunks of ``pixels``, another file, and these others."""
    header = len(SIGNATURE) + 25
    early = b"".join(chunk.tobytes() for chunk in chunks if not chunk.late)
    late = b"".join(chunk.tobytes() for chunk in chunks if chunk.late)
    end = pixels.rindex(b"IEND") - 4
    return b"".join([pixels[:header], early, pixels[header:end], late, pixels[end:]])


def without_key(pixels: bytes) -> tuple[bytes, tuple[int, ...] | None]:
    """A decoder's chunks without tRNS, and the values of 16 bits that it says are transparent."""
    at = pixels.find(b"tRNS", len(SIGNATURE) + 25, max(pixels.find(b"IDAT"), 0))
    if at < 0:
        return pixels, None
    length = int.from_bytes(pixels[at - 4 : at], "big")
    body = pixels[at + 4 : at + 4 + length]
    key = tuple(int.from_bytes(body[n : n + 2], "big") for n in range(0, length, 2))
    return pixels[: at - 4] + pixels[at + 8 + length :], key


def with_header(data: bytes, width: int, colour_type: int) -> bytes:
    """The same file with another width and colour type; its rows must have as many bytes, filtered without a left."""
    start = len(SIGNATURE) + 8
    body = width.to_bytes(4, "big") + data[start + 4 : start + 9] + bytes([colour_type]) + data[start + 10 : start + 13]
    return SIGNATURE + Chunk(b"IHDR", body).tobytes() + data[start + 17 :]


def inflate(packed: bytes, limit: int = MAX_TEXT) -> bytes | None:
    """Unpacked; None if it is damaged or larger than the limit."""
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, max(1, limit))  # 0 would be none
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail or not unpacker.eof else content


def text_of(chunk: Chunk, limit: int = MAX_TEXT) -> bytes | None:
    """What a text chunk says, Latin-1 for tEXt and zTXt, UTF-8 for iTXt; None if it is damaged or above the limit."""
    _, _, rest = chunk.body.partition(b"\0")
    if chunk.kind == b"tEXt":
        return rest if len(rest) <= limit else None
    if chunk.kind == b"zTXt":
        return inflate(rest[1:], limit) if rest[:1] == b"\0" else None
    packed, rest = rest[:1] == b"\x01", rest[2:]
    text = rest.partition(b"\0")[2].partition(b"\0")[2]  # after language and translated keyword
    if packed:
        return inflate(text, limit)
    return text if len(text) <= limit else None


def itxt(keyword: bytes, text: bytes) -> Chunk:
    """A text chunk of UTF-8, not packed, as XMP asks for."""
    return Chunk(b"iTXt", keyword + b"\0\0\0\0\0" + text)


def with_text(chunk: Chunk, text: bytes) -> Chunk:
    """The same keyword, kind and place with another text."""
    if chunk.kind == b"iTXt":
        return Chunk(b"iTXt", itxt(chunk.keyword.encode("latin-1"), text).body, chunk.late)
    packed = b"\0" + zlib.compress(text) if chunk.kind == b"zTXt" else text
    return Chunk(chunk.kind, chunk.keyword.encode("latin-1") + b"\0" + packed, chunk.late)
