"""The label as one XMP property ``TC260:AIGC``, merged into whatever XMP a file has already."""

import io
from xml.etree import ElementTree as Xml

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring, iterparse

from watermark.errors import UserError

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
PROPERTY = f"{{{NAMESPACE}}}AIGC"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_EMPTY = f'<x:xmpmeta xmlns:x="{_META}"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'.encode()
_BEGIN = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = b'\n<?xpacket end="w"?>'


def read_properties(packet: bytes) -> list[tuple[str, str]]:
    """Every AIGC property in a packet: its qualified name and its text, attribute and element forms alike.

    Raises:
        ValueError: the packet is no well-formed, harmless XML.
    """
    found = []
    for node in _parse(packet).iter():
        found += [(name, value) for name, value in node.attrib.items() if _is_label(name)]
        if _is_label(node.tag):
            found.append((node.tag, "".join(node.itertext()).strip()))
    return found


def merge(packet: bytes | None, text: str) -> bytes:
    """A packet with exactly one AIGC property, ``text``, and all else that ``packet`` held.

    Raises:
        UserError: the file's own packet cannot be read, so it cannot be kept.
    """
    try:
        root = _parse(packet or _EMPTY)
        rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f".//{{{_RDF}}}RDF")
        if rdf is None:
            raise ValueError("no rdf:RDF element")
    except ValueError as error:
        raise UserError(f"the picture's XMP cannot be read and would be lost ({error}); remove or repair it") from error
    for node in list(root.iter()):
        for name in [name for name in node.attrib if _is_label(name)]:
            del node.attrib[name]
        for child in [child for child in node if _is_label(child.tag)]:
            node.remove(child)
    for name, uri in (("TC260", NAMESPACE), ("rdf", _RDF), ("x", _META), *_prefixes(packet or _EMPTY)):
        Xml.register_namespace(name, uri)  # prefixes mean nothing to XML, but readers in the wild look for them
    description = Xml.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    Xml.SubElement(description, PROPERTY).text = text
    return _BEGIN + Xml.tostring(root, encoding="utf-8") + _END


def _parse(packet: bytes) -> Xml.Element:
    try:
        root: Xml.Element = fromstring(packet.strip(b"\0 \r\n\t"))
    except (Xml.ParseError, DefusedXmlException, UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"not well-formed XML: {str(error).splitlines()[0][:80]}") from error
    return root


def _prefixes(packet: bytes) -> list[tuple[str, str]]:
    events = iterparse(io.BytesIO(packet.strip(b"\0 \r\n\t")), events=("start-ns",))
    reserved = {"", "xml", "xmlns", "TC260", "rdf", "x"}
    return [(p, u) for _, (p, u) in events if p not in reserved and not p.startswith("ns") and u != NAMESPACE]


def _is_label(name: object) -> bool:
    return isinstance(name, str) and "AIGC" in name.rpartition("}")[2]
