"""The label as one XMP property ``TC260:AIGC``, set into whatever XMP a file has already.

A packet comes from a stranger. It is read by Expat in one pass with an allowance, builds no tree, follows no entity and
leaves nothing behind in the process; it is changed by cutting and inserting bytes, so that all else stays as it was.
"""

import re
from xml.parsers import expat

from watermark.errors import UserError
from watermark.files.xmp import without_elements

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
PROPERTY = f"{{{NAMESPACE}}}AIGC"
MAX_BYTES, MAX_DEPTH, MAX_NAMESPACES = 2**18, 100, 100
"""Of a packet that is looked into: editors' histories take tens of kilobytes, labels a few hundred bytes."""
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>'.encode()
_BEGIN = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = b'\n<?xpacket end="w"?>'
_PADDING = re.compile(rb"[ \t\r\n]{100,}")
_LABEL = rb"[\w.-]{1,64}:[\w.-]{0,64}AIGC[\w.-]{0,64}"
_ATTRIBUTE = re.compile(rb"(?<!\s)\s+" + _LABEL + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_EMPTY_DESCRIPTION = re.compile(  # what is left of one that ``merge`` wrote
    rb"<([\w.-]+):Description \1:about=\"\" xmlns:TC260=\"" + re.escape(NAMESPACE.encode()) + rb"\"></\1:Description>"
)


def read_properties(packet: bytes) -> list[tuple[str, str]]:
    """Every AIGC property in a packet: its qualified name and its text, attribute and element forms alike.

    Raises:
        ValueError: the packet is no well-formed, harmless XML of a reasonable size.
    """
    return _Reader(packet).found


def merge(packet: bytes | None, text: str) -> bytes:
    """A packet with exactly one AIGC property, ``text``, and all else that ``packet`` held, byte for byte.

    Raises:
        UserError: the file's own packet cannot be read, so it cannot be kept.
    """
    content = (packet or _EMPTY).strip(b"\0 \r\n\t")
    try:
        if not _Reader(content).has_rdf:
            raise ValueError("no rdf:RDF element")
        content = _EMPTY_DESCRIPTION.sub(b"", without_elements(_ATTRIBUTE.sub(b"", content), _LABEL))
        merged = _inserted(content, text)
        if not packet or b"<?xpacket" not in content:
            merged = _BEGIN + merged + _END
        if read_properties(merged) != [(PROPERTY, text)]:
            raise ValueError("its own AIGC property cannot be taken out")
    except ValueError as error:
        raise UserError(f"the picture's XMP cannot be read and would be lost ({error}); remove or repair it") from error
    return merged


def _inserted(content: bytes, text: str) -> bytes:
    """With the property in a description of its own, the last child of the RDF element, under that element's prefix."""
    bound = re.search(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(_RDF.encode()), content)
    if bound is None:
        raise ValueError("no prefix for RDF")
    prefix = bound[1].decode()
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    description = (
        f'<{prefix}:Description {prefix}:about="" xmlns:TC260="{NAMESPACE}">'
        f"<TC260:AIGC>{escaped}</TC260:AIGC></{prefix}:Description>"
    ).encode()
    name = bound[1] + b":RDF"
    if empty := re.search(rb"(<" + re.escape(name) + rb"(?:\s[^<>]*)?)/>", content):
        return content[: empty.start()] + empty[1] + b">" + description + b"</" + name + b">" + content[empty.end() :]
    at = content.rfind(b"</" + name)
    if at < 0:
        raise ValueError("no place for the label")
    return content[:at] + description + content[at:]


class _Reader:
    """One pass over a packet: AIGC properties, and whether there is an RDF element."""

    def __init__(self, packet: bytes) -> None:
        content = _PADDING.sub(b"\n", packet.strip(b"\0 \r\n\t"))
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES >> 10} kB")
        self.found: list[tuple[str, str]] = []
        self.has_rdf = False
        self._open: list[tuple[int, str, list[str]]] = []  # label elements: depth, name, text so far
        self._depth = self._namespaces = 0
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.StartNamespaceDeclHandler = self._text, self._namespace
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, UnicodeError, LookupError) as error:
            raise ValueError(f"not well-formed XML: {str(error).splitlines()[0][:80]}") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels deep")
        self.has_rdf = self.has_rdf or name == f"{_RDF}}}RDF"
        self.found += [(_qualified(key), value) for key, value in attributes.items() if _is_label(key)]
        if _is_label(name):
            self._open.append((self._depth, _qualified(name), []))

    def _end(self, _: str) -> None:
        if self._open and self._open[-1][0] == self._depth:
            _depth, qualified, parts = self._open.pop()
            self.found.append((qualified, "".join(parts).strip()))
        self._depth -= 1

    def _text(self, text: str) -> None:
        for _, _, parts in self._open:
            parts.append(text)

    def _namespace(self, *_: object) -> None:
        self._namespaces += 1
        if self._namespaces > MAX_NAMESPACES:
            raise ValueError(f"more than {MAX_NAMESPACES} name spaces")

    def _doctype(self, *_: object) -> None:
        raise ValueError("a document type, which XMP has none of")


def _qualified(name: str) -> str:
    space, _, local = name.rpartition("}")
    return f"{{{space}}}{local}" if space else local


def _is_label(name: str) -> bool:
    return "AIGC" in name.rpartition("}")[2]
