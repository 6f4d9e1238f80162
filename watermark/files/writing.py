"""From a picture to the bytes of a file: Pillow codes the pixels, the metadata are set in as they are."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

from PIL import Image

from watermark.errors import UserError
from watermark.files import animation, deep, exif, formats, xmp
from watermark.files.animation import Animation
from watermark.files.blocks import icc_chunk
from watermark.files.containers import jpeg, png, riff
from watermark.files.deep import Deep
from watermark.files.metadata import Density, Metadata, of
from watermark.files.modes import is_grey, on_white, plain
from watermark.files.whole import check_free, write_whole
from watermark.shown import reason, shown

Picture = Image.Image | Deep | Animation
JPEG_QUALITY, WEBP_QUALITY, AVIF_QUALITY = 95, 95, 90
FAST_PNG = 4_000_000
"""Px from which a PNG is packed faster, and a tenth larger."""


@dataclass(frozen=True)
class Encoded:
    """A file's content, and what of the picture's metadata it cannot hold, by name."""

    content: bytes
    lost: tuple[str, ...]


def save(image: Image.Image, path: Path, *, overwrite: bool = False, quality: int | None = None) -> tuple[str, ...]:
    """Write a picture with its metadata; the file appears whole or not at all.

    Args:
        image: from ``load``, or any 8-bit picture.
        path: the suffix decides the format.
        overwrite: replace an existing file.
        quality: of the lossy formats, 1 to 100; None for a high default, and for a JPEG that came from a JPEG its own
            tables and subsampling.

    Returns:
        What the format cannot hold, by name.

    Raises:
        UserError: the file exists, the format cannot hold a mark, or writing fails (disk full, no permission).
    """
    check_target(path, overwrite)
    encoded = encode(image, path, quality)
    write_whole(path, encoded.content, overwrite=overwrite)
    return encoded.lost


def check_target(path: Path, overwrite: bool, *, every_frame: bool = False) -> None:
    """Refuse early what ``save`` would refuse after the work was done.

    Args:
        path: the target.
        overwrite: whether it may be replaced.
        every_frame: whether it may hold an animation, as a GIF too.

    Raises:
        UserError: the file exists and may not be replaced, or its format cannot hold a mark.
    """
    suffix = path.suffix.lower()
    allowed = formats.writable() | (formats.OF_FRAMES if every_frame else set())
    if suffix not in allowed:
        given = path.suffix or "a file without suffix"
        found = formats.of_suffix(suffix)
        if found and found.package and not formats.installed(found):
            raise UserError(
                f"{shown(path)}: {found.name} needs the package {found.package[0].replace('_', '-')}; "
                "install robust-watermark[formats]"
            )
        expected = " ".join(sorted(allowed))
        raise UserError(f"{shown(path)}: cannot write {shown(given)}; expected one of {expected}")
    check_free(path, overwrite)


def encode(image: Picture, path: Path, quality: int | None = None) -> Encoded:
    """The content of the file that ``save`` would write.

    Raises:
        UserError: the format takes no such picture (too many pixels a side, too deep).
    """
    found = formats.of_suffix(path.suffix)
    assert found is not None  # check_target was asked
    metadata = of(image)
    try:
        body = fit_mode(image, found.name)
        metadata, lost = _fitting(metadata, found.name, body)
        writers: dict[str, Callable[[Picture, Metadata, int | None], tuple[bytes, list[str]]]] = {
            "JPEG": _jpeg,
            "PNG": _png,
            "TIFF": _tiff,
        }
        if found.name in writers:
            content, more = writers[found.name](body, metadata, quality)
        else:
            content, more = _by_pillow(body, metadata, quality, found.name)
    except MemoryError:
        raise UserError(f"{shown(path)}: cannot be written (not enough memory)") from None
    except Exception as error:  # an encoder may raise anything
        raise UserError(f"{shown(path)}: cannot be written ({reason(error)})") from None
    return Encoded(content, tuple(dict.fromkeys([*lost, *more])))


@overload
def fit_mode(image: Image.Image, format_name: str) -> Image.Image: ...
@overload
def fit_mode(image: Deep | Animation, format_name: str) -> Deep | Animation: ...
def fit_mode(image: Picture, format_name: str) -> Picture:
    """The picture in a mode that the format can hold; where there is no transparency, it is laid on white."""
    if not isinstance(image, Image.Image):
        return image
    image = plain(image)
    if format_name in {"JPEG", "PPM", "BMP"}:
        return on_white(image)
    if format_name in {"WEBP", "AVIF", "HEIF"} and is_grey(image):
        return image.convert("RGBA" if image.mode == "LA" else "RGB")  # no grey in these formats
    return image


def _fitting(metadata: Metadata, name: str, body: Picture) -> tuple[Metadata, list[str]]:
    """What a format has a place for, and the names of the rest."""
    lost = []
    if metadata.icc and metadata.icc[16:20] == (b"GRAY" if not is_grey(body) else b"RGB "):
        lost.append("colour profile (of grey pixels)" if not is_grey(body) else "colour profile (of coloured pixels)")
        kept = tuple(chunk for chunk in metadata.chunks if chunk.kind != b"iCCP")
        metadata = replace(metadata, icc=b"", chunks=kept)
    if name in {"BMP", "PPM", "GIF"}:
        held = {"EXIF": metadata.exif, "XMP": metadata.xmp, "colour profile": metadata.icc}
        lost += [one for one, block in held.items() if block]
    if name != "PNG":
        texts = [shown(chunk.keyword, 40) for chunk in metadata.chunks if chunk.kind in png.TEXT]
        lost += [f"PNG text ({', '.join(texts[:5])}{', ...' if len(texts) > 5 else ''})"] * bool(texts)
        kinds = {chunk.kind for chunk in metadata.chunks} - {*png.TEXT, b"iCCP", b"sRGB"}
        lost += ["colour space (cICP)"] * (png.COLOUR_SPACE in kinds and name != "AVIF")
        other = {kind.decode() for kind in kinds - {png.COLOUR_SPACE}}
        lost += [f"PNG chunks ({', '.join(sorted(other))})"] * bool(other)
    if name != "JPEG":
        lost += ["JPEG segments"] * bool(metadata.segments)
        lost += ["comment"] * bool(metadata.comments and name not in {"PNG", "GIF"})
        packet = xmp.whole(metadata.xmp, metadata.xmp_extension) if metadata.xmp else b""
        lost += ["rest of a large XMP packet"] * (packet is None)
        metadata = replace(metadata, xmp=metadata.xmp if packet is None else packet, xmp_extension=b"")
    if name == "JXL" and metadata.xmp:  # pillow-jxl-plugin neither reads nor writes it back
        lost, metadata = [*lost, "XMP"], replace(metadata, xmp=b"")
    if name not in {"JPEG", "TIFF"}:
        lost += ["IPTC"] * bool(metadata.photoshop or metadata.iptc)
    return metadata, lost


def _jpeg(image: Picture, metadata: Metadata, quality: int | None) -> tuple[bytes, list[str]]:
    options: dict[str, Any] = {"quality": quality or JPEG_QUALITY, "optimize": True}
    coding = metadata.coding
    if quality is None and coding and len(coding.tables) >= (1 if is_grey(image) else 2):
        options = {"qtables": coding.tables, "optimize": True, "progressive": coding.progressive}
        if coding.subsampling >= 0:
            options["subsampling"] = coding.subsampling
    segments, rest = jpeg.split(_pixels(image, "JPEG", options))
    lost: list[str] = []
    added = []
    if metadata.exif:
        added.append(jpeg.Segment(jpeg.APP1, exif.PREFIX + metadata.exif))
    packet, extensions = metadata.xmp, list[bytes]()
    if metadata.xmp_extension:
        _, extensions = xmp.split_for_jpeg(metadata.xmp_extension)
    if len(packet) > xmp.MAX_JPEG:
        packet, extensions = xmp.split_for_jpeg(packet)
    if packet:
        added.append(jpeg.Segment(jpeg.APP1, xmp.JPEG_HEAD + packet))
        added += [jpeg.Segment(jpeg.APP1, part) for part in extensions]
    added += _profile_segments(metadata.icc)
    if metadata.photoshop:
        added += _in_parts(jpeg.APP13, b"Photoshop 3.0\0", metadata.photoshop)
    elif metadata.iptc:
        lost.append("IPTC")
    added += metadata.segments
    added += [jpeg.Segment(jpeg.COM, comment[: jpeg.MAX_PAYLOAD]) for comment in metadata.comments]
    if any(len(one.payload) > jpeg.MAX_PAYLOAD for one in added):
        lost.append("EXIF larger than 64 kB")
        added = [one for one in added if len(one.payload) <= jpeg.MAX_PAYLOAD]
    if segments and segments[0].payload.startswith(b"JFIF\0") and metadata.density:
        segments[0] = jpeg.Segment(jpeg.APP0, _with_density(segments[0].payload, metadata.density))
    return jpeg.join([*segments[:1], *added, *segments[1:]], rest), lost


def _profile_segments(profile: bytes) -> list[jpeg.Segment]:
    size = jpeg.MAX_PAYLOAD - 14
    parts = [profile[at : at + size] for at in range(0, len(profile), size)]
    if len(parts) > 255:
        return []
    return [
        jpeg.Segment(jpeg.APP2, b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part)
        for number, part in enumerate(parts, 1)
    ]


def _in_parts(marker: int, head: bytes, block: bytes) -> list[jpeg.Segment]:
    size = jpeg.MAX_PAYLOAD - len(head)
    return [jpeg.Segment(marker, head + block[at : at + size]) for at in range(0, len(block), size)]


def _with_density(payload: bytes, density: Density) -> bytes:
    x, y, unit = density.x, density.y, 1
    if density.unit == "aspect":
        unit = 0
    elif density.unit == "metre":
        whole = x % 100 == 0 and y % 100 == 0 and max(x, y) < 6_553_500
        x, y = (x // 100, y // 100) if whole else (round(x * 0.0254), round(y * 0.0254))
        unit = 2 if whole else 1
    if not (0 < x < 65_536 and 0 < y < 65_536):
        return payload
    return payload[:7] + bytes([unit]) + x.to_bytes(2, "big") + y.to_bytes(2, "big") + payload[12:]


def _png(image: Picture, metadata: Metadata, quality: int | None) -> tuple[bytes, list[str]]:
    del quality
    large = image.size[0] * image.size[1] > FAST_PNG
    pixels = _pixels(image, "PNG", {"compress_level": 1 if large else 6})
    chunks = [chunk for chunk in metadata.chunks if chunk.kind != b"iCCP" or metadata.icc]
    if metadata.icc and not any(chunk.kind == b"iCCP" for chunk in chunks):
        chunks.insert(0, icc_chunk(metadata.icc))
    if metadata.density:
        chunks.append(_physical(metadata.density))
    if metadata.exif:
        chunks.append(png.Chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append(png.itxt(xmp.PNG_KEYWORD, metadata.xmp))
    chunks += [png.Chunk(b"tEXt", b"Comment\0" + comment.replace(b"\0", b"")) for comment in metadata.comments]
    if not isinstance(image, Animation):  # whose frames stand in chunks of their own
        _, pixels, _ = png.split(pixels)
    return png.join(pixels, chunks), []


def _physical(density: Density) -> png.Chunk:
    x, y = density.x, density.y
    if density.unit == "inch":
        x, y = round(x / 0.0254), round(y / 0.0254)
    return png.Chunk(b"pHYs", x.to_bytes(4, "big") + y.to_bytes(4, "big") + bytes([density.unit != "aspect"]))


def _tiff(image: Picture, metadata: Metadata, quality: int | None) -> tuple[bytes, list[str]]:
    del quality
    options: dict[str, Any] = {"compression": "tiff_deflate"}
    if metadata.density and metadata.density.unit != "aspect":
        scale = 1 if metadata.density.unit == "inch" else 0.0254
        options["dpi"] = (metadata.density.x * scale, metadata.density.y * scale)
    blocks = {
        exif.XMP: metadata.xmp,
        exif.ICC: metadata.icc,
        exif.PHOTOSHOP: metadata.photoshop,
        exif.IPTC: metadata.iptc,
    }
    if isinstance(image, Deep) and not metadata.icc and any(one.kind == png.COLOUR_SPACE for one in metadata.chunks):
        raise ValueError("colours of more than sRGB without a profile (HDR) fit into .png or .avif")
    content = _pixels(image, "TIFF", options)
    lost = ["EXIF that cannot be read"] if metadata.exif and not exif.readable(metadata.exif) else []
    blocks = {tag: block for tag, block in blocks.items() if block}
    unnamed_alpha = isinstance(image, Deep) and image.alpha is not None
    return exif.into_tiff(content, metadata.exif, blocks, unnamed_alpha=unnamed_alpha), lost


def _by_pillow(image: Picture, metadata: Metadata, quality: int | None, name: str) -> tuple[bytes, list[str]]:
    """Formats whose blocks Pillow takes as bytes, and those that have none."""
    options: dict[str, Any] = {}
    lost: list[str] = []
    if name == "BMP" and metadata.density and metadata.density.unit != "aspect":
        scale = 1 if metadata.density.unit == "inch" else 0.0254
        options["dpi"] = (metadata.density.x * scale, metadata.density.y * scale)
    if name == "GIF" and metadata.comments:
        options["comment"] = metadata.comments[0]
    if name in {"WEBP", "AVIF", "HEIF", "JXL"}:
        block = exif.without(metadata.exif, exif.ORIENTATION) if name != "WEBP" else metadata.exif
        if block and name != "WEBP" and not exif.readable(block):
            block, lost = b"", ["EXIF that cannot be read"]
        held = {"exif": block, "xmp": metadata.xmp, "icc_profile": metadata.icc}
        default = WEBP_QUALITY if name == "WEBP" else AVIF_QUALITY
        options = {"quality": quality or default, **{key: value for key, value in held.items() if value}}
        options |= {"method": 4} if name == "WEBP" else {}
    content = _pixels(image, name, options)
    spaces = [chunk.body for chunk in metadata.chunks if chunk.kind == png.COLOUR_SPACE and len(chunk.body) == 4]
    if name == "AVIF" and spaces:
        content = riff.with_colour_space(content, *spaces[0][:2])
    return content, lost


def _pixels(image: Picture, name: str, options: dict[str, Any]) -> bytes:
    """Pillow's file of these pixels; with ``info`` empty nothing gets in that was not asked for."""
    if isinstance(image, Deep):
        return deep.coded(image, name, options)
    if isinstance(image, Animation):
        return animation.coded(image, name, options)
    bare = image.copy() if image.info else image
    bare.info = {}
    buffer = io.BytesIO()
    bare.save(buffer, format=name, **options)
    return buffer.getvalue()
