"""WebP (RIFF) chunks and the boxes of AVIF and HEIF: only looked at, never rewritten; Pillow carries their blocks."""

C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def webp_chunks(data: bytes) -> list[bytes]:
    """The four-letter names of the chunks in a WebP file."""
    names: list[bytes] = []
    at = 12
    while at + 8 <= len(data) and len(names) < 1000:
        names.append(data[at : at + 4])
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return names


def holds_c2pa_box(data: bytes) -> bool:
    """Whether an AVIF or HEIF file has a C2PA manifest among its outermost boxes."""
    at = 0
    for _ in range(1000):
        if at + 8 > len(data):
            return False
        length, head = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if data[at + 4 : at + 8] == b"uuid" and data[at + head : at + head + 16] == C2PA_BOX:
            return True
        if length < head:
            return False
        at += length
    return False


def colour_space(data: bytes) -> tuple[int, int] | None:
    """Colour primaries and transfer function of an AVIF or HEIF file (ITU-T H.273), where it says more than sRGB."""
    at = data.find(b"colrnclx")
    if at < 0 or at + 15 > len(data):
        return None
    primaries, transfer = (int.from_bytes(data[at + n : at + n + 2], "big") for n in (8, 10))
    plain = primaries in (1, 2) and transfer in (1, 2, 6, 13)
    return None if plain or max(primaries, transfer) > 255 else (primaries, transfer)


def with_colour_space(data: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF file whose encoder could not be told; its matrix and range, which say how to undo YUV, stay."""
    content, end = bytearray(data), data.find(b"mdat")
    at = data.find(b"colrnclx", 0, end)
    while at >= 0:
        content[at + 8 : at + 12] = primaries.to_bytes(2, "big") + transfer.to_bytes(2, "big")
        at = data.find(b"colrnclx", at + 1, end)
    return bytes(content)


def avif_depth(data: bytes) -> int:
    """Bits per channel of an AVIF file, from the configuration of its AV1 codec (AV1-ISOBMFF, 2.3.3)."""
    at = data.find(b"av1C")
    if at < 0 or at + 7 > len(data):
        return 8
    flags = data[at + 6]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
