"""EXIF as bytes: ask it for what the pixels need, correct in place what marking makes untrue, leave the rest alone."""

import contextlib
import struct

from watermark.files.containers import tiff

PREFIX = b"Exif\0\0"
ORIENTATION, WIDTH, HEIGHT = 0x0112, 0x0100, 0x0101
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
THUMBNAIL, THUMBNAIL_BYTES = 0x0201, 0x0202
OF_THE_FILE = {
    *(0x00FE, 0x00FF, WIDTH, HEIGHT, 0x0102, 0x0103, 0x0106, 0x0107, 0x0108, 0x0109, 0x010A, 0x0111, 0x0115, 0x0116),
    *(0x0117, 0x0118, 0x0119, 0x011C, 0x0120, 0x0121, 0x0122, 0x0123, 0x0124, 0x0125, 0x0129, 0x012D, 0x013D, 0x0140),
    *(0x0141, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0150, 0x0151, 0x0152, 0x0153, 0x0154, 0x0155, 0x0156, 0x015B),
    *(0x0200, THUMBNAIL, THUMBNAIL_BYTES, 0x0203, 0x0205, 0x0206, 0x0207, 0x0208, 0x0209, 0x0211, 0x0212, 0x0213),
    *(0x0214, 0x80A4, 0x80E3, 0x80E4, 0x80E5, 0x80E6),
}
"""Tags that say how the pixels of one TIFF file lie in it, and so mean nothing in another."""
EXTRA_SAMPLES = 0x0152
XMP, IPTC, PHOTOSHOP, ICC = 700, 33723, 34377, 34675
"""Tags of a TIFF that other formats keep in blocks of their own."""


def bare(exif: bytes) -> bytes:
    """Without the prefix that JPEG asks for, and some WebP and PNG writers add."""
    return exif[len(PREFIX) :] if exif.startswith(PREFIX) else exif


def orientation(exif: bytes) -> int | None:
    """1 to 8; None where it is missing or no number."""
    order = tiff.order_of(exif)
    at = _find(exif, order, _first(exif, order), ORIENTATION) if order else None
    number = _number(exif, order, at) if order and at is not None else None
    return number if number is not None and 1 <= number <= 8 else None


def corrected(exif: bytes, size: tuple[int, int]) -> tuple[bytes, list[str]]:
    """The same bytes for an upright, marked picture of this size, and what was untrue of it.

    Nothing moves: numbers are written over where they stand, the thumbnail is cut off and blanked.
    """
    order = tiff.order_of(exif)
    if order is None:
        return exif, []
    content, untrue = bytearray(exif), []
    with contextlib.suppress(struct.error, IndexError):
        first = _first(exif, order)
        if orientation(exif) not in (None, 1):
            _put(content, order, _find(exif, order, first, ORIENTATION), 1)
        inside = _pointer(exif, order, first, tiff.EXIF)
        for at, tag, value in (
            (first, WIDTH, size[0]),
            (first, HEIGHT, size[1]),
            (inside, PIXEL_WIDTH, size[0]),
            (inside, PIXEL_HEIGHT, size[1]),
        ):
            place = _find(exif, order, at, tag) if at else None
            if place is not None and _number(exif, order, place) not in (None, value):
                _put(content, order, place, value)
                untrue.append("pixel size")
        if first and _cut_thumbnail(content, exif, order, first):
            untrue.append("thumbnail")
    return bytes(content), list(dict.fromkeys(untrue))


def without(exif: bytes, tag: int) -> bytes:
    """Without an entry of the first or the EXIF directory; its value is blanked, nothing else moves."""
    order = tiff.order_of(exif)
    if order is None:
        return exif
    first = _first(exif, order)
    for directory in (first, _pointer(exif, order, first, tiff.EXIF)):
        if (at := _find(exif, order, directory, tag)) is not None:
            return _cut_entry(exif, order, directory, at)
    return exif


def _cut_entry(exif: bytes, order: tiff.Order, directory: int, at: int) -> bytes:
    kind, count, where = struct.unpack_from(order + "HLL", exif, at + 2)
    size = tiff.SIZES.get(kind, 0) * count
    (entries,) = struct.unpack_from(order + "H", exif, directory)
    end = min(directory + 2 + 12 * entries + 4, len(exif))
    shorter = struct.pack(order + "H", entries - 1) + exif[directory + 2 : at] + exif[at + 12 : end]
    content = bytearray(exif[:directory] + shorter.ljust(end - directory, b"\0") + exif[end:])
    if size > 4 and where >= end and where + size <= len(content):
        content[where : where + size] = bytes(size)
    return bytes(content)


def of_tiff(data: bytes) -> tuple[bytes, dict[int, bytes], int]:
    """Of a TIFF file: EXIF of what describes the picture, its XMP, IPTC, Photoshop and ICC blocks, and its pages."""
    order = tiff.order_of_file(data)
    if order is None:
        return b"", {}, 1
    try:
        entries, following = tiff.read(data)
    except ValueError:
        return b"", {}, 1
    blocks = {one.tag: one.value for one in entries if one.tag in (XMP, IPTC, PHOTOSHOP, ICC)}
    kept = tuple(one for one in entries if one.tag not in OF_THE_FILE and one.tag not in blocks)
    return tiff.stream_of(kept, order) if kept else b"", blocks, _pages(data, order, following)


def into_tiff(data: bytes, exif: bytes, blocks: dict[int, bytes], *, unnamed_alpha: bool = False) -> bytes:
    """A TIFF file with a new first directory at its end: that of its own pixels, and what EXIF and blocks hold.

    Args:
        data: a file of nothing but pixels.
        exif: a stream, or nothing.
        blocks: further entries by tag.
        unnamed_alpha: its last sample is transparency, and its encoder did not say so.
    """
    order = tiff.order_of(data)
    if order is None:
        raise ValueError("not a TIFF file")
    own, following = tiff.read(data)
    described: list[tiff.Entry] = []
    if unnamed_alpha:
        described.append(tiff.Entry(EXTRA_SAMPLES, 3, 1, struct.pack(order + "H", 2)))
    with contextlib.suppress(ValueError):
        from_order = tiff.order_of(exif)
        entries = [one for one in tiff.read(exif)[0] if one.tag not in OF_THE_FILE and one.tag not in blocks]
        described += entries if from_order == order else [tiff.swapped(one) for one in entries]
    for tag, block in blocks.items():
        kind = 4 if tag == IPTC and len(block) % 4 == 0 else 7 if tag in (ICC, IPTC) else 1
        described.append(tiff.Entry(tag, kind, len(block) // tiff.SIZES[kind], block))
    replaced = {one.tag for one in described}
    merged = [one for one in own if one.tag not in replaced] + described  # a tag may stand there twice
    padded = data + bytes(len(data) % 2)
    directory = tiff.write(tuple(merged), order, len(padded), following)
    return padded[:4] + struct.pack(order + "L", len(padded)) + padded[8:] + directory


def _pages(data: bytes, order: tiff.Order, following: int) -> int:
    """Pages that are pictures of their own, not reduced copies; at most 3 are counted."""
    pages = 1
    for _ in range(8):
        if not following or pages > 2:
            break
        try:
            entries, following = tiff.read(data, following)
        except ValueError:
            break
        reduced = any(one.tag == 0x00FE and (one.number(order) or 0) & 1 for one in entries)
        pages += not reduced
    return pages


def _first(exif: bytes, order: tiff.Order | None) -> int:
    if order is None or len(exif) < 10:
        return 0
    at = int(struct.unpack_from(order + "L", exif, 4)[0])
    return at if 8 <= at <= len(exif) - 2 else 0


def _find(exif: bytes, order: tiff.Order | None, directory: int, tag: int) -> int | None:
    """Offset of the entry with this tag."""
    if not directory or order is None:
        return None
    (count,) = struct.unpack_from(order + "H", exif, directory)
    for at in range(directory + 2, min(directory + 2 + 12 * count, len(exif) - 11), 12):
        if struct.unpack_from(order + "H", exif, at)[0] == tag:
            return at
    return None


def _number(exif: bytes, order: tiff.Order, at: int) -> int | None:
    kind, count = struct.unpack_from(order + "HL", exif, at + 2)
    return tiff.Entry(0, kind, count, exif[at + 8 : at + 12]).number(order) if count == 1 else None


def _put(content: bytearray, order: tiff.Order, at: int | None, value: int) -> None:
    if at is not None:
        kind = struct.unpack_from(order + "H", content, at + 2)[0]
        if value >= 1 << (8 * tiff.UNITS[kind] - (kind > 4)):
            struct.pack_into(order + "H", content, at + 2, 4)
            kind = 4
        struct.pack_into(order + tiff.WHOLE[kind], content, at + 8, value)


def _pointer(exif: bytes, order: tiff.Order, directory: int, tag: int) -> int:
    at = _find(exif, order, directory, tag)
    target = None if at is None else _number(exif, order, at)
    return target if target and 8 <= target <= len(exif) - 2 else 0


def _cut_thumbnail(content: bytearray, exif: bytes, order: tiff.Order, first: int) -> bool:
    (count,) = struct.unpack_from(order + "H", exif, first)
    link = first + 2 + 12 * count
    if link + 4 > len(exif):
        return False
    (second,) = struct.unpack_from(order + "L", exif, link)
    if not 8 <= second <= len(exif) - 2:
        return False
    struct.pack_into(order + "L", content, link, 0)
    where = _find(exif, order, second, THUMBNAIL)
    length = _find(exif, order, second, THUMBNAIL_BYTES)
    if where is not None and length is not None:
        start, size = _number(exif, order, where) or 0, _number(exif, order, length) or 0
        if start >= 8 and size > 0 and start + size <= len(exif) and exif[start : start + 2] == b"\xff\xd8":
            content[start : start + size] = bytes(size)
    return True


def readable(exif: bytes) -> bool:
    """Whether it is a stream whose first directory can be walked."""
    try:
        return bool(tiff.read(exif)[0])
    except ValueError:
        return False
