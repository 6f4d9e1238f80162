"""Pictures of more than 8 bits a channel, at their own depth.

Pillow holds no such colour picture, so OpenCV decodes and encodes the pixels (PNG, TIFF, PPM, AVIF); the metadata go
their own way as bytes, as everywhere. A kind of file that OpenCV would read or write with other values is refused.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from watermark.files import opencv
from watermark.files.containers import png
from watermark.files.containers.tiff_layout import layout_of
from watermark.files.metadata import KEY, Metadata

FORMATS = ("PNG", "TIFF", "AVIF", "PPM")
"""Where deep pictures are read from, and what they are written to."""
_TURNS: dict[int, Any] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@dataclass(frozen=True)
class Deep:
    """A deep picture, upright.

    Attributes:
        colour: ``(H, W, 1)`` or ``(H, W, 3)`` uint16, grey or RGB, 0 to ``2**bits - 1``.
        alpha: ``(H, W)`` uint16 in the same range, or None.
        bits: 9 to 16.
        info: as of a Pillow picture; holds the ``Metadata``.
    """

    colour: np.ndarray
    alpha: np.ndarray | None
    bits: int
    info: dict[Any, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of_array(cls, pixels: np.ndarray) -> "Deep":
        """A picture of 16 bits without anything beside its pixels.

        Raises:
            TypeError: unless ``pixels`` is uint16 ``(H, W, 3)``.
        """
        if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise TypeError(f"expected a uint16 array (H, W, 3), got {pixels.dtype} {pixels.shape}")
        return cls(pixels, None, 16)

    @property
    def levels(self) -> int:
        """The greatest value."""
        return (1 << self.bits) - 1

    @property
    def mode(self) -> str:
        """L, LA, RGB or RGBA, as Pillow would call the same picture of 8 bits."""
        return ("L" if self.colour.shape[2] == 1 else "RGB") + ("A" if self.alpha is not None else "")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.colour.shape[1], self.colour.shape[0]

    def at(self, bits: int) -> "Deep":
        """The same picture in a larger range; every value has its own, so nothing is lost."""
        if bits == self.bits:
            return self
        if bits < self.bits:
            raise ValueError(f"expected at least {self.bits} bits, got {bits}")
        levels = (1 << bits) - 1

        def scaled(values: np.ndarray) -> np.ndarray:
            return ((values.astype(np.uint32) * levels + self.levels // 2) // self.levels).astype(np.uint16)

        return Deep(scaled(self.colour), None if self.alpha is None else scaled(self.alpha), bits, self.info)

    def at_8bit(self) -> Image.Image:
        """Its colours as a viewer of 8 bits shows them, L or RGB, rounded."""
        values = (self.colour.astype(np.uint32) * 255 + self.levels // 2) // self.levels
        return Image.fromarray((values if values.shape[2] == 3 else values[..., 0]).astype(np.uint8))


def read(pixels: bytes, metadata: Metadata, bits: int, orientation: int) -> Deep:
    """A deep picture from a file without its metadata.

    Args:
        pixels: the file (``watermark.files.blocks.gather``).
        metadata: what was gathered beside them.
        bits: per channel.
        orientation: EXIF's, 1 to 8.

    Raises:
        ValueError: for layouts that are not read with the right values, and damage.
    """
    key, inverted = None, False
    if metadata.source == "PNG":
        pixels, key = png.without_key(pixels)
    elif metadata.source == "TIFF":
        inverted = _is_inverted(pixels)
    elif metadata.source == "PPM" and bits != 16:
        raise ValueError(f"expected a PPM of 255 or 65,535 levels, got {bits} bits")
    cv2 = opencv.loaded()
    values = cv2.imdecode(np.frombuffer(pixels, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise ValueError(f"a picture of {bits} bits a channel that cannot be read at its depth")
    values = values.reshape(*values.shape[:2], -1)
    if values.shape[2] == 4:
        colour, alpha = values[..., 2::-1], values[..., 3]
        grey = metadata.source == "PNG" and pixels[25] == 4
        colour = colour[..., :1] if grey else colour
    else:
        colour, alpha = values[..., ::-1], None
    if key is not None:
        alpha = np.where((colour == key).all(2), 0, 65535).astype(np.uint16)
    if inverted:
        colour = 65535 - colour
    turn = _TURNS.get(orientation, lambda a: a)
    colour = np.ascontiguousarray(turn(colour))
    made = Deep(colour, None if alpha is None else np.ascontiguousarray(turn(alpha)), bits)
    true = metadata.corrected(made.size)
    return replace(made, info={KEY: true, **({"icc_profile": true.icc} if true.icc else {})})


def _is_inverted(data: bytes) -> bool:
    """Whether white is 0 in a TIFF; layouts that OpenCV would read with other values are refused.

    Raises:
        ValueError: in half a line.
    """
    layout = layout_of(data)
    if not layout.is_deep_and_plain:
        raise ValueError(
            "expected whole numbers of 16 bits a channel, grey, RGB or RGBA (unassociated), interleaved, got another "
            "kind of deep TIFF"
        )
    return layout.photometric == 0


def coded(image: Deep, name: str, options: dict[str, Any]) -> bytes:
    """A file of a deep picture's pixels, and of those metadata that ``options`` names as Pillow does.

    Raises:
        ValueError: the format cannot hold it.
    """
    cv2 = opencv.loaded()
    if name not in FORMATS:
        raise ValueError(f"{image.bits} bits a channel fit into .png, .tiff or .avif; convert it to 8 bits first")
    if name == "AVIF":
        return _avif(image, options)
    image = image.at(16)
    if name == "PPM":
        if image.alpha is not None:
            raise ValueError("transparency in 16 bits fits into .png or .tiff")
        return opencv.encoded(".pgm" if image.mode == "L" else ".ppm", _stacked(image), [])
    if name == "TIFF":
        if image.mode == "LA":
            raise ValueError("grey with transparency in 16 bits fits into .png only")
        packed = [cv2.IMWRITE_TIFF_COMPRESSION, 8, cv2.IMWRITE_TIFF_PREDICTOR, 2]
        x, y = options.get("dpi", (0, 0))
        dense = [cv2.IMWRITE_TIFF_XDPI, round(x), cv2.IMWRITE_TIFF_YDPI, round(y)] if x >= 1 and y >= 1 else []
        return opencv.encoded(".tiff", _stacked(image), [*packed, *dense])
    effort = opencv.png_settings(image.colour.shape[0] * image.colour.shape[1])
    if image.mode != "LA":
        return opencv.encoded(".png", _stacked(image), effort)
    # OpenCV writes no grey with transparency: it is written as grey of twice the width, which has the same bytes as
    # long as every row is filtered by the one above, and then called what it is.
    assert image.alpha is not None
    wide = np.concatenate([image.colour, image.alpha[..., None]], 2).reshape(image.size[1], -1)
    made = opencv.encoded(".png", wide, [*effort, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP])
    return png.with_header(made, image.size[0], colour_type=4)


def _stacked(image: Deep) -> np.ndarray:
    """Grey, BGR or BGRA, as OpenCV takes it."""
    parts = [image.colour[..., ::-1]]
    if image.alpha is not None:
        parts = [np.broadcast_to(image.colour, (*image.colour.shape[:2], 3))[..., ::-1], image.alpha[..., None]]
    return np.ascontiguousarray(np.concatenate(parts, 2))


def _avif(image: Deep, options: dict[str, Any]) -> bytes:
    if image.bits not in (10, 12):
        raise ValueError(f"{image.bits} bits a channel fit into .png or .tiff; AVIF holds 10 or 12")
    cv2 = opencv.loaded()
    kinds = {"exif": cv2.IMAGE_METADATA_EXIF, "xmp": cv2.IMAGE_METADATA_XMP, "icc_profile": cv2.IMAGE_METADATA_ICCP}
    held = {kind: np.frombuffer(options[key], np.uint8) for key, kind in kinds.items() if options.get(key)}
    settings = [cv2.IMWRITE_AVIF_DEPTH, image.bits, cv2.IMWRITE_AVIF_QUALITY, options["quality"]]
    return opencv.encoded(".avif", _stacked(image), [*settings, cv2.IMWRITE_AVIF_SPEED, 6], held)
