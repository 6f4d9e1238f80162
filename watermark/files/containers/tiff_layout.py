"""How the pixels of a TIFF's first picture lie: what a decoder would give with other values is refused before it."""

from dataclasses import dataclass

from watermark.errors import UserError
from watermark.files.containers import tiff

_SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLES, _PLANES, _EXTRA, _KINDS, _DNG = 254, 258, 262, 277, 284, 338, 339, 50706
_MOSAIC, _LINEAR_RAW = 32803, 34892
_WHOLE, _FLOAT = 1, 3
_CR2 = b"CR\2"


@dataclass(frozen=True)
class Layout:
    """The first picture of a TIFF file.

    Attributes:
        bits: per sample, every number that stands there.
        kinds: 1 for whole numbers, 2 for signed ones, 3 for floating point.
        samples: per pixel.
        extra: what those are that are no colours: 0 nobody knows, 1 associated transparency, 2 transparency.
        separate: whether each colour lies in a plane of its own.
        photometric: how colours are meant; None where it is missing.
        is_reduced: whether it is a small copy of another picture in the file.
        is_raw: whether it is what a camera's sensor saw.
    """

    bits: frozenset[int]
    kinds: frozenset[int]
    samples: int
    extra: tuple[int, ...]
    separate: bool
    photometric: int | None
    is_reduced: bool
    is_raw: bool

    @property
    def depth(self) -> int:
        """Bits per sample, the most of any."""
        return max(self.bits)

    @property
    def is_deep_and_plain(self) -> bool:
        """Whether OpenCV reads its 16 bits with the right values."""
        colours = (self.samples, self.photometric) in [(1, 0), (1, 1), (3, 2), (4, 2)]
        return (
            self.bits == {16} and self.kinds == {_WHOLE} and not self.separate and colours and set(self.extra) <= {0, 2}
        )


def layout_of(data: bytes) -> Layout:
    """Of a TIFF file; of one without a directory that of a plain picture, for its decoder to say what is wrong."""
    order = tiff.order_of_file(data)
    try:
        entries = {one.tag: one for one in reversed(tiff.read(data)[0])} if order else {}
    except ValueError:
        entries = {}

    def numbers(tag: int, *missing: int) -> tuple[int, ...]:
        return (entries[tag].numbers(order) or missing) if order and tag in entries else missing

    samples, photometric = numbers(_SAMPLES, 1)[0], numbers(_PHOTOMETRIC)
    return Layout(
        bits=frozenset(numbers(_BITS, 1)) if entries else frozenset({8}),
        kinds=frozenset(numbers(_KINDS, _WHOLE)),
        samples=samples,
        extra=numbers(_EXTRA),
        separate=samples > 1 and numbers(_PLANES, 1)[0] != 1,
        photometric=photometric[0] if photometric else None,
        is_reduced=bool(numbers(_SUBFILE, 0)[0] & 1),
        is_raw=_DNG in entries or data[8:11] == _CR2 or {_MOSAIC, _LINEAR_RAW} & set(photometric) != set(),
    )


def refuse_unread(data: bytes, layout: Layout) -> None:
    """Refuse what no decoder here gives with the right values, for looking too.

    Raises:
        UserError: without the file's name.
    """
    if data.startswith(b"MM\0+"):  # Pillow takes it for a small one
        raise UserError("a BigTIFF whose numbers begin with their greatest byte; save it as a plain TIFF first")
    if layout.is_raw or layout.is_reduced:
        raise UserError(
            "a camera's raw file, or one that begins with a small copy; develop it to PNG, TIFF or JPEG first"
        )
    if 2 in layout.kinds:
        raise UserError("expected whole numbers from 0 on, got signed ones; convert it to 8 or 16 bits first")
    if _FLOAT in layout.kinds and layout.samples > 1:
        raise UserError("expected whole numbers, got colours in floating point; convert it to 8 or 16 bits first")
    if layout.separate and layout.depth > 8:
        raise UserError(f"expected interleaved colours, got {layout.depth} bits in planes; save it interleaved first")
