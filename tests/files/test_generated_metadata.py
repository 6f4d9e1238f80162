"""Valid files with metadata made by chance, in every place at once: what the target can hold is there byte for byte.

The readers here are our own small ones, not those of the package. CI tries some fixed cases;

    WATERMARK_FUZZ_SECONDS=1800 pytest -n 0 -s --timeout 0 tests/files/test_generated_metadata.py

goes on for half an hour of processor time with ever new ones, and says after every round how many there were.
"""

import io
import os
import struct
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from raw_bytes import chunk, segment

from watermark import files
from watermark.cli import main
from watermark.files import metadata

SECONDS = float(os.environ.get("WATERMARK_FUZZ_SECONDS", "0"))
CASES = 60
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
UNITS = SIZES | {5: 4, 10: 4}
EXIF, GPS, INTEROPERABILITY, ORIENTATION = 0x8769, 0x8825, 0xA005, 0x0112
FIRST = [0x010E, 0x010F, 0x0110, 0x011A, 0x0128, 0x0131, 0x0132, 0x013B, 0x4746, 0x8298, 0x9C9B, 0xC4A5, 0xFDE8]
INSIDE = [0x829A, 0x9000, 0x9003, 0x927C, 0x9286, 0xA001, 0xA420, 0xEA1C]
TURNED = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""The orientation that undoes each one, in NumPy's turns below."""
XMP_HEAD, EXTENSION_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
POINTER = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
TARGETS = [".png", ".jpg", ".webp", ".tiff", ".avif", ".bmp", ".ppm"]
EXACT = {".png", ".tiff"}


def turned(pixels, orientation):
    """As a viewer shows pixels ``(H, W, C)`` of this orientation."""
    across = pixels.swapaxes(0, 1)
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: across,
        6: across[:, ::-1],
        7: across[::-1, ::-1],
        8: across[::-1],
    }[orientation]


def directory(order, entries, at, following=0):
    """A TIFF directory to stand at an offset: ``entries`` maps a tag to (kind, value) or to entries of its own."""
    free, table, data = at + 2 + 12 * len(entries) + 4, b"", b""
    for tag, held in sorted(entries.items()):
        if isinstance(held, dict):
            inside = directory(order, held, free + len(data))
            table += struct.pack(order + "HHLL", tag, 4, 1, free + len(data))
            data += inside + bytes(len(inside) % 2)
            continue
        kind, value = held
        table += struct.pack(order + "HHL", tag, kind, len(value) // SIZES[kind])
        table += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "L", free + len(data))
        data += value + bytes(len(value) % 2) if len(value) > 4 else b""
    return struct.pack(order + "H", len(entries)) + table + struct.pack(order + "L", following) + data


def stream(order, entries, thumbnail=b""):
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    first = directory(order, entries, 8)
    if not thumbnail:
        return head + first
    at = 8 + len(first)
    where = at + 2 + 12 * 2 + 4
    long = lambda n: (4, struct.pack(order + "L", n))  # noqa: E731
    return (
        head
        + directory(order, entries, 8, at)
        + directory(order, {0x201: long(where), 0x202: long(len(thumbnail))}, at)
        + thumbnail
    )


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


@dataclass
class Case:
    """A generated file, and what is to be found in the one that is written from it."""

    suffix: str
    content: bytes = field(repr=False)
    upright: np.ndarray = field(repr=False)  # (H, W, C) as every viewer shows it
    exact: bool
    exif: bytes
    xmp: bytes
    icc: bytes
    resources: bytes
    previews: bytes
    comments: list[bytes]
    chunks: list[tuple[bytes, bytes, bool]]
    segments: list[tuple[int, bytes]]
    untrue: set[str]


VALUE = st.integers(1, 12).flatmap(
    lambda kind: st.integers(1, 9).flatmap(
        lambda count: st.tuples(st.just(kind), st.binary(min_size=SIZES[kind] * count, max_size=SIZES[kind] * count))
    )
)
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", categories=["L", "N", "P", "Zs", "S"]), max_size=40
)
KEYWORD = st.text(st.characters(codec="latin-1", categories=["L", "N"]), min_size=1, max_size=20)


@st.composite
def exif_streams(draw):
    """A stream, and the orientation that it states, if it does."""
    order = draw(st.sampled_from("<>"))
    entries = draw(st.dictionaries(st.sampled_from(FIRST), VALUE, max_size=5))
    orientation = draw(st.none() | st.integers(1, 8))
    if orientation:
        kind, form = draw(st.sampled_from([*{1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l"}.items()]))
        entries[ORIENTATION] = kind, struct.pack(order + form, orientation)
    inside = draw(st.dictionaries(st.sampled_from(INSIDE), VALUE, max_size=4))
    if draw(st.booleans()):
        inside[0xA002] = draw(st.sampled_from([(4, struct.pack(order + "L", 9999)), (1, b"\7")]))
    if draw(st.booleans()):
        inside[INTEROPERABILITY] = draw(st.dictionaries(st.sampled_from([1, 2]), VALUE, min_size=1))
    if inside:
        entries[EXIF] = inside
    if draw(st.booleans()):
        entries[GPS] = draw(st.dictionaries(st.sampled_from([0, 1, 2, 3, 4, 7, 29]), VALUE, min_size=1))
    thumbnail = draw(st.just(b"") | st.binary(max_size=40).map(lambda body: b"\xff\xd8" + body + b"\xff\xd9"))
    entries = entries or {0x010F: (2, b"M\0")}
    return stream(order, entries, thumbnail), orientation, thumbnail


@st.composite
def packets(draw):
    """An XMP packet, and the orientation that it states, if it does."""
    orientation = draw(st.none() | st.integers(1, 8))
    words = draw(TEXT).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace(":", "")
    filler = "x" * draw(st.sampled_from([0, 0, 0, 70_000]))
    stated = f' tiff:Orientation="{orientation}"' if orientation else ""
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{stated}>'
        f"<tiff:Make>{words}{filler}</tiff:Make></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return packet.encode(), orientation


def drawn_pixels(draw, side):
    """``(H, W, C)`` with C 1 to 4, smooth, so that a JPEG of it is near it."""
    height, width = draw(st.sampled_from([(side, side + 16), (side + 16, side)]))
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 60 * np.sin(x / 19 + c) + 50 * np.cos(y / (15 + c)) for c in range(4)]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def resource(number, body):
    return b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">L", len(body)) + body + bytes(len(body) % 2)


@st.composite
def cases(draw, side=40):
    suffix = draw(st.sampled_from([".jpg", ".png", ".png", ".tiff", ".webp"]))
    exif, of_exif, thumbnail = draw(st.just((b"", None, b"")) | exif_streams())
    xmp, of_xmp = draw(st.just((b"", None)) | packets())
    upright = drawn_pixels(draw, side)
    planes = draw(st.sampled_from({".jpg": [1, 3], ".png": [1, 2, 3, 4], ".tiff": [1, 3, 4], ".webp": [3, 4]}[suffix]))
    upright = upright[..., :planes]
    space = b"GRAY" if planes < 3 else b"RGB "
    icc = draw(
        st.just(b"") | st.sampled_from([200, 70_000, 140_000]).map(lambda n: (bytes(16) + space + b"pattern" * n)[:n])
    )
    stored = turned(upright, TURNED.get(of_exif or of_xmp or 1, 1))
    case = Case(suffix, b"", upright, suffix != ".jpg", exif, xmp, icc, b"", b"", [], [], [], set())
    case.untrue |= {"thumbnail"} if thumbnail else set()
    picture = Image.fromarray(stored[..., 0] if planes == 1 else stored, {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[planes])
    buffer = io.BytesIO()
    if suffix == ".jpg":
        _jpeg(draw, case, picture, buffer)
    elif suffix == ".png":
        _png(draw, case, picture, buffer)
    elif suffix == ".webp":
        blocks = {"exif": exif, "xmp": xmp, "icc_profile": icc}
        picture.save(buffer, "WEBP", lossless=True, exact=True, **{name: held for name, held in blocks.items() if held})
        case.content = buffer.getvalue()
    else:
        case.content = _tiff(case, stored, exif, thumbnail)
    return case


def _jpeg(draw, case, picture, buffer):
    picture.save(buffer, "JPEG", quality=95, dpi=(72, 90))
    blocks = []
    if case.exif:
        blocks.append(segment(0xE1, b"Exif\0\0" + case.exif))
    if len(case.xmp) > 65_000:
        name = b"%032X" % 7
        blocks.append(segment(0xE1, XMP_HEAD + POINTER % name))
        for at in range(0, len(case.xmp), 60_000):
            head = EXTENSION_HEAD + name + struct.pack(">LL", len(case.xmp), at)
            blocks.append(segment(0xE1, head + case.xmp[at : at + 60_000]))
    elif case.xmp:
        blocks.append(segment(0xE1, XMP_HEAD + case.xmp))
    parts = [case.icc[at : at + 65_000] for at in range(0, len(case.icc), 65_000)]
    blocks += [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, len(parts)]) + part) for n, part in enumerate(parts, 1)]
    case.resources = b"".join(
        resource(n, draw(st.binary(max_size=30)))
        for n in draw(st.lists(st.sampled_from([1028, 1000, 1061]), max_size=2))
    )
    case.previews = draw(st.just(b"") | st.binary(min_size=20, max_size=40).map(lambda body: resource(1036, body)))
    if case.resources or case.previews:
        blocks.append(segment(0xED, b"Photoshop 3.0\0" + case.resources + case.previews))
    case.untrue |= {"thumbnail"} if case.previews else set()
    case.comments = draw(st.lists(st.binary(max_size=50), max_size=2))
    case.segments = draw(st.lists(st.tuples(st.integers(0xE3, 0xEA), st.binary(min_size=1, max_size=50)), max_size=2))
    blocks += [segment(marker, body) for marker, body in case.segments]
    if draw(st.booleans()):
        blocks.append(segment(0xEB, b"JP\0\x01\0\0\0\x01\0\0\0\x30jumbc2pa manifest"))
        case.untrue.add("C2PA manifest")
    blocks = draw(st.permutations(blocks)) if len(case.icc) < 65_000 > len(case.xmp) else blocks
    case.segments.sort(key=lambda one: blocks.index(segment(*one)))
    blocks += [segment(0xFE, comment) for comment in case.comments]
    data = buffer.getvalue()
    case.content = data[:20] + b"".join(blocks) + data[20:]


def _png(draw, case, picture, buffer):
    picture.save(buffer, "PNG")
    as_text = draw(st.booleans())
    early, late = [], []

    def put(kind, body, where=None):
        late_one = draw(st.booleans()) if where is None else where
        (late if late_one else early).append(chunk(kind, body))
        return kind, body, late_one

    if case.exif and as_text:
        block = b"Exif\0\0" + case.exif
        text = b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"
        word = draw(st.sampled_from([b"exif", b"APP1"]))
        put(b"zTXt", b"Raw profile type " + word + b"\0\0" + zlib.compress(text))
    elif case.exif:
        put(b"eXIf", case.exif)
    if case.xmp:
        packed = draw(st.booleans())
        put(
            b"iTXt",
            b"XML:com.adobe.xmp\0" + bytes([packed]) + b"\0\0\0" + (zlib.compress(case.xmp) if packed else case.xmp),
        )
    keywords = draw(st.lists(KEYWORD.map(lambda one: one.encode("latin-1")), max_size=3, unique=True))
    for keyword in keywords:
        words = draw(TEXT).encode()
        kind = draw(st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]))
        body = {b"tEXt": b"\0" + words, b"zTXt": b"\0\0" + zlib.compress(words), b"iTXt": b"\0\0\0de\0Wort\0" + words}[
            kind
        ]
        case.chunks.append(put(kind, keyword + body))
    colours = {
        b"gAMA": struct.pack(">L", 45455),
        b"cHRM": struct.pack(">8L", *range(1, 9)),
        b"sRGB": b"\1",
        b"cICP": b"\x0c\x0d\0\1",
        b"pHYs": draw(
            st.tuples(st.integers(1, 99_999), st.integers(1, 99_999), st.integers(0, 1)).map(
                lambda p: struct.pack(">LLB", *p)
            )
        ),
        b"vpAg": draw(st.binary(max_size=20)),
    }
    for kind in draw(st.lists(st.sampled_from(sorted(colours)), unique=True, max_size=4)):
        case.chunks.append(put(kind, colours[kind], where=False))
    if case.icc:
        case.chunks.append(put(b"iCCP", b"a name\0\0" + zlib.compress(case.icc), where=False))
    for kind, body, name in (
        (b"tIME", b"\x07\xe0\1\1\1\1\1", "tIME"),
        (b"caBX", b"jumb", "C2PA manifest"),
        (b"abCD", b"x", "chunk abCD"),
    ):
        if draw(st.integers(0, 3)) == 0:
            put(kind, body, where=False)
            case.untrue.add(name)
    data = buffer.getvalue()
    at, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    case.content = data[:at] + b"".join(early) + data[at:end] + b"".join(late) + data[end:]


def _tiff(case, stored, exif, thumbnail):
    """A TIFF of one strip; EXIF's first directory is its own."""
    order = "<" if exif[:2] != b"MM" else ">"
    height, width, planes = stored.shape
    short, long = (lambda *n: (3, struct.pack(f"{order}{len(n)}H", *n))), (lambda n: (4, struct.pack(order + "L", n)))
    entries = {
        256: long(width),
        257: long(height),
        258: short(*[8] * planes),
        259: short(1),
        262: short(2 if planes > 2 else 1),
    }
    entries |= {273: long(8), 277: short(planes), 278: long(height), 279: long(stored.size)}
    entries |= {338: short(2)} if planes == 4 else {}
    own, body = {}, stored.tobytes() + bytes(stored.size % 2)
    for path, (kind, value) in walked(exif).items() if exif else ():
        if order == "<":
            value = b"".join(value[i : i + UNITS[kind]][::-1] for i in range(0, len(value), UNITS[kind]))
        where = own
        for pointer in path[:-1]:
            where = where.setdefault(pointer, {})
        where[path[-1]] = kind, value
    for tag, block in ((700, case.xmp), (34675, case.icc)):
        own |= {tag: (1 if tag == 700 else 7, block)} if block else {}
    case.untrue -= {"thumbnail"}  # the next directory of a TIFF is a page, not a thumbnail
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8 + len(body))
    return head + body + directory(order, entries | own, 8 + len(body))


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


def true_values(exif, size):
    """What of a stream is to be found again: everything but what says how the pixels lie."""
    found = walked(exif) if exif else {}
    found.pop((ORIENTATION,), None)
    if (EXIF, 0xA002) in found:
        kind = found[EXIF, 0xA002][0]
        found[EXIF, 0xA002] = kind, struct.pack({1: "B", 4: ">L"}[kind], size[0])
    return found


def check(case, target):
    """Write a case in another format and look for everything in it."""
    source = files.decode(case.content, "a", strict=True)
    held = metadata.of(source)
    assert set(held.dropped) == case.untrue
    assert np.array_equal(np.asarray(source).reshape(case.upright.shape), case.upright) or not case.exact
    encoded = files.encode(source, Path(f"a{target}"))
    content, lost = encoded.content, set(encoded.lost)
    written = np.asarray(files.decode(content, "b"))
    planes = case.upright.shape[2]
    if case.exact and target in EXACT:
        assert np.array_equal(written.reshape(case.upright.shape), case.upright)
    elif planes in (1, 3):
        seen = np.broadcast_to(written.reshape(*written.shape[:2], -1)[..., :3], (*case.upright.shape[:2], 3))
        assert np.abs(seen.astype(int) - case.upright).mean() < 6
    else:
        assert ("transparency, laid on white" in lost) == (
            target in {".jpg", ".bmp", ".ppm"} and (case.upright[..., -1] < 255).any()
        )
    check_blocks(case, target, content, lost)


def check_blocks(case, target, content, lost):
    """Look for everything but the pixels in a written file."""
    planes, size = case.upright.shape[2], case.upright.shape[1::-1]
    xmp = case.xmp
    for number in range(1, 9):
        xmp = xmp.replace(b'tiff:Orientation="%d"' % number, b'tiff:Orientation="1"')
    if target in {".bmp", ".ppm"}:
        assert {"EXIF", "XMP", "colour profile"} & lost == {
            name for name, block in (("EXIF", case.exif), ("XMP", xmp), ("colour profile", case.icc)) if block
        }
        return
    found = blocks_of(target, content)
    wanted = true_values(case.exif, size)
    there = walked(found["exif"]) if found["exif"] else {}
    assert wanted.items() <= there.items()
    assert there.get((ORIENTATION,), (0, b"\1"))[1][-1:] == b"\1"
    assert found["xmp"] == xmp or (case.suffix == ".jpg" and len(xmp) > 65_000 and xmp[200:-60] in found["xmp"])
    grey = planes < 3
    if grey and target in {".webp", ".avif"} and case.icc:
        assert any(one.startswith("colour profile") for one in lost)
        assert not found["icc"]
    else:
        assert found["icc"] == case.icc
    if case.resources and target in {".jpg", ".tiff"}:
        assert found["resources"] == case.resources
    assert ("IPTC" in lost) == bool(case.resources and target not in {".jpg", ".tiff"})
    if target == ".jpg":
        assert found["comments"] == case.comments
        assert found["segments"] == case.segments
    elif target == ".png":
        texts = [body for kind, body, _ in found["chunks"] if kind == b"tEXt"]
        assert all(b"Comment\0" + comment.replace(b"\0", b"") in texts for comment in case.comments)
        ordered = [one for one in sorted(case.chunks, key=lambda one: one[2]) if one[0] != b"pHYs"]
        assert [one for one in found["chunks"] if one in ordered] == ordered
        assert set(case.chunks) <= set(found["chunks"])
    else:
        assert ("comment" in lost) == bool(case.comments)
    assert ("JPEG segments" in lost) == bool(case.segments and target != ".jpg")
    if target != ".png":
        kinds = {kind for kind, _, _ in case.chunks}
        assert any(one.startswith("PNG text") for one in lost) == bool(kinds & {b"tEXt", b"zTXt", b"iTXt"})
        for kind in kinds & {b"gAMA", b"cHRM", b"vpAg"}:
            assert any(kind.decode() in one for one in lost)


def options(**more):
    return settings(
        phases=[Phase.generate], deadline=None, database=None, suppress_health_check=list(HealthCheck), **more
    )


def test_what_the_target_can_hold_is_there_and_what_it_cannot_is_named():
    counts = Counter()
    until = time.process_time() + SECONDS

    @options(max_examples=CASES, derandomize=not SECONDS)
    @given(cases(), st.sampled_from(TARGETS))
    def case(made, target):
        counts[f"{made.suffix} to {target}"] += 1
        check(made, target)

    case()
    while time.process_time() < until:
        hypothesis.seed(time.time_ns())(case)()
        sys.stdout.write(
            f"{sum(counts.values())} cases after {time.process_time():.0f} CPU s: {dict(sorted(counts.items()))}\n"
        )
        sys.stdout.flush()
    assert len(counts) > 10


def test_the_command_answers_with_0_and_names_what_is_gone(tmp_path, capsys):
    @options(max_examples=8, derandomize=True)
    @given(cases(side=224), st.sampled_from(TARGETS))
    def case(made, target):
        source, marked = tmp_path / f"in{made.suffix}", tmp_path / f"out{target}"
        source.write_bytes(made.content)
        words = ["embed", str(source), str(marked), "--overwrite", "--provider", "1", "--content", "2"]
        assert main([*words, "--scheme", "dwt_dct", "--set", "target_psnr=34", "--preflight", "none"]) == 0
        told = capsys.readouterr()
        assert len(told.out.splitlines()) == 1
        encoded = files.encode(files.load(source), marked)
        names = {*made.untrue, *encoded.lost}
        assert all(name in told.err for name in names)
        assert len(told.err.splitlines()) == bool(made.untrue) + bool(encoded.lost)
        assert main(["detect", str(marked), "--scheme", "dwt_dct", "--set", "target_psnr=34"]) == 0
        capsys.readouterr()
        check_blocks(made, target, marked.read_bytes(), set(encoded.lost))

    case()
