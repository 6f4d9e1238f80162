"""XMP as bytes: what marking makes untrue is corrected where it stands; what else the packet says is not touched."""

import hashlib
import re

JPEG_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
PNG_KEYWORD = b"XML:com.adobe.xmp"
MAX_JPEG = 65_533 - len(JPEG_HEAD)
_TIFF, _EXIF = b"http://ns.adobe.com/tiff/1.0/", b"http://ns.adobe.com/exif/1.0/"
_PROVENANCE = re.compile(rb"(?<!\s)\s+dcterms:provenance\s{0,9}=\s{0,9}(?:\"[^\"]*\"|'[^']*')")
_POINTER = re.compile(
    rb"(?<!\s)\s+xmpNote:HasExtendedXMP\s{0,9}=\s{0,9}(?:\"[^\"]*\"|'[^']*')"
    rb"|<xmpNote:HasExtendedXMP>[^<]*</xmpNote:HasExtendedXMP>"
)
_POINTED = re.compile(rb"(xmpNote:HasExtendedXMP\s{0,9}(?:=\s{0,9}[\"']|>))([0-9A-Fa-f]{32})")
_NAMESPACE = re.compile(rb"\b(?=xmlns:([\w.-]+)=)(xmlns:[\w.-]+=(?:\"[^\"]*\"|'[^']*'))")
_BEHIND = re.compile(  # what says that a gain map or a film follows the picture
    rb"(?<!\s)\s+(?:hdrgm:\w{1,80}|GCamera:(?:MotionPhoto|MicroVideo)\w{0,80})\s{0,9}=\s{0,9}(?:\"[^\"]*\"|'[^']*')"
)
_ELEMENTS_BEHIND = rb"hdrgm:\w{1,80}|Container:Directory|GContainer:Directory"
_MOST = 100
"""Elements of one name that are cut out of a packet."""


def orientation(packet: bytes) -> int:
    """``tiff:Orientation``, 1 to 8; 1 where it is missing."""
    for pattern in _numbers(packet, _TIFF, b"tiff", b"Orientation"):
        if (found := pattern.search(packet)) and 1 <= int(found[2]) <= 8:
            return int(found[2])
    return 1


def corrected(packet: bytes, size: tuple[int, int], *, nothing_behind: bool) -> tuple[bytes, list[str]]:
    """The packet for an upright, marked picture of this size, and what was untrue of it.

    Args:
        packet: as it lay in the file.
        size: width and height, px.
        nothing_behind: gain maps and films that followed the picture are gone.
    """
    untrue = []
    for space, prefix, name, value in (
        (_TIFF, b"tiff", b"Orientation", 1),
        (_TIFF, b"tiff", b"ImageWidth", size[0]),
        (_TIFF, b"tiff", b"ImageLength", size[1]),
        (_EXIF, b"exif", b"PixelXDimension", size[0]),
        (_EXIF, b"exif", b"PixelYDimension", size[1]),
    ):
        for pattern in _numbers(packet, space, prefix, name):
            changed = pattern.sub(lambda found, value=value: b"%s%d%s" % (found[1], value, found[3]), packet)  # type: ignore[misc]
            if changed != packet and value != 1:
                untrue.append("pixel size")
            packet = changed
    for name, told in ((rb"xmp:Thumbnails", "thumbnail"), (rb"dcterms:provenance", "C2PA manifest")):
        shorter = without_elements(packet, name)
        if told == "C2PA manifest":
            shorter = _PROVENANCE.sub(b"", shorter)
        untrue += [told] * (shorter != packet)
        packet = shorter
    if nothing_behind:
        packet = without_elements(_BEHIND.sub(b"", packet), _ELEMENTS_BEHIND)
    return packet, untrue


def without_elements(packet: bytes, names: bytes) -> bytes:
    """Without the elements of these names; in one walk, for packets of megabytes may be made to hold it up."""
    kept, at = [], 0
    for _ in range(_MOST):
        opening = re.compile(rb"<(" + names + rb")(?:\s[^>]{0,400})?>").search(packet, at)
        if opening is None:
            break
        closing = b"</" + opening[1] + b">"
        end = opening.end() if opening[0].endswith(b"/>") else packet.find(closing, opening.end()) + len(closing)
        if end < opening.end():
            break
        kept.append(packet[at : opening.start()])
        at = end
    return b"".join([*kept, packet[at:]])


def whole(packet: bytes, extension: bytes) -> bytes | None:
    """A JPEG's packet and its extension as one packet; None if they cannot be joined.

    The extension's descriptions are set behind the packet's, with the name spaces that its outer elements declare.
    """
    packet = _POINTER.sub(b"", packet)
    if not extension:
        return packet
    inner, outer = _inside_rdf(extension), _inside_rdf(packet)
    if inner is None or outer is None:
        return None
    declared = dict(_NAMESPACE.findall(extension[: inner.start]))
    missing = b"".join(b" " + one for name, one in declared.items() if b"xmlns:" + name + b"=" not in packet)
    opened = packet.index(b"<rdf:RDF") + len(b"<rdf:RDF")
    return b"".join(
        [
            packet[:opened],
            missing,
            packet[opened : outer.stop],
            extension[inner.start : inner.stop],
            packet[outer.stop :],
        ]
    )


def _inside_rdf(packet: bytes) -> slice | None:
    """Where the descriptions of a packet stand."""
    opened = packet.find(b"<rdf:RDF")
    start, stop = packet.find(b">", opened) + 1, packet.rfind(b"</rdf:RDF>")
    return slice(start, stop) if 0 <= opened < start <= stop else None


def split_for_jpeg(packet: bytes) -> tuple[bytes, list[bytes]]:
    """A packet too large for one segment as a small packet that points to it, and the segments that carry it."""
    name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    small = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        b'xmpNote:HasExtendedXMP="' + name + b'"/></rdf:RDF></x:xmpmeta>'
    )
    part = 65_000
    whole = len(packet).to_bytes(4, "big")
    return small, [
        EXTENSION_HEAD + name + whole + at.to_bytes(4, "big") + packet[at : at + part]
        for at in range(0, len(packet), part)
    ]


def pointing(packet: bytes, extension: list[bytes]) -> bytes:
    """The packet, pointing to the extension that these segments carry: a corrected one has another digest."""
    name = extension[0][len(EXTENSION_HEAD) :][:32]
    return _POINTED.sub(lambda found: found[1] + name, packet)


def extension_of(segments: list[bytes], packet: bytes) -> bytes:
    """What the extension segments of a JPEG carry together, without holes; empty if a part is missing.

    Of several extensions it is the one that the packet points to, or the first.
    """
    head = len(EXTENSION_HEAD)
    names = [segment[head : head + 32] for segment in segments]
    pointer = _POINTED.search(packet)
    name = pointer[2] if pointer and pointer[2] in names else names[0] if names else b""
    segments = [segment for segment in segments if segment[head : head + 32] == name]
    parts = sorted(
        (int.from_bytes(s[head + 36 : head + 40], "big"), s[head + 40 :]) for s in segments if len(s) > head + 40
    )
    whole = b"".join(part for _, part in parts)
    stated = int.from_bytes(segments[0][head + 32 : head + 36], "big") if segments else 0
    return whole if len(whole) == stated else b""


def _numbers(packet: bytes, space: bytes, prefix: bytes, name: bytes) -> list[re.Pattern[bytes]]:
    """Patterns of a property that holds a number, as attribute and as element, under every prefix of its name space."""
    bound = re.findall(rb"xmlns:([\w.-]{1,40})\s*=\s*[\"']" + re.escape(space) + rb"[\"']", packet)
    names = b"|".join(re.escape(one) for one in dict.fromkeys([prefix, *bound[:8]]))
    of = rb"(?:" + names + rb"):" + name
    return [
        re.compile(rb"(\b" + of + rb"\s*=\s*[\"'])(\d{1,9})([\"'])"),
        re.compile(rb"(<" + of + rb">\s*)(\d{1,9})(\s*<)"),
    ]
