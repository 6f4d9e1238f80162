"""XMP as bytes: what marking makes untrue is corrected where it stands; what else the packet says is not touched."""

import hashlib
import re

JPEG_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
PNG_KEYWORD = b"XML:com.adobe.xmp"
MAX_JPEG = 65_533 - len(JPEG_HEAD)
_TIFF, _EXIF = b"http://ns.adobe.com/tiff/1.0/", b"http://ns.adobe.com/exif/1.0/"
_THUMBNAILS = re.compile(rb"<xmp:Thumbnails\b[^>]*>.*?</xmp:Thumbnails>", re.S)
_PROVENANCE = re.compile(
    rb"\s+dcterms:provenance\s*=\s*(\"[^\"]*\"|'[^']*')|<dcterms:provenance>.*?</dcterms:provenance>"
)
_POINTER = re.compile(
    rb"\s+xmpNote:HasExtendedXMP\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<xmpNote:HasExtendedXMP>[^<]*</xmpNote:HasExtendedXMP>"
)
_RDF = re.compile(rb"<rdf:RDF\b([^>]*)>(.*)</rdf:RDF>", re.S)
_NAMESPACE = re.compile(rb"\b(?=xmlns:([\w.-]+)=)(xmlns:[\w.-]+=(?:\"[^\"]*\"|'[^']*'))")
_BEHIND = re.compile(  # what says that a gain map or a film follows the picture
    rb"\s+(?:hdrgm:\w+|GCamera:(?:MotionPhoto|MicroVideo)\w*)\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<(?P<name>hdrgm:\w+|Container:Directory|GContainer:Directory)>.*?</(?P=name)>",
    re.S,
)


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
    for pattern, told in ((_THUMBNAILS, "thumbnail"), (_PROVENANCE, "C2PA manifest")):
        packet, count = pattern.subn(b"", packet)
        untrue += [told] * (count > 0)
    if nothing_behind:
        packet = _BEHIND.sub(b"", packet)
    return packet, untrue


def whole(packet: bytes, extension: bytes) -> bytes | None:
    """A JPEG's packet and its extension as one packet; None if they cannot be joined.

    The extension's descriptions are set behind the packet's, with the name spaces that its outer elements declare.
    """
    packet = _POINTER.sub(b"", packet)
    if not extension:
        return packet
    inner, last = _RDF.search(extension), packet.rfind(b"</rdf:RDF>")
    if inner is None or last < 0:
        return None
    opened = re.search(rb"<rdf:RDF\b", packet)
    declared = dict(_NAMESPACE.findall(extension[: inner.start(2)]))
    missing = b"".join(b" " + one for name, one in declared.items() if b"xmlns:" + name + b"=" not in packet)
    if opened is None:
        return None
    return packet[: opened.end()] + missing + packet[opened.end() : last] + inner[2] + packet[last:]


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


def extension_of(segments: list[bytes]) -> bytes:
    """What the extension segments of a JPEG carry together, without holes; empty if a part is missing."""
    head = len(EXTENSION_HEAD)
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
