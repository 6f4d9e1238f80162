"""JPEG: a list of segments before the first scan, then what only a decoder understands (ITU-T T.81, Annex B)."""

import re
from dataclasses import dataclass

from watermark.errors import UserError

APP0, APP1, APP2, APP11, APP13, APP14, APP15, COM = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xEF, 0xFE
MAX_PAYLOAD = 65_533
_SOI, _SOS, _EOI = b"\xff\xd8", 0xDA, b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.S)  # with a length; before it decoders pass over anything
_JPEG_LS = 0xF7
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
KEPT = 10_000
"""Segments that describe the picture, and segments for the decoder, that are looked at."""
MAX_SCANS = 200
"""A progressive picture has some ten; each costs a decoder a walk over all blocks, however few bytes it takes."""


@dataclass(frozen=True)
class Segment:
    """One segment: its marker byte and what follows its length."""

    marker: int
    payload: bytes

    @property
    def is_metadata(self) -> bool:
        """Whether a decoder can do without it; Adobe's segment tells it the colour transform."""
        return self.marker == COM or (APP0 <= self.marker <= APP15 and not self._is_adobe)

    @property
    def _is_adobe(self) -> bool:
        return self.marker == APP14 and self.payload.startswith(b"Adobe")

    def tobytes(self) -> bytes:
        """As it stands in a file."""
        return bytes([0xFF, self.marker]) + (len(self.payload) + 2).to_bytes(2, "big") + self.payload


def split(data: bytes) -> tuple[list[Segment], bytes]:
    """The segments before the first scan, and the rest of the file from the scan on; damage ends the list early.

    Raises:
        UserError: there are more segments for the decoder than any picture has.
    """
    segments, at, described = list[Segment](), 2, 0
    while found := _MARKER.search(data, at):
        at = found.start()
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS or length < 2 or at + 2 + length > len(data):
            return segments, data[at:]
        one = Segment(marker, data[at + 4 : at + 2 + length])
        described += one.is_metadata
        if not one.is_metadata and len(segments) - min(described, KEPT) >= KEPT:
            raise UserError(f"expected a JPEG of at most {KEPT:,} segments, got more")
        if not one.is_metadata or described <= KEPT:
            segments.append(one)
        at += 2 + length
    return segments, b""


def join(segments: list[Segment], rest: bytes) -> bytes:
    """The file again."""
    return b"".join([_SOI, *(one.tobytes() for one in segments), rest])


def check_frame(segments: list[Segment]) -> None:
    """Refuse kinds of JPEG that no decoder here reads.

    Raises:
        UserError: saying which kind it is.
    """
    for one in segments:
        if one.marker == _JPEG_LS:
            raise UserError("expected a JPEG of one of the usual kinds, got JPEG-LS; convert it first")
        if one.marker in _FRAMES and one.payload[:1] > b"\x08":
            raise UserError(f"expected a JPEG of 8 bits, got {one.payload[0]}; convert it first")


def check_scans(rest: bytes) -> None:
    """Refuse a picture of too many scans; what follows its end is not counted.

    Raises:
        UserError: saying how many there may be.
    """
    at = scans = others = 0
    while found := _MARKER.search(rest, at):
        marker = rest[found.start() + 1]
        if marker == _EOI[1]:
            return
        scans, others = scans + (marker == _SOS), others + (marker != _SOS)
        if scans > MAX_SCANS or others > KEPT:
            raise UserError(f"expected a JPEG of at most {MAX_SCANS} scans, got more")
        at = found.end() + max(2, int.from_bytes(rest[found.end() : found.end() + 2], "big"))


def after_the_picture(rest: bytes) -> int:
    """How many bytes follow the end of the first picture: gain maps, further pictures, films."""
    end = rest.find(_EOI)
    return 0 if end < 0 else len(rest) - end - 2
