"""Valid picture files with metadata made by chance, in every place at once, and what is to be found of them."""

import io
import struct
import zlib
from dataclasses import dataclass, field

import hypothesis.strategies as st
import numpy as np
from block_readers import (
    EXIF,
    EXTENSION_HEAD,
    GPS,
    INTEROPERABILITY,
    ORIENTATION,
    SIZES,
    UNITS,
    XMP_HEAD,
    walked,
)
from PIL import Image
from raw_bytes import chunk, segment

FIRST = [0x010E, 0x010F, 0x0110, 0x011A, 0x0128, 0x0131, 0x0132, 0x013B, 0x4746, 0x8298, 0x9C9B, 0xC4A5, 0xFDE8]
INSIDE = [0x829A, 0x9000, 0x9003, 0x927C, 0x9286, 0xA001, 0xA420, 0xEA1C]
TURNED = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""The orientation that undoes each one, in NumPy's turns below."""
POINTER = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


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
