"""Metadata go from container to container as bytes; what is untrue afterwards goes, by name."""

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from raw_bytes import chunk, segment, with_chunks, with_segments

from watermark import files
from watermark.files import exif as exif_bytes
from watermark.files import metadata, xmp
from watermark.files.containers import jpeg, png, riff, tiff

XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
SUFFIXES = [".png", ".jpg", ".webp", ".tiff", ".avif"]


def packet(properties="", orientation=None):
    turned = f' tiff:Orientation="{orientation}"' if orientation else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{turned}>{properties}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def camera_exif(order=">"):
    """A stream with every type, the EXIF, GPS and interoperability directories, and tags of wrong types."""
    entry = tiff.Entry
    pack = lambda form, *values: struct.pack(order + form, *values)  # noqa: E731
    inside = (
        entry(0x9003, 2, 20, b"2026:01:02 03:04:05\0"),
        entry(0x829A, 5, 1, pack("LL", 1, 125)),
        entry(0x9204, 10, 1, pack("ll", -1, 3)),
        entry(0x927C, 7, 9, b"MakerNote"),
        entry(0xA002, 4, 1, pack("L", 9999)),
        entry(0xA005, 4, 1, b"", (entry(1, 2, 4, b"R98\0"),)),
    )
    gps = (entry(1, 2, 2, b"N\0"), entry(2, 5, 3, pack("LLLLLL", 48, 1, 51, 1, 29, 1)))
    entries = (
        entry(0x010F, 2, 6, b"Maker\0"),
        entry(0x011A, 2, 3, b"72\0"),  # a resolution as text
        entry(0x0128, 3, 1, pack("H", 2)),
        entry(0x8298, 12, 1, pack("d", 3.5)),  # a copyright as a number
        entry(tiff.EXIF, 4, 1, b"", inside),
        entry(tiff.GPS, 4, 1, b"", gps),
    )
    return tiff.stream_of(entries, order)


def values(stream):
    """Every value of a stream by tag, in one byte order."""
    order = tiff.order_of(stream)

    def flat(entries):
        for one in entries:
            if one.directory is not None:
                yield from ((one.tag, *rest) for rest in flat(one.directory))
            else:
                same = tiff.swapped(one) if order == ">" else one
                yield one.tag, same.kind, same.count, same.value

    return set(flat(tiff.read(stream)[0]))


def described(stream):
    """Those that say something of the picture, not of its pixels."""
    return {one for one in values(stream) if one[0] not in exif_bytes.OF_THE_FILE and one[1:2] != (0xA002,)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("source", [".jpg", ".tiff", ".webp"])
def test_exif_of_any_types_reaches_every_format_value_by_value(tmp_path, picture, source, target, order):
    given = camera_exif(order)
    carrier = metadata.with_metadata(picture.copy(), metadata.Metadata(exif=given))
    assert files.save(carrier, tmp_path / f"a{source}") == ()
    loaded = files.load(tmp_path / f"a{source}")
    assert files.save(loaded, tmp_path / f"b{target}") == ()
    kept = metadata.of(files.load(tmp_path / f"b{target}")).exif
    assert described(given) <= described(kept)


def test_a_jpeg_keeps_its_blocks_byte_for_byte(tmp_path, picture):
    icc, iptc = b"icc" * 50_000, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x05title\0"
    picture.save(
        tmp_path / "a.jpg", exif=b"Exif\0\0" + camera_exif(), icc_profile=icc, xmp=packet("<tiff:Make>M</tiff:Make>")
    )
    with_segments(tmp_path / "a.jpg", segment(0xED, iptc), segment(0xE5, b"vendor block"), segment(0xFE, b"a comment"))
    assert files.save(files.load(tmp_path / "a.jpg"), tmp_path / "b.jpg") == ()
    before, after = (jpeg.split((tmp_path / name).read_bytes())[0] for name in ("a.jpg", "b.jpg"))
    wanted = {one.payload for one in before if one.is_metadata and not one.payload.startswith((b"JFIF", b"Exif"))}
    assert wanted <= {one.payload for one in after}
    assert described(camera_exif()) <= described(metadata.of(files.load(tmp_path / "b.jpg")).exif)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_xmp_too_large_for_one_jpeg_segment_comes_back_whole(tmp_path, picture, suffix):
    large = packet("<tiff:Make>" + "x" * 150_000 + "</tiff:Make>")
    files.save(metadata.with_metadata(picture.copy(), metadata.Metadata(xmp=large)), tmp_path / "a.jpg")
    files.save(files.load(tmp_path / "a.jpg"), tmp_path / f"b{suffix}")
    found = metadata.of(files.load(tmp_path / f"b{suffix}"))
    assert b"x" * 150_000 in found.xmp + found.xmp_extension


def test_png_text_anywhere_and_colour_chunks_survive(tmp_path, picture):
    path = tmp_path / "a.png"
    picture.save(path)
    early = [
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"cHRM", bytes(range(32))),
        chunk(b"cICP", b"\x09\x10\0\x01"),
        chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)),
        chunk(b"tEXt", b"odd \xe9 keyword\0value \xe9"),
        chunk(b"vpAg", b"private, safe to copy"),
    ]
    late = [chunk(b"tEXt", b"workflow\0{}"), chunk(b"zTXt", b"big\0\0" + zlib.compress(b"{}" * 900_000))]
    with_chunks(path, *early)
    with_chunks(path, *late, late=True)
    files.save(files.load(path), tmp_path / "b.png")
    written = (tmp_path / "b.png").read_bytes()
    assert all(one in written for one in (*early, *late))
    assert written.index(late[0]) > written.index(b"IDAT")
    assert Image.open(tmp_path / "b.png").size == picture.size


def test_what_the_target_has_no_place_for_is_named(tmp_path, picture):
    picture.save(tmp_path / "a.png", exif=camera_exif())
    with_chunks(tmp_path / "a.png", chunk(b"tEXt", b"parameters\0a cat"), chunk(b"gAMA", struct.pack(">I", 50_000)))
    lost = files.save(files.load(tmp_path / "a.png"), tmp_path / "b.jpg")
    assert lost == ("PNG text (parameters)", "PNG chunks (gAMA)")
    assert set(files.save(files.load(tmp_path / "a.png"), tmp_path / "b.bmp")) == {*lost, "EXIF"}


def test_nothing_is_invented(tmp_path, picture):
    for suffix in SUFFIXES:
        files.save(picture, tmp_path / f"plain{suffix}")
        found = metadata.of(files.load(tmp_path / f"plain{suffix}"))
        assert (found.exif, found.xmp, found.icc, found.chunks, found.comments) == (b"", b"", b"", (), ())


@pytest.mark.parametrize("body", [b"II*\0\x08\0\0\0\xff\xff", b"garbage", b"", b"MM\0*\0\0\0\x08" + b"\xff" * 200])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_broken_exif_costs_neither_the_picture_nor_a_traceback(tmp_path, picture, body, suffix):
    picture.save(tmp_path / "a.jpg")
    with_segments(tmp_path / "a.jpg", segment(0xE1, b"Exif\0\0" + body))
    files.save(files.load(tmp_path / "a.jpg"), tmp_path / f"b{suffix}")
    assert files.load(tmp_path / f"b{suffix}").size == picture.size


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("place", ["exif", "xmp", "both", "raw profile"])
def test_orientation_is_applied_once_wherever_it_stands(tmp_path, picture, place, suffix):
    path = tmp_path / ("a.png" if place == "raw profile" else "a.jpg")
    stream = tiff.stream_of((tiff.Entry(0x0112, 3, 1, b"\x06\0"), tiff.Entry(0x010F, 2, 2, b"M\0")), "<")
    blocks = {"exif": b"Exif\0\0" + stream} if place in ("exif", "both") else {}
    picture.save(path, quality=95, **blocks)
    if place in ("xmp", "both"):
        with_segments(path, segment(0xE1, XMP_HEAD + packet(orientation=6)))
    if place == "raw profile":
        block = b"Exif\0\0" + stream
        text = b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"
        with_chunks(path, chunk(b"tEXt", b"Raw profile type exif\0" + text))
    upright = files.load(path)
    assert upright.size == (80, 120)
    files.save(upright, tmp_path / f"b{suffix}")
    again = files.load(tmp_path / f"b{suffix}")
    assert again.size == (80, 120)
    difference = np.asarray(again).astype(int) - np.asarray(picture.transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(difference).mean() < 8
    with Image.open(tmp_path / f"b{suffix}") as pillow:
        assert pillow.getexif().get(0x0112, 1) == 1


def test_a_thumbnail_and_a_c2pa_manifest_are_dropped_and_named(tmp_path, picture):
    small = io.BytesIO()
    picture.resize((16, 16)).save(small, "JPEG")
    first = tiff.stream_of((tiff.Entry(0x010F, 2, 6, b"Maker\0"),), "<")
    at = len(first)
    long = lambda n: struct.pack("<L", n)  # noqa: E731
    where = at + 2 + 12 * 2 + 4
    second = (tiff.Entry(0x0201, 4, 1, long(where)), tiff.Entry(0x0202, 4, 1, long(small.tell())))
    stream = first[:22] + struct.pack("<L", at) + first[26:] + tiff.write(second, "<", at) + small.getvalue()
    picture.save(tmp_path / "a.jpg", exif=b"Exif\0\0" + stream)
    with_segments(tmp_path / "a.jpg", segment(0xEB, b"JP\0\x01\0\0\0\x01\0\0\0\x30jumbc2pa manifest"))
    loaded = files.load(tmp_path / "a.jpg")
    assert set(metadata.of(loaded).dropped) == {"thumbnail", "C2PA manifest"}
    files.save(loaded, tmp_path / "b.jpg")
    written = (tmp_path / "b.jpg").read_bytes()
    assert small.getvalue() not in written
    assert b"c2pa" not in written
    assert b"Maker" in written


def test_a_phone_picture_of_several_is_its_first_and_the_gap_is_said(tmp_path, picture):
    picture.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[picture.resize((60, 40))])
    loaded = files.load(tmp_path / "a.jpg")
    assert loaded.size == picture.size
    assert metadata.of(loaded).dropped == (metadata.FURTHER,)


def test_a_jpeg_keeps_its_quality_and_subsampling_unless_asked(tmp_path, picture):
    picture.save(tmp_path / "a.jpg", quality=71, subsampling=1, progressive=True)
    files.save(files.load(tmp_path / "a.jpg"), tmp_path / "b.jpg")
    files.save(files.load(tmp_path / "a.jpg"), tmp_path / "c.jpg", quality=90)
    first, kept, asked = (Image.open(tmp_path / f"{name}.jpg") for name in "abc")
    assert kept.quantization == first.quantization
    assert [one[1:3] for one in kept.layer] == [one[1:3] for one in first.layer]
    assert "progression" in kept.info
    assert asked.quantization != first.quantization
    assert [one[1:3] for one in asked.layer] == [one[1:3] for one in first.layer]


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("1", 0), ("1", 1), ("RGB", (1, 2, 3)), ("P", 3)])
def test_transparency_that_a_colour_stands_for_is_kept(tmp_path, picture, mode, key):
    keyed = picture.convert(mode)
    if mode != "1":
        keyed.paste(key, (0, 0, 20, 20))
    keyed.save(tmp_path / "a.png", transparency=key)
    loaded = files.load(tmp_path / "a.png")
    assert loaded.mode == {"L": "LA", "1": "LA"}.get(mode, "RGBA")
    with Image.open(tmp_path / "a.png") as pillow:
        wanted = np.asarray(pillow.convert("RGBA"))
    assert np.array_equal(np.asarray(loaded.convert("RGBA"))[..., 3], wanted[..., 3])
    assert 0 < (wanted[..., 3] == 0).sum() < wanted[..., 3].size


@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_grey_profile_never_stands_beside_coloured_pixels(tmp_path, picture, mode, suffix):
    profile = bytes(16) + b"GRAY" + bytes(108)
    source = picture.convert(mode)
    source.info["icc_profile"] = profile
    lost = files.save(source, tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as written:
        grey = written.mode in ("L", "LA")
        assert (written.info.get("icc_profile") == profile) == grey
        assert any("profile" in one for one in lost) != grey


def test_damaged_chunks_cost_a_note_and_not_the_picture(tmp_path, picture):
    path = tmp_path / "a.png"
    picture.save(path)
    broken = bytearray(chunk(b"tEXt", b"key\0value"))
    broken[-1] ^= 1
    with_chunks(path, bytes(broken), chunk(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0not zlib"))
    loaded = files.load(path)
    assert metadata.of(loaded).dropped == ("damaged chunks", "damaged XMP")
    assert np.array_equal(np.asarray(loaded), np.asarray(picture))


def test_text_that_unpacks_to_more_than_its_share_is_carried_and_never_unpacked(tmp_path, picture):
    path = tmp_path / "a.png"
    picture.save(path)
    bomb = chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(bytes(50_000_000), 9))
    with_chunks(path, bomb)
    loaded = files.load(path)
    assert metadata.of(loaded).texts_named("AIGC") == []
    files.save(loaded, tmp_path / "b.png")
    assert bomb in (tmp_path / "b.png").read_bytes()
    assert png.inflate(zlib.compress(bytes(100)), 99) is None


@pytest.mark.parametrize(
    "packet",
    [
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + b" " * 900_000,
        b"<xmp:Thumbnails>" * 200_000,
        b"<xmp:Thumbnails " * 100_000,
        b"<rdf:RDF>" * 200_000,
        b"".join(b"<hdrgm:A%d>" % number for number in range(100_000)),
    ],
)
def test_no_packet_of_xmp_holds_anybody_up(packet):
    started = time.process_time()
    xmp.corrected(packet, (1, 1), nothing_behind=True)
    xmp.whole(packet, packet)
    xmp.orientation(packet)
    assert time.process_time() - started < 5


def test_the_colour_space_of_an_avif_goes_with_it(tmp_path, picture):
    buffer = io.BytesIO()
    picture.save(buffer, "AVIF", quality=90)
    (tmp_path / "a.avif").write_bytes(riff.with_colour_space(buffer.getvalue(), 12, 13))  # Display P3
    loaded = files.load(tmp_path / "a.avif")
    assert files.save(loaded, tmp_path / "b.avif") == ()
    assert riff.colour_space((tmp_path / "b.avif").read_bytes()) == (12, 13)
    files.save(loaded, tmp_path / "b.png")
    assert chunk(b"cICP", bytes([12, 13, 0, 1])) in (tmp_path / "b.png").read_bytes()
    assert files.save(loaded, tmp_path / "b.jpg") == ("colour space (cICP)",)


def test_of_two_blocks_of_one_kind_the_first_is_kept_and_the_other_is_named(tmp_path, picture):
    path, lying = tmp_path / "a.png", tiff.stream_of((tiff.Entry(0x0112, 3, 1, b"\x06\0"),), "<")
    picture.save(path)
    blocks = [camera_exif(), lying], [packet(), packet(orientation=6)]
    with_chunks(path, *[chunk(b"eXIf", block) for block in blocks[0]])
    with_chunks(path, *[chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + block) for block in blocks[1]])
    with_chunks(path, chunk(b"iCCP", b"name\0\0not zlib"))
    loaded = files.load(path)
    assert np.array_equal(np.asarray(loaded), np.asarray(picture))
    dropped = ("a second EXIF block", "a second XMP block", "a damaged colour profile")
    assert sorted(metadata.of(loaded).dropped) == sorted(dropped)
    files.save(loaded, tmp_path / "b.png")
    written = (tmp_path / "b.png").read_bytes()
    assert [written.count(kind) for kind in (b"eXIf", b"XML:com.adobe.xmp", b"iCCP")] == [1, 1, 0]


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
@pytest.mark.parametrize("form", [np.uint8, np.uint16])
def test_the_orientation_of_a_tiff_may_be_any_whole_number_or_stand_in_its_xmp(kind, form):
    pixels = np.arange(20 * 30 * 3).reshape(20, 30, 3).astype(form)
    content = tifffile_of(pixels, (0x0112, kind, 1, 6, True))
    in_xmp = tifffile_of(pixels, (700, 1, len(packet(orientation=6)), packet(orientation=6), True))
    for data in (content, in_xmp):
        loaded = files.decode_any(data, "a")
        written = files.encode(loaded, Path("b.tiff")).content
        for one in (loaded, files.decode_any(written, "b")):
            assert np.array_equal(one.colour if isinstance(one, files.Deep) else one, pixels.swapaxes(0, 1)[:, ::-1])
        assert files.header_of(data, "a") == files.Header((20, 30), 8 * pixels.itemsize)


def tifffile_of(pixels, tag):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", extratags=[tag], metadata=None)
    return buffer.getvalue()


def test_an_xmp_of_several_segments_is_corrected_and_still_pointed_to(tmp_path, picture):
    large = packet("<tiff:Make>" + "x" * 150_000 + "</tiff:Make>", orientation=6)
    _, extension = xmp.split_for_jpeg(large)
    small, _ = xmp.split_for_jpeg(large)
    picture.save(tmp_path / "a.jpg", quality=95)
    stranger = xmp.split_for_jpeg(b"another packet")[1]
    with_segments(tmp_path / "a.jpg", *[segment(0xE1, part) for part in (XMP_HEAD + small, *stranger, *extension)])
    loaded = files.load(tmp_path / "a.jpg")
    assert loaded.size == (80, 120)
    for suffix in (".jpg", ".png"):
        files.save(loaded, tmp_path / f"b{suffix}")
        again = files.load(tmp_path / f"b{suffix}")
        assert again.size == (80, 120)
        assert (metadata.of(again).xmp + metadata.of(again).xmp_extension).count(b'tiff:Orientation="1"') == 1
    without_one = [segment(0xE1, part) for part in (XMP_HEAD + small, *extension[1:])]
    picture.save(tmp_path / "c.jpg")
    with_segments(tmp_path / "c.jpg", *without_one)
    assert metadata.of(files.load(tmp_path / "c.jpg")).dropped == ("the damaged rest of a large XMP packet",)


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 92, 98])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(tmp_path, quality, mode):
    path = tmp_path / "a.jpg"
    Image.new(mode, (16, 16)).save(path, quality=quality)
    picture = files.load(path)
    assert files.own_quality(picture, path) == quality
    assert files.own_quality(picture, tmp_path / "a.webp") is None
    assert files.own_quality(Image.new(mode, (16, 16)), path) is None
