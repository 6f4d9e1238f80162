"""A file of one format: the pixels by Pillow or OpenCV, the metadata set in as the bytes that they are."""

import io
from typing import Any

from PIL import Image

from watermark.files import animation, deep, exif, opencv, xmp
from watermark.files.animation import Animation
from watermark.files.blocks import icc_chunk
from watermark.files.containers import jpeg, png, riff
from watermark.files.deep import Deep
from watermark.files.metadata import Density, Metadata
from watermark.files.modes import is_grey

Picture = Image.Image | Deep | Animation
QUALITY = {"JPEG": 95, "WEBP": 95, "JXL": 95, "AVIF": 90, "HEIF": 90}
"""Of the lossy formats, where nobody asked for one."""


def assemble(image: Picture, metadata: Metadata, name: str, quality: int | None) -> tuple[bytes, list[str]]:
    """The file, and the names of what of the metadata it could not take.

    Args:
        image: in a mode that the format holds.
        metadata: what the format has a place for.
        name: of the format, as Pillow names it.
        quality: of a lossy format, 1 to 100; None for its default, or as the picture was coded before.

    Raises:
        Exception: of any kind, from an encoder.
    """
    if name == "JPEG":
        return _jpeg(image, metadata, quality)
    if name == "PNG":
        return _png(image, metadata), []
    if name == "TIFF":
        return _tiff(image, metadata)
    return _by_pillow(image, metadata, quality, name)


def keeps_tables(image: Picture, metadata: Metadata) -> bool:
    """Whether a JPEG of this picture takes the tables of the JPEG that it came from, where no quality is asked for."""
    return metadata.coding is not None and len(metadata.coding.tables) >= (1 if is_grey(image) else 2)


def _jpeg(image: Picture, metadata: Metadata, quality: int | None) -> tuple[bytes, list[str]]:
    options: dict[str, Any] = {"optimize": True}
    coding = metadata.coding
    if quality is None and coding and keeps_tables(image, metadata):
        options["qtables"] = coding.tables
    else:
        options["quality"] = quality or QUALITY["JPEG"]  # beside tables it would scale them
    if coding:  # colours in full where Pillow has no name for how coarse they were
        options |= {"progressive": coding.progressive, "subsampling": max(0, coding.subsampling)}
    segments, rest = jpeg.split(_pixels(image, "JPEG", options))
    lost: list[str] = []
    added = []
    if metadata.exif:
        added.append(jpeg.Segment(jpeg.APP1, exif.PREFIX + metadata.exif))
    packet, extensions = metadata.xmp, list[bytes]()
    if metadata.xmp_extension:
        _, extensions = xmp.split_for_jpeg(metadata.xmp_extension)
        packet = xmp.pointing(packet, extensions)
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


def _png(image: Picture, metadata: Metadata) -> bytes:
    pixels = (opencv.fast_png(image) if isinstance(image, Image.Image) else None) or _pixels(image, "PNG", {})
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
    return png.join(pixels, chunks)


def _physical(density: Density) -> png.Chunk:
    x, y = density.x, density.y
    if density.unit == "inch":
        x, y = round(x / 0.0254), round(y / 0.0254)
    return png.Chunk(b"pHYs", x.to_bytes(4, "big") + y.to_bytes(4, "big") + bytes([density.unit != "aspect"]))


def _tiff(image: Picture, metadata: Metadata) -> tuple[bytes, list[str]]:
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
        options = {"quality": quality or QUALITY[name], **{key: value for key, value in held.items() if value}}
        if name == "WEBP":
            exact = {"lossless": True, "exact": True} if metadata.lossless and quality is None else {}
            options |= {"method": 4, **exact}
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
    bare = image.copy() if image.info or type(image) is not Image.Image else image  # of a TIFF it would take the tags
    bare.info = {}
    buffer = io.BytesIO()
    bare.save(buffer, format=name, **options)
    return buffer.getvalue()
