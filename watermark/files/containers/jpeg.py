"""JPEG: a list of segments before the first scan, then what only a decoder understands (ITU-T T.81, Annex B)."""

from dataclasses import dataclass

APP0, APP1, APP2, APP11, APP13, APP14, APP15, COM = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xEF, 0xFE
MAX_PAYLOAD = 65_533
_SOI, _SOS, _EOI = b"\xff\xd8", 0xDA, b"\xff\xd9"
_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


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
    """The segments before the first scan, and the rest of the file from the scan on; damage ends the list early."""
    segments, at = [], 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)  # decoders pass over garbage between segments too
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker in (0xFF, 0x00) or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS or length < 2 or at + 2 + length > len(data):
            break
        segments.append(Segment(marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return segments, data[max(at, 2) :] if at >= 0 else b""


def join(segments: list[Segment], rest: bytes) -> bytes:
    """The file again."""
    return b"".join([_SOI, *(one.tobytes() for one in segments), rest])


def after_the_picture(rest: bytes) -> int:
    """How many bytes follow the end of the first picture: gain maps, further pictures, films."""
    end = rest.find(_EOI)
    return 0 if end < 0 else len(rest) - end - 2
