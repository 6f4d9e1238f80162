"""What a file says beside its pixels, as bytes: taken from one container, fitted to another, what is lost by name."""

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from PIL import Image, TiffImagePlugin

from watermark.files import exif, xmp
from watermark.files.containers.jpeg import Segment
from watermark.files.containers.png import MAX_TEXT, TEXT, Chunk, itxt, text_of

if TYPE_CHECKING:
    from watermark.files.animation import Animation
    from watermark.files.deep import Deep

KEY = "metadata"
"""Under which name a picture's ``info`` holds its ``Metadata``."""
FURTHER = "further pictures or a gain map after the first picture"
"""What phones put into one file beside the picture."""
BRIGHTNESS = 3688
"""The sum of libjpeg's table for brightness at quality 50."""


@dataclass(frozen=True)
class Density:
    """Pixels per inch or metre, or only the shape of a pixel.

    Attributes:
        x, y: across and down.
        unit: ``inch``, ``metre`` or ``aspect``.
    """

    x: int
    y: int
    unit: str


@dataclass(frozen=True)
class JpegCoding:
    """How a JPEG was coded, to code it so again.

    Attributes:
        tables: quantisation tables, as Pillow gives them.
        subsampling: as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; -1 is another or none.
        progressive: whether it came in several scans.
    """

    tables: dict[int, list[int]]
    subsampling: int
    progressive: bool

    @property
    def quality(self) -> int:
        """The quality, 1 to 100, at which libjpeg's own table for brightness is as coarse as this one."""
        scale = 100 * sum(self.tables[min(self.tables)]) / BRIGHTNESS
        return max(1, round(100 - scale / 2 if scale <= 100 else 5000 / scale))


@dataclass(frozen=True)
class Metadata:
    """The blocks of one file.

    Attributes:
        source: format it came from, by Pillow's name; empty for a picture that was no file.
        exif: a TIFF stream, without any prefix.
        xmp: the packet.
        xmp_extension: of a JPEG, the rest of a packet that was too large for one segment.
        icc: colour profile.
        photoshop: image resource blocks of Adobe, which hold IPTC.
        iptc: IPTC of a TIFF that has it outside of those.
        comments: JPEG and GIF comments.
        density: of the pixels.
        chunks: other chunks of a PNG, in their order.
        segments: other segments of a JPEG, in their order.
        coding: of a JPEG.
        lossless: whether a WebP holds every pixel as it was.
        frames: how many pictures the file shows; 1 for a still one.
        dropped: what was left out on reading because marking makes it untrue, or because it was damaged.
    """

    source: str = ""
    exif: bytes = b""
    xmp: bytes = b""
    xmp_extension: bytes = b""
    icc: bytes = b""
    photoshop: bytes = b""
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    density: Density | None = None
    chunks: tuple[Chunk, ...] = ()
    segments: tuple[Segment, ...] = ()
    coding: JpegCoding | None = field(default=None, compare=False)
    lossless: bool = field(default=False, compare=False)
    frames: int = 1
    dropped: tuple[str, ...] = ()

    @property
    def orientation(self) -> int:
        """1 to 8, from EXIF where it says so, else from XMP."""
        return exif.orientation(self.exif) or xmp.orientation(self.xmp + self.xmp_extension)

    def corrected(self, size: tuple[int, int]) -> "Metadata":
        """As it is true of an upright, marked picture of this size."""
        of_exif, untrue = exif.corrected(self.exif, size)
        behind = any(one == FURTHER or "after" in one for one in self.dropped)
        of_xmp, of_packet = xmp.corrected(self.xmp, size, nothing_behind=behind)
        extension, of_rest = xmp.corrected(self.xmp_extension, size, nothing_behind=behind)
        untrue += [*of_packet, *of_rest]
        names = dict.fromkeys([*self.dropped, *(one for one in untrue if one != "pixel size")])
        return replace(self, exif=of_exif, xmp=of_xmp, xmp_extension=extension, dropped=tuple(names))

    def texts_named(self, part: str) -> list[tuple[str, str]]:
        """PNG texts whose keyword has this part: keyword and text; at most 1,000 and 8 MiB, without damaged ones."""
        found, left = [], MAX_TEXT
        for chunk in [one for one in self.chunks if one.kind in TEXT and part in one.keyword][:1000]:
            text = text_of(chunk, left)
            if text is not None:
                found.append((chunk.keyword, text.decode("utf-8" if chunk.kind == b"iTXt" else "latin-1", "replace")))
            left -= left // 8 if text is None else len(text)  # what is too large was unpacked so far too
        return found


def of(image: "Image.Image | Deep | Animation") -> Metadata:
    """A picture's metadata: those that ``load`` put there, else what Pillow or the caller put into ``info``."""
    kept = image.info.get(KEY)
    if isinstance(kept, Metadata):
        return kept
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        image.load()  # turns it, and forgets its orientation
    found = _of_info(image.info)
    if not isinstance(image, Image.Image):
        return found
    elsewhere = isinstance(image, TiffImagePlugin.TiffImageFile) or "Raw profile type exif" in image.info
    if not found.exif and elsewhere:
        with contextlib.suppress(Exception):
            found = replace(found, exif=exif.bare(image.getexif().tobytes()))
    return found


def with_metadata(image: Image.Image, metadata: Metadata) -> Image.Image:
    """The same picture, in which these replace what its ``info`` held."""
    info: dict[str | tuple[int, int], Any] = {KEY: metadata}
    if metadata.icc:
        info["icc_profile"] = metadata.icc
    image.info = info
    return image


def _of_info(info: dict[Any, Any]) -> Metadata:
    def block(name: str) -> bytes:
        value = info.get(name)
        return value if isinstance(value, bytes) else b""

    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    found = Metadata(
        exif=exif.bare(block("exif")),
        xmp=packet if isinstance(packet, bytes) else b"",
        icc=block("icc_profile"),
        density=_density(info.get("dpi")),
        chunks=tuple(_text_chunks(info)),
        comments=(block("comment"),) if block("comment") else (),
    )
    return found


def _density(dpi: object) -> Density | None:
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    try:
        x, y = round(float(dpi[0])), round(float(dpi[1]))
    except (TypeError, ValueError, OverflowError):
        return None
    return Density(x, y, "inch") if 0 < x < 65_536 and 0 < y < 65_536 else None


def _text_chunks(info: dict[Any, Any]) -> list[Chunk]:
    """PNG texts as Pillow gives them: iTXt where Latin-1 does not do."""
    chunks = []
    for name, value in info.items():
        if not isinstance(name, str) or not isinstance(value, str) or name == "XML:com.adobe.xmp":
            continue
        keyword = name.encode("latin-1", "replace")[:79]
        try:
            plain = value.encode("latin-1") if not hasattr(value, "lang") else None
        except UnicodeEncodeError:
            plain = None
        language = getattr(value, "lang", None) or ""
        translated = getattr(value, "tkey", None) or ""
        if plain is not None:
            chunks.append(Chunk(b"tEXt", keyword + b"\0" + plain))
        elif language or translated:
            head = keyword + b"\0\0\0" + language.encode() + b"\0" + translated.encode() + b"\0"
            chunks.append(Chunk(b"iTXt", head + value.encode("utf-8", "replace")))
        else:
            chunks.append(itxt(keyword, value.encode("utf-8", "replace")))
    return chunks
