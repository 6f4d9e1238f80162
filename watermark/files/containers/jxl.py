"""JPEG XL: only how deep its channels are, which its decoder for Pillow does not say (ISO/IEC 18181-1, 2nd edition)."""

from collections.abc import Sequence

_STREAM = b"\xff\x0a"
_SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))


class _Bits:
    """Numbers from a stream whose bits come from the least significant on."""

    def __init__(self, data: bytes) -> None:
        self.bits = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        found = self.bits & ((1 << count) - 1)
        self.bits >>= count
        return found

    def choice(self, forms: Sequence[tuple[int, int]]) -> int:
        """One of four forms, each a number of bits and what is added to them."""
        count, added = forms[self.take(2)]
        return self.take(count) + added

    def size(self) -> None:
        """Pass over a picture's size."""
        small = self.take(1)
        self.take(5) if small else self.choice(_SIZES)
        if not self.take(3):  # no ratio: the width too
            self.take(5) if small else self.choice(_SIZES)


def depth(data: bytes) -> int:
    """Bits per channel; 8 where it cannot be told."""
    at = 0 if data.startswith(_STREAM) else _in_box(data)
    if data[at : at + 2] != _STREAM:
        return 8
    bits = _Bits(data[at + 2 : at + 66])
    bits.size()
    if bits.take(1):  # all of the header is as usual
        return 8
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            bits.size()
        if bits.take(1):  # a preview picture, whose header is longer than what it tells
            return 8
        if bits.take(1):
            return 8  # animations are refused as such
    forms = ((0, 32), (0, 16), (0, 24), (6, 1)) if bits.take(1) else ((0, 8), (0, 10), (0, 12), (6, 1))
    return bits.choice(forms)


def _in_box(data: bytes) -> int:
    """Where the stream starts in a file of boxes."""
    whole, part = data.find(b"jxlc"), data.find(b"jxlp")
    return whole + 4 if whole >= 0 else part + 8
