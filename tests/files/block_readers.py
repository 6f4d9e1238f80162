"""Small readers of blocks in picture files: our own, so that those of the package are not asked about themselves."""

import io
import struct
import zlib

from PIL import Image

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
UNITS = SIZES | {5: 4, 10: 4}
EXIF, GPS, INTEROPERABILITY, ORIENTATION = 0x8769, 0x8825, 0xA005, 0x0112
XMP_HEAD, EXTENSION_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"


def walked(content, at=None, path=()):
    """Every value of a TIFF stream by its pointers and tag: kind, and numbers that begin with their greatest byte."""
    order = {b"II": "<", b"MM": ">"}[content[:2]]
    at = struct.unpack_from(order + "L", content, 4)[0] if at is None else at
    found = {}
    for n in range(struct.unpack_from(order + "H", content, at)[0]):
        tag, kind, count = struct.unpack_from(order + "HHL", content, at + 2 + 12 * n)
        size = SIZES[kind] * count
        where = at + 10 + 12 * n if size <= 4 else struct.unpack_from(order + "L", content, at + 10 + 12 * n)[0]
        value = content[where : where + size]
        if tag in (EXIF, GPS, INTEROPERABILITY):
            found |= walked(content, struct.unpack(order + "L", value)[0], (*path, tag))
            continue
        unit = UNITS[kind]
        if order == "<":
            value = b"".join(value[i : i + unit][::-1] for i in range(0, len(value), unit))
        found[(*path, tag)] = kind, value
    return found


def blocks_of(suffix, content):
    """EXIF, XMP, ICC profile, Photoshop's resources, comments and other pieces of a written file."""
    if suffix == ".jpg":
        return _of_jpeg(content)
    if suffix == ".png":
        return _of_png(content)
    if suffix == ".tiff":
        found = walked(content)
        held = {tag: found.get((tag,), (0, b""))[1] for tag in (700, 34675, 34377)}
        return {"exif": content, "xmp": held[700], "icc": held[34675], "resources": held[34377]}
    with Image.open(io.BytesIO(content)) as opened:
        exif = opened.info.get("exif", b"")
        return {
            "exif": exif.removeprefix(b"Exif\0\0"),
            "xmp": opened.info.get("xmp", b""),
            "icc": opened.info.get("icc_profile", b""),
        }


def _of_jpeg(content):
    found = {"exif": b"", "xmp": b"", "icc": b"", "resources": b"", "comments": [], "segments": [], "density": b""}
    at, profile, extension = 2, {}, {}
    while content[at + 1] != 0xDA:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        body = content[at + 4 : at + 2 + length]
        at += 2 + length
        if body.startswith(b"Exif\0\0"):
            found["exif"] = body[6:]
        elif body.startswith(XMP_HEAD):
            found["xmp"] = body[len(XMP_HEAD) :]
        elif body.startswith(EXTENSION_HEAD):
            rest = body[len(EXTENSION_HEAD) + 36 :]
            extension[int.from_bytes(rest[:4], "big")] = rest[4:]
            assert b'HasExtendedXMP="%s"' % body[len(EXTENSION_HEAD) :][:32] in found["xmp"]
        elif body.startswith(b"ICC_PROFILE\0"):
            profile[body[12]] = body[14:]
        elif body.startswith(b"Photoshop 3.0\0"):
            found["resources"] += body[14:]
        elif body.startswith(b"JFIF\0"):
            found["density"] = body[7:12]
        elif marker == 0xFE:
            found["comments"].append(body)
        elif 0xE0 <= marker <= 0xEF:
            found["segments"].append((marker, body))
    found["icc"] = b"".join(profile[n] for n in sorted(profile))
    found["xmp"] = b"".join(extension[n] for n in sorted(extension)) or found["xmp"]
    return found


def _of_png(content):
    found = {"exif": b"", "xmp": b"", "icc": b"", "chunks": []}
    at, late = 8, False
    while at < len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + length]
        at += 12 + length
        late = late or kind == b"IDAT"
        if kind == b"eXIf":
            found["exif"] = body
        elif body.startswith(b"XML:com.adobe.xmp\0\0\0\0\0"):
            found["xmp"] = body[len(b"XML:com.adobe.xmp") + 5 :]
        elif kind == b"iCCP":
            found["icc"] = zlib.decompress(body.partition(b"\0")[2][1:])
        if kind not in (b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"eXIf"):
            found["chunks"].append((kind, body, late))
    return found
