"""TIFF directories, which EXIF is made of too: read as bytes, written elsewhere, whatever types the entries have.

TIFF 6.0 (1992), BigTIFF (2007, only read), EXIF 3.0 (CIPA DC-008, 2023). An entry's value is bytes in its own byte
order and is never interpreted unless somebody asks for a number.
"""

import struct
from dataclasses import dataclass, replace
from typing import Literal

Order = Literal["<", ">"]
UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}  # bytes that swap as one
WHOLE = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l"}
SIZES = UNITS | {5: 8, 10: 8}
_BIG_SIZES = SIZES | {16: 8, 17: 8, 18: 8}
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
POINTERS = {EXIF, GPS, INTEROPERABILITY}
MAX_ENTRIES = 2_000


@dataclass(frozen=True)
class Entry:
    """One entry of a directory; ``directory`` holds the entries that a pointer leads to."""

    tag: int
    kind: int
    count: int
    value: bytes
    directory: "tuple[Entry, ...] | None" = None

    def numbers(self, order: Order) -> tuple[int, ...]:
        """The whole numbers of bytes, shorts or longs, with a sign or without; none of anything else."""
        if self.kind not in WHOLE:
            return ()
        return struct.unpack_from(f"{order}{self.count}{WHOLE[self.kind]}", self.value)

    def number(self, order: Order) -> int | None:
        """The first of them."""
        return next(iter(self.numbers(order)), None)


def order_of(stream: bytes) -> Order | None:
    """Byte order of a TIFF stream, as EXIF is one; None if it is none."""
    heads: dict[bytes, Order] = {b"II*\0": "<", b"MM\0*": ">"}
    return heads.get(stream[:4])


def order_of_file(data: bytes) -> Order | None:
    """Byte order of a TIFF file, a BigTIFF too."""
    heads: dict[bytes, Order] = {b"II+\0\x08\0\0\0": "<", b"MM\0+\0\x08\0\0": ">"}
    return order_of(data) or heads.get(data[:8])


def read(stream: bytes, at: int | None = None) -> tuple[tuple[Entry, ...], int]:
    """A directory at an offset (None: the first one) and the offset of the next, 0 if there is none.

    Entries that lead out of the stream or round in circles are left out, as are those of unknown types. The numbers of
    64 bits of a BigTIFF come as numbers of 32, or not at all.

    Raises:
        ValueError: there is no directory.
    """
    order = order_of_file(stream)
    if order is None or len(stream) < 16:
        raise ValueError("not a TIFF stream")
    return (_Reader if order_of(stream) else _BigReader)(stream, order).directory(at)


class _Reader:
    """Reads directories with an allowance: many entries may name one large value, pointers may go in circles."""

    start, number, count, entry_size, inside = 4, "L", "H", 12, 4
    sizes = SIZES

    def __init__(self, stream: bytes, order: Order) -> None:
        self.stream, self.order = stream, order
        self.allowance, self.seen = 2 * len(stream) + 4096, set[int]()

    def directory(self, at: int | None) -> tuple[tuple[Entry, ...], int]:
        at = self.unpacked(self.number, self.start) if at is None else at
        if not 8 <= at <= len(self.stream) - struct.calcsize("<" + self.count) or at in self.seen:
            raise ValueError("a directory lies outside of the stream or was seen already")
        self.seen.add(at)
        count, first = self.unpacked(self.count, at), at + struct.calcsize("<" + self.count)
        entries = [self.entry(first + self.entry_size * n) for n in range(min(count, MAX_ENTRIES))]
        end = first + self.entry_size * count
        fits = end + struct.calcsize("<" + self.number) <= len(self.stream)
        return tuple(entry for entry in entries if entry is not None), self.unpacked(self.number, end) if fits else 0

    def unpacked(self, form: str, at: int) -> int:
        return int(struct.unpack_from(self.order + form, self.stream, at)[0])

    def entry(self, at: int) -> Entry | None:
        if at + self.entry_size > len(self.stream):
            return None
        tag, kind, count = struct.unpack_from(self.order + "HH" + self.number, self.stream, at)
        size = self.sizes.get(kind, 0) * count
        held = at + self.entry_size - self.inside
        where = held if size <= self.inside else self.unpacked(self.number, held)
        self.allowance -= size
        if not size or where + size > len(self.stream) or self.allowance < 0:
            return None
        entry = self.of_32_bits(Entry(tag, kind, count, self.stream[where : where + size]))
        if tag not in POINTERS or entry is None:
            return entry
        target = entry.number(self.order)
        try:
            return None if target is None else replace(entry, directory=self.directory(target)[0])
        except ValueError:
            return None

    def of_32_bits(self, entry: Entry) -> Entry | None:
        return entry


class _BigReader(_Reader):
    """The same with offsets and counts of 64 bits."""

    start, number, count, entry_size, inside = 8, "Q", "Q", 20, 8
    sizes = _BIG_SIZES

    def of_32_bits(self, entry: Entry) -> Entry | None:
        if entry.kind not in (16, 17, 18):
            return entry
        wide, kind, narrow = ("q", 9, "l") if entry.kind == 17 else ("Q", 4, "L")
        values = struct.unpack(f"{self.order}{entry.count}{wide}", entry.value)
        try:
            return replace(entry, kind=kind, value=struct.pack(f"{self.order}{entry.count}{narrow}", *values))
        except struct.error:
            return None


def write(entries: tuple[Entry, ...], order: Order, at: int, following: int = 0) -> bytes:
    """A directory and all that it leads to, to stand at an even offset of a stream of this byte order."""
    entries = tuple(sorted(entries, key=lambda entry: entry.tag))
    table, data = [], bytearray()
    free = at + 2 + 12 * len(entries) + 4
    for entry in entries:
        value, kind, count = entry.value, entry.kind, entry.count
        if entry.directory is not None:
            value, kind, count = struct.pack(order + "L", free + len(data)), 4, 1
            data += write(entry.directory, order, free + len(data))
        elif len(value) > 4:
            where = struct.pack(order + "L", free + len(data))
            data += value + bytes(len(value) % 2)
            value = where
        table.append(struct.pack(order + "HHL", entry.tag, kind, count) + value.ljust(4, b"\0"))
    return struct.pack(order + "H", len(entries)) + b"".join(table) + struct.pack(order + "L", following) + bytes(data)


def stream_of(entries: tuple[Entry, ...], order: Order) -> bytes:
    """A stream with one directory, as EXIF is carried in other formats."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "L", 8) + write(entries, order, 8)


def swapped(entry: Entry) -> Entry:
    """The same entry in the other byte order."""
    unit = UNITS[entry.kind]
    value = entry.value
    if unit > 1:
        value = b"".join(value[i : i + unit][::-1] for i in range(0, len(value), unit))
    inside = None if entry.directory is None else tuple(swapped(one) for one in entry.directory)
    return replace(entry, value=value, directory=inside)
