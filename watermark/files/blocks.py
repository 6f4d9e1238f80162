"""From a file's bytes to its metadata, and to bytes that hold nothing but what a decoder needs."""

import re
import zlib
from collections.abc import Callable
from dataclasses import replace

from watermark.errors import UserError
from watermark.files import exif, xmp
from watermark.files.containers import jpeg, png, riff, tiff_layout
from watermark.files.metadata import FURTHER, Density, Metadata

_JFIF, _ICC, _PHOTOSHOP = b"JFIF\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
_PREVIEWS = {1033, 1036}  # Photoshop's thumbnails
MAX_RAW_PROFILES = 8
"""Texts that are unpacked to see whether they are EXIF or XMP."""
_TOO_MANY = f"all but the first {png.KEPT:,} blocks of metadata"
_RAW_PROFILE = re.compile(r"Raw profile type (exif|app1|xmp)$", re.I)


def gather(name: str, data: bytes) -> tuple[Metadata, bytes]:
    """The metadata of a file of a named format, and the file without what its decoder can do without.

    Damaged metadata never costs the picture: what cannot be walked is named under ``dropped``.

    Raises:
        UserError: the pixels are made to cost a decoder more than any picture does; without the file's name.
    """
    readers: dict[str, Callable[[bytes], tuple[Metadata, bytes]]] = {"JPEG": _jpeg, "PNG": _png, "TIFF": _tiff}
    try:
        found, pixels = readers.get(name, _other)(data)
        return replace(found, source=name), pixels
    except UserError:
        raise
    except Exception:  # a decoder may still make something of the pixels
        return Metadata(source=name, dropped=("metadata that cannot be read",)), data


def _other(data: bytes) -> tuple[Metadata, bytes]:
    inside = riff.webp_chunks(data) if data[:4] == b"RIFF" else []
    c2pa = b"C2PA" in inside or (data[4:8] == b"ftyp" and riff.holds_c2pa_box(data))
    space = riff.colour_space(data) if data[4:8] == b"ftyp" else None
    chunks = (png.Chunk(png.COLOUR_SPACE, bytes([*space, 0, 1])),) if space else ()
    return Metadata(dropped=("C2PA manifest",) if c2pa else (), chunks=chunks, lossless=b"VP8L" in inside), data


def _tiff(data: bytes) -> tuple[Metadata, bytes]:
    layout = tiff_layout.layout_of(data)
    tiff_layout.refuse_unread(data, layout)
    found, blocks, pages = exif.of_tiff(data)
    return Metadata(
        frames=pages,
        dropped=("samples that are neither colours nor transparency",) if 0 in layout.extra[1:] else (),
        exif=found,
        xmp=blocks.get(exif.XMP, b""),
        icc=blocks.get(exif.ICC, b""),
        photoshop=blocks.get(exif.PHOTOSHOP, b""),
        iptc=blocks.get(exif.IPTC, b""),
    ), data


def _jpeg(data: bytes) -> tuple[Metadata, bytes]:
    segments, rest = jpeg.split(data)
    jpeg.check_frame(segments)
    jpeg.check_scans(rest)
    found = Metadata()
    extension, profile, other, dropped = list[bytes](), dict[int, bytes](), list[jpeg.Segment](), list[str]()
    comments, resources = list[bytes](), list[bytes]()
    described = [one for one in segments if one.is_metadata]
    dropped += [_TOO_MANY] * (len(described) == jpeg.KEPT)
    for one in described:
        body = one.payload
        if one.marker == jpeg.COM:
            comments.append(body)
        elif body.startswith(_JFIF):
            found = replace(found, density=_jfif_density(body))
        elif body.startswith(b"JFXX\0"):
            dropped.append("thumbnail")
        elif body.startswith(exif.PREFIX) and not found.exif:
            found = replace(found, exif=exif.bare(body))
        elif body.startswith(xmp.JPEG_HEAD) and not found.xmp:
            found = replace(found, xmp=body[len(xmp.JPEG_HEAD) :])
        elif body.startswith(xmp.EXTENSION_HEAD):
            extension.append(body)
        elif one.marker == jpeg.APP2 and body.startswith(_ICC) and len(body) > 14:
            profile[body[12]] = body[14:]
        elif one.marker == jpeg.APP13 and body.startswith(_PHOTOSHOP):
            resources.append(body[len(_PHOTOSHOP) :])
        elif one.marker == jpeg.APP2 and (body.startswith(b"MPF\0") or b"21496" in body[:40]):
            dropped.append(FURTHER)
        elif one.marker == jpeg.APP11 and b"c2pa" in body:
            dropped.append("C2PA manifest")
        else:
            other.append(one)
    if jpeg.after_the_picture(rest) and not dropped:
        dropped.append(f"{jpeg.after_the_picture(rest)} bytes after the picture")
    if "C2PA manifest" in dropped:  # its further segments do not repeat its name
        other = [one for one in other if one.marker != jpeg.APP11]
    photoshop, cut = _without_previews(b"".join(resources))
    dropped += ["thumbnail"] * cut
    rest_of_xmp = xmp.extension_of(extension, found.xmp)
    dropped += ["the damaged rest of a large XMP packet"] * (bool(extension) and not rest_of_xmp)
    found = replace(
        found,
        icc=b"".join(profile[number] for number in sorted(profile)),
        xmp_extension=rest_of_xmp,
        photoshop=photoshop,
        comments=tuple(comments),
        segments=tuple(other),
        dropped=tuple(dict.fromkeys(dropped)),
    )
    return found, jpeg.join([one for one in segments if not one.is_metadata], rest)


def _jfif_density(body: bytes) -> Density | None:
    if len(body) < 12:
        return None
    x, y = int.from_bytes(body[8:10], "big"), int.from_bytes(body[10:12], "big")
    if not x or not y:
        return None
    return {0: Density(x, y, "aspect"), 1: Density(x, y, "inch"), 2: Density(x * 100, y * 100, "metre")}.get(body[7])


def _without_previews(resources: bytes) -> tuple[bytes, bool]:
    """Photoshop's resources without its thumbnails; what cannot be walked stays as it is."""
    kept, at, cut = [], 0, False
    while at + 12 <= len(resources) and resources[at : at + 4] == b"8BIM":
        name_length = resources[at + 6] + 1
        head = at + 6 + name_length + name_length % 2
        size = int.from_bytes(resources[head : head + 4], "big")
        end = head + 4 + size + size % 2
        if int.from_bytes(resources[at + 4 : at + 6], "big") in _PREVIEWS:
            cut = True
        else:
            kept.append(resources[at:end])
        at = end
    return b"".join([*kept, resources[at:]]), cut


def _png(data: bytes) -> tuple[Metadata, bytes]:
    chunks, pixels, damaged = png.split(data)
    found, kept, dropped = Metadata(), list[png.Chunk](), ["damaged chunks"] * (damaged > 0)
    dropped += [_TOO_MANY] * (len(chunks) == png.KEPT)
    for chunk in chunks:
        if chunk.kind == b"eXIf":
            dropped += ["a second EXIF block"] * bool(found.exif)
            found = replace(found, exif=found.exif or exif.bare(chunk.body))
        elif chunk.kind == b"iTXt" and chunk.keyword.encode("latin-1") == xmp.PNG_KEYWORD:
            packet = png.text_of(chunk)
            dropped += ["damaged XMP" if packet is None else "a second XMP block"] * bool(found.xmp or packet is None)
            found = replace(found, xmp=found.xmp or packet or b"")
        elif chunk.kind == b"iCCP" and any(one.kind == b"iCCP" for one in kept):
            dropped.append("a second colour profile")
        elif chunk.kind == b"iCCP":
            profile = png.inflate(chunk.body.partition(b"\0")[2][1:])
            dropped += ["a damaged colour profile"] * (not profile)
            found = replace(found, icc=profile or b"")
            kept += [chunk] * bool(profile)
        elif chunk.kind == b"pHYs" and len(chunk.body) == 9:
            found = replace(found, density=_physical(chunk.body))
        elif chunk.kind == b"caBX":
            dropped.append("C2PA manifest")
        elif chunk.kind == b"acTL":
            found = replace(found, frames=max(1, int.from_bytes(chunk.body[:4], "big")))
        elif chunk.kind in (b"fcTL", b"fdAT"):
            continue
        elif chunk.kind in (b"tIME", b"bKGD", b"hIST", b"sBIT"):
            dropped.append(chunk.kind.decode())
        elif chunk.kind.isalpha() and (chunk.kind[3] & 32 or chunk.kind in _KNOWN):
            kept.append(chunk)
        else:
            dropped.append(f"chunk {chunk.kind[:4].decode('latin-1')}")  # unsafe to copy, by its own name
    found = replace(found, chunks=tuple(kept), dropped=tuple(dict.fromkeys(dropped)))
    return _raw_profiles(found), pixels


_KNOWN = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"oFFs", b"pCAL", b"sCAL"}


def _physical(body: bytes) -> Density | None:
    x, y = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    return Density(x, y, "metre" if body[8] == 1 else "aspect") if x and y else None


def _raw_profiles(found: Metadata) -> Metadata:
    """EXIF and XMP that ImageMagick wrote as hexadecimal text; taken as such where there is no chunk of their own."""
    chunks, tried = [], 0
    for chunk in found.chunks:
        kind = _RAW_PROFILE.match(chunk.keyword) if tried < MAX_RAW_PROFILES else None
        tried += kind is not None
        content = _unhexed(png.text_of(chunk)) if kind else None
        if content is None:
            chunks.append(chunk)
            continue
        is_xmp = content.startswith(xmp.JPEG_HEAD) or content[:1] == b"<"
        body = content.removeprefix(xmp.JPEG_HEAD) if is_xmp else exif.bare(content)
        if (found.xmp if is_xmp else found.exif) not in (b"", body):
            found = replace(found, dropped=(*found.dropped, f"a second {'XMP' if is_xmp else 'EXIF'} block"))
        elif is_xmp:
            found = replace(found, xmp=body)
        else:
            found = replace(found, exif=body)
    return replace(found, chunks=tuple(chunks))


def _unhexed(text: bytes | None) -> bytes | None:
    """The bytes of a raw profile text: a name, a length, and hexadecimal digits in lines."""
    words = (text or b"").split()
    try:
        return bytes.fromhex(b"".join(words[2:]).decode("ascii")) if len(words) > 2 else None
    except ValueError:
        return None


def icc_chunk(profile: bytes) -> png.Chunk:
    """A PNG chunk with a colour profile."""
    return png.Chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
