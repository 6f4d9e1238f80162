"""Files of some kilobytes to a few megabytes that are made to cost minutes or gigabytes; each cost them before."""

import io
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raw_bytes import chunk, segment, with_chunks, with_segments

from watermark import files
from watermark.errors import UserError
from watermark.labels import AigcLabel
from watermark.labels.carriers import encode_with_label, labels_in

SECONDS, MEGABYTES = 20.0, 60  # a slow machine took 6.4 for one of them
"""Of the processor, for all that is done with one file here, and of Python's own memory."""
LABEL = AigcLabel.first("1", "001100000000000000000010001", "x1")
NAMESPACES = (
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    b' xmlns:dcterms="http://purl.org/dc/terms/" xmlns:b="u"'
)
PACKED = zlib.compress(bytes(2**23 - 1), 9)


def packet(body):
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF' + NAMESPACES + b">" + body + b"</rdf:RDF></x:xmpmeta>"


def png(picture, path, *chunks):
    picture.save(path, "PNG")
    with_chunks(path, *chunks)


def jpeg(picture, path, *segments):
    picture.save(path, "JPEG")
    with_segments(path, *segments)


def xmp(body):
    def make(picture, path):
        png(picture, path, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + body))

    return make


def filled(head, filler):
    """A JPEG with something between its first bytes and the rest."""

    def make(picture, path):
        jpeg(picture, path)
        data = path.read_bytes()
        path.write_bytes(data[:head] + filler + data[head:])

    return make


def zeros_behind_the_header(picture, path):
    png(picture, path)
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"IDAT") - 4] + bytes(60 * 2**20))


def scans(picture, path):
    """Each repeats the last refinement of a large grey picture: some hundred bytes for a walk over all blocks."""
    buffer = io.BytesIO()
    Image.new("RGB", (3000, 3000), (120, 130, 140)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    fake_end = segment(0xFE, b"\xff\xd9")
    path.write_bytes(data[:end] + fake_end + data[last:end] * 3000 + data[end:])


def frames(picture, path):
    buffer = io.BytesIO()
    Image.new("P", (1, 1)).save(buffer, "GIF")
    data = buffer.getvalue()
    first = data.rfind(b"\x2c")
    path.write_bytes(data[:first] + data[first:-1] * 600_000 + b";")


HOSTILE = {
    "packed texts.png": lambda p, at: png(p, at, *[chunk(b"zTXt", b"AIGC\0\0" + PACKED)] * 400),
    "packed unicode texts.png": lambda p, at: png(p, at, *[chunk(b"iTXt", b"AIGC\0\1\0\0\0" + PACKED)] * 400),
    "packed profiles.png": lambda p, at: png(p, at, *[chunk(b"iCCP", b"x\0\0" + PACKED)] * 600),
    "packed EXIF.png": lambda p, at: png(p, at, *[chunk(b"zTXt", b"Raw profile type exif\0\0" + PACKED)] * 600),
    "chunks.png": lambda p, at: png(p, at, *[chunk(b"tEXt", b"a\0")] * 300_000),
    "zeros.png": zeros_behind_the_header,
    "comments.jpg": lambda p, at: jpeg(p, at, *[segment(0xFE, b"")] * 120_000),
    "resources.jpg": lambda p, at: jpeg(p, at, *[segment(0xED, b"Photoshop 3.0\0" + bytes(65_000))] * 700),
    "fill bytes.jpg": filled(2, b"\xff" * (40 * 2**20)),
    "stuffed bytes.jpg": filled(20, b"\xff\0" * (20 * 2**20)),
    "scans.jpg": scans,
    "frames.gif": frames,
    "comment.ppm": lambda p, at: at.write_bytes(b"P6 #" + b"a" * (16 * 2**20) + b"\n64 64 255\n" + bytes(12_288)),
    "spaces in XMP.png": xmp(packet(b'<rdf:Description rdf:about=""' + b" " * 2**19 + b"/>")),
    "thumbnails in XMP.png": xmp(packet(b"<xmp:Thumbnails>" * 60_000)),
    "provenance in XMP.png": xmp(packet(b"<dcterms:provenance>" * 60_000)),
    "gain maps in XMP.jpg": lambda p, at: jpeg(
        p,
        at,
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet(b"<hdrgm:a>" * 6900)),
        segment(0xE2, b"MPF\0"),
    ),
    "spaces before a label.png": xmp(packet(b"<rdf:Description>" + b" " * 2**20 + b"</rdf:Description>")),
    "words like a label.png": xmp(packet(b"<rdf:Description> a:" + b"AIGC" * 50_000 + b"</rdf:Description>")),
    "labels in a comment.png": xmp(packet(b"<rdf:Description/><!--" + b"<b:AIGC>" * 30_000 + b"-->")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_file_costs_no_minutes_and_no_gigabytes(tmp_path, picture, name):
    path = tmp_path / name
    HOSTILE[name](picture, path)
    began = time.process_time()
    with suppress(UserError):
        labels_in(files.metadata_of(path.read_bytes(), path))
    with suppress(UserError):
        files.look(path)
    with suppress(UserError):
        encode_with_label(files.load(path), Path("out.png"), LABEL)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("name", ["packed texts.png", "packed unicode texts.png", "chunks.png", "comments.jpg"])
def test_metadata_take_no_more_memory_than_their_file_and_one_text(tmp_path, picture, name):
    path = tmp_path / name
    HOSTILE[name](picture, path)
    data = path.read_bytes()
    tracemalloc.start()
    labels_in(files.metadata_of(data, path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEGABYTES * 2**20


@pytest.mark.parametrize(
    ("name", "kept"), [("chunks.png", "chunks"), ("comments.jpg", "comments"), ("packed profiles.png", "chunks")]
)
def test_what_is_too_much_is_named_and_the_rest_is_kept(tmp_path, picture, name, kept):
    path = tmp_path / name
    HOSTILE[name](picture, path)
    held = files.metadata_of(path.read_bytes(), path)
    assert 1 <= len(getattr(held, kept)) <= 10_000
    assert any("10,000" in said or "second colour profile" in said for said in held.dropped)
    picture.save(clean := path.with_name(f"clean{path.suffix}"))
    assert np.array_equal(files.load(path), files.load(clean))


def test_a_header_that_claims_more_pixels_than_are_allowed_never_reaches_a_decoder(tmp_path, picture, monkeypatch):
    made = {}
    for name in ("a.jpg", "a.bmp", "a.gif", "a.avif", "a.webp"):
        picture.save(tmp_path / name)
        made[name] = bytearray((tmp_path / name).read_bytes())
    claims = {
        "a.jpg": (made["a.jpg"].find(b"\xff\xc0") + 5, struct.pack(">HH", 65_500, 65_500)),
        "a.bmp": (18, struct.pack("<ii", 65_000, -65_000)),
        "a.gif": (6, struct.pack("<HH", 65_535, 65_535)),
        "a.avif": (made["a.avif"].find(b"ispe") + 8, struct.pack(">II", 65_000, 65_000)),
        "a.webp": (made["a.webp"].find(b"VP8 ") + 14, struct.pack("<HH", 16_383, 16_383)),
    }
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    for name, (at, claim) in claims.items():
        data = made[name]
        data[at : at + len(claim)] = claim
        for strict in (True, False):
            with pytest.raises(UserError, match=r"Mpx|cannot be read") as raised:
                files.decode(bytes(data), name, strict=strict)
            assert "\n" not in str(raised.value)


def test_a_film_behind_the_picture_has_no_scans(tmp_path, picture):
    path = tmp_path / "motion.jpg"
    picture.save(path, progressive=True)
    path.write_bytes(path.read_bytes() + b"\xff\xda\0\x0c" * 5000)
    assert files.load(path).size == picture.size


def test_a_jpeg_of_a_million_segments_for_the_decoder_is_refused(tmp_path, picture):
    path = tmp_path / "tables.jpg"
    jpeg(picture, path, *[segment(0xC4, b"")] * 200_000)
    with pytest.raises(UserError, match="segments"):
        files.load(path)
