"""Damaged files of every format through every door: an answer or one line, never anything else.

Each case is a valid file with a few mutations, or one with generated metadata: loaded, looked at, its labels read,
marked, read, saved in another format and loaded again. WATERMARK_FUZZ_SECONDS=3600 goes on for an hour of processor
time with ever new cases, and says after every round how many there were:

    WATERMARK_FUZZ_SECONDS=3600 pytest -n 0 -s --timeout 0 tests/files/test_fuzz.py
"""

import io
import os
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image
from raw_bytes import chunk, segment

from watermark import Watermarker, files
from watermark.errors import UserError
from watermark.files import metadata
from watermark.labels import AigcLabel, with_label
from watermark.labels.carriers import labels_in

SECONDS = float(os.environ.get("WATERMARK_FUZZ_SECONDS", "0"))
CASES = 250
DEEP_TARGETS = ["png", "tiff", "avif"]
TARGETS = ["png", "jpg", "webp", "tiff", "avif", "bmp"]
MOST = 20.0
"""CPU seconds that one case may take."""
LABEL = AigcLabel.first("1", "0011" + "0" * 18 + "10001", "P-000001")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" '
    b'xmlns:T="http://www.tc260.org.cn/ns/AIGC/1.0/" T:AIGC="{}"/></rdf:RDF></x:xmpmeta>'
)


def seeds():
    """Valid files of every format and kind: name and content."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:96, 0:112]
    waves = np.stack([127 + 60 * np.sin(x / 9 + c) + 50 * np.cos(y / (5 + c)) for c in range(3)], -1)
    colour = Image.fromarray((waves + rng.normal(0, 4, waves.shape)).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, '{"AIGC":{"Label":"1"}}'
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0comment"
    exif.get_ifd(0x8825)[1] = "N"
    clear = colour.copy()
    clear.putalpha(Image.linear_gradient("L").resize(colour.size))
    made = {}

    def add(name, image, form, **options):
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        made[name] = buffer.getvalue()

    known = {"exif": exif.tobytes(), "icc_profile": bytes(16) + b"RGB " + bytes(108)}
    for mode in ("RGB", "L", "1", "P", "I;16"):
        source = colour.convert("L").convert("I").convert(mode) if mode == "I;16" else colour.convert(mode)
        add(f"png {mode}", source, "PNG", **known)
        if mode in ("RGB", "L"):
            add(f"jpeg {mode}", source, "JPEG", xmp=XMP, comment=b"comment", dpi=(72, 72), **known)
            add(f"ppm {mode}", source, "PPM")
        for packing in ("raw", "tiff_lzw", "tiff_deflate", "group4", "jpeg"):
            if (packing == "group4") == (mode == "1") and (packing != "jpeg" or mode in ("RGB", "L")):
                written = known if packing == "raw" else {"icc_profile": known["icc_profile"]}  # libtiff takes no EXIF
                add(f"tiff {mode} {packing}", source, "TIFF", compression=packing, **written)
    add("png RGBA", clear, "PNG")
    add("png keyed", colour.convert("L"), "PNG", transparency=3)
    add("jpeg progressive CMYK", colour.convert("CMYK"), "JPEG", progressive=True)
    add("jpeg of two", colour, "MPO", save_all=True, append_images=[colour])
    add("webp", colour, "WEBP", xmp=XMP, **known)
    add("webp lossless RGBA", clear, "WEBP", lossless=True)
    add("avif", colour, "AVIF", xmp=XMP, speed=9, **known)
    add("bmp", colour, "BMP")
    add("bmp P", colour.convert("P"), "BMP")
    deep = np.asarray(colour).astype(np.uint16) * 257
    made["png 16"] = cv2.imencode(".png", deep)[1].tobytes()
    made["tiff 16"] = cv2.imencode(".tiff", deep)[1].tobytes()
    made["ppm 16"] = cv2.imencode(".ppm", deep)[1].tobytes()
    made["avif 10"] = cv2.imencode(".avif", deep >> 6, [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_SPEED, 9])[
        1
    ].tobytes()
    for form in ("GIF", "PNG", "WEBP"):
        add(f"{form} animated", colour, form, save_all=True, append_images=[colour.rotate(90)])
    return sorted(made.items())


SEEDS = seeds()
EXTREMES = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
    b"\x80\0\0\0",
    b"\xff\xd8",
    b"<![CDATA[",
]
PLACE = st.floats(0, 1, exclude_max=True)
HEAD = st.floats(0, 0.05)
MUTATION = st.tuples(
    st.sampled_from(["put"] * 6 + ["insert", "cut", "double", "end"]),
    PLACE | HEAD,
    st.sampled_from(EXTREMES) | st.binary(min_size=1, max_size=8),
    st.integers(1, 400),
)


@st.composite
def mutated(draw):
    """A name and a damaged file."""
    name, data = draw(st.sampled_from(SEEDS))
    content = bytearray(data)
    for kind, place, piece, length in draw(st.lists(MUTATION, min_size=1, max_size=3)):
        at = int(place * len(content))
        if kind == "put":
            content[at : at + len(piece)] = piece
        elif kind == "insert":
            content[at:at] = piece * length
        elif kind == "cut":
            del content[at : at + length]
        elif kind == "double":
            content[at:at] = content[at : at + length]
        else:
            del content[at:]
    return name, bytes(content)


@st.composite
def with_metadata(draw):
    """A valid picture with metadata that nobody would write by hand."""
    text = st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass"))
    block = st.binary(max_size=120) | text | st.just(XMP) | text.map(lambda t: XMP.replace(b"{}", t))
    heads = [
        b"Exif\0\0",
        b"http://ns.adobe.com/xap/1.0/\0",
        b"ICC_PROFILE\0\x01\x01",
        b"Photoshop 3.0\0",
        b"",
        b"JP\0\1",
    ]
    heads += [b"Exif\0\0II*\0\x08\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08", b"http://ns.adobe.com/xmp/extension/\0", b"MPF\0"]
    names, data = dict(SEEDS), bytearray()
    if draw(st.booleans()):
        given_segments = draw(st.lists(st.tuples(st.integers(0xE0, 0xEF), st.sampled_from(heads), block), max_size=5))
        data += names["jpeg RGB"]
        data[20:20] = b"".join(segment(marker, head + body) for marker, head, body in given_segments)
        return "jpeg with metadata", bytes(data)
    kinds = [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"pHYs", b"gAMA", b"tIME", b"caBX", b"acTL", b"abCd", b"abcd"]
    words = [b"AIGC\0", b"XML:com.adobe.xmp\0\0\0\0\0", b"Raw profile type exif\0", b"AIGC\0\0x\x9c", b""]
    chunks = draw(st.lists(st.tuples(st.sampled_from(kinds), st.sampled_from(words), block, st.booleans()), max_size=5))
    data += names["png RGB"]
    for kind, word, body, late in chunks:
        at = data.find(b"IEND" if late else b"IDAT") - 4
        data[at:at] = chunk(kind, word + body)
    return "png with metadata", bytes(data)


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("dwt_dct", key="k", device="cpu")


def tried(action):
    """What it gives, or None where it was refused in one line."""
    line = "one line"
    try:
        return action()
    except UserError as refusal:
        line = str(refusal)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    return None


def through_every_door(name, data, marker, counts):
    started = time.process_time()
    counts[name.split()[0]] += 1
    seen = tried(lambda: files.decode(data, name, strict=False))
    held = tried(lambda: files.metadata_of(data, name))
    image = tried(lambda: files.decode(data, name))
    header = tried(lambda: files.header_of(data, name))
    deep = tried(lambda: files.decode_any(data, name))
    if held is not None:
        labels_in(held)
    if seen is not None:
        assert seen.mode in ("L", "LA", "RGB", "RGBA")
        marker.detect(seen)
    if isinstance(deep, files.Deep):
        counts["deep"] += 1
        assert header == files.Header(deep.size, header.bits)
        assert header.bits > 8
        encoded = tried(lambda: files.encode(deep, Path(f"a.{DEEP_TARGETS[len(data) % 3]}")))
        assert encoded is None or tried(lambda: files.decode_any(encoded.content, "written")).size == deep.size
    if image is None:
        counts["refused"] += 1
    else:
        assert header == files.Header(image.size, header.bits)
        carrier = tried(lambda: with_label(image, LABEL)) or image
        if min(image.size) >= 96 and image.width * image.height < 10**6:
            carrier = metadata.with_metadata(marker.embed(carrier, 1, 2), metadata.of(carrier))
        for suffix in (TARGETS[len(data) % len(TARGETS)], "png"):
            encoded = tried(lambda suffix=suffix: files.encode(carrier, Path(f"a.{suffix}")))
            if encoded is not None:
                assert files.decode(encoded.content, "written").size == image.size
                counts["written"] += 1
    assert time.process_time() - started < MOST
    return counts


def say(counts):
    """How many cases of which kind there were so far: what a run that is stopped leaves behind."""
    known = ("refused", "written", "deep")
    cases = sum(number for kind, number in counts.items() if kind not in known)
    sys.stdout.write(f"{cases} cases after {time.process_time():.0f} CPU s: {dict(sorted(counts.items()))}\n")
    sys.stdout.flush()


@pytest.mark.parametrize("cases", [mutated(), with_metadata()], ids=["mutated files", "generated metadata"])
def test_every_file_is_answered_or_refused_in_one_line(marker, cases):
    counts: Counter[str] = Counter()
    until = time.process_time() + SECONDS / 2
    options = settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=not SECONDS,
        suppress_health_check=list(HealthCheck),
    )

    @options
    @given(cases)
    def case(given_case):
        through_every_door(*given_case, marker, counts)

    case()
    say(counts)
    while time.process_time() < until:
        hypothesis.seed(time.time_ns())(case)()
        say(counts)
    assert counts["refused"] > 0
    assert counts["written"] > CASES / 10


def test_the_undamaged_files_are_what_they_should_be(marker):
    refused = {name for name, data in SEEDS if tried(lambda data=data, name=name: files.decode(data, name)) is None}
    assert refused == {
        "png 16",
        "tiff 16",
        "ppm 16",
        "avif 10",
        "png I;16",
        "tiff I;16 raw",
        "tiff I;16 tiff_lzw",
        "tiff I;16 tiff_deflate",
        "jpeg progressive CMYK",
        "GIF animated",
        "PNG animated",
        "WEBP animated",
    }
