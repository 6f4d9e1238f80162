"""More than 8 bits a channel: read, marked and written at their own depth, checked value by value."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from raw_bytes import chunk
from skimage import data

from watermark import Watermarker, files
from watermark.depth import embed_deep
from watermark.errors import UserError
from watermark.files import metadata
from watermark.files.containers import png, riff
from watermark.mark_file import mark_file
from watermark.metrics.psnr import psnr_of_arrays

RNG = np.random.default_rng(0)
CAT = data.chelsea()[:256, :384]
DEEP = (CAT.astype(np.uint16) << 8) | RNG.integers(0, 256, CAT.shape, dtype=np.uint16)  # every low bit is used
ALPHA = np.linspace(0, 65535, DEEP[..., 0].size).astype(np.uint16).reshape(DEEP.shape[:2])
LAYOUTS = {0: DEEP[..., :1], 4: np.dstack([DEEP[..., 0], ALPHA]), 2: DEEP, 6: np.dstack([DEEP, ALPHA])}


def png16(values, colour_type, *chunks):
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    body = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows, 1)), chunk(b"IEND", b"")]
    return png.SIGNATURE + b"".join(body)


def avif(values, bits, quality=100, space=None):
    settings = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_SPEED, 9]
    content = cv2.imencode(".avif", values[..., ::-1], settings)[1].tobytes()
    return riff.with_colour_space(content, *space) if space else content


def tiff16(values, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="k", device="cpu")


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("colour_type", LAYOUTS)
def test_every_value_of_16_bits_comes_back(tmp_path, colour_type, suffix):
    values, path = LAYOUTS[colour_type], tmp_path / "a.png"
    path.write_bytes(png16(values, colour_type, chunk(b"gAMA", struct.pack(">I", 100_000))))
    given = files.load_any(path)
    assert np.array_equal(given.colour, values[..., : 3 if colour_type & 2 else 1])
    if colour_type & 4:
        assert np.array_equal(given.alpha, ALPHA)
    if (colour_type, suffix) == (4, ".tiff"):
        with pytest.raises(UserError, match=r"grey with transparency in 16 bits fits into \.png only"):
            files.encode(given, tmp_path / "b.tiff")
        return
    (tmp_path / f"b{suffix}").write_bytes(files.encode(given, tmp_path / f"b{suffix}").content)
    again = files.load_any(tmp_path / f"b{suffix}")
    assert (again.mode, again.bits) == (given.mode, 16)
    assert np.array_equal(again.colour, given.colour)
    assert given.alpha is None or np.array_equal(again.alpha, given.alpha)
    if suffix == ".png":
        assert chunk(b"gAMA", struct.pack(">I", 100_000)) in (tmp_path / "b.png").read_bytes()
        assert (tmp_path / "b.png").read_bytes()[24:26] == bytes([16, colour_type])
    else:
        page = tifffile.TiffFile(tmp_path / "b.tiff").pages[0]
        assert [int(one) for one in page.extrasamples] == ([2] if given.alpha is not None else [])


@pytest.mark.parametrize(("kind", "key"), [(0, DEEP[3, 4, :1]), (2, DEEP[3, 4])])
def test_the_one_transparent_value_of_16_bits_becomes_transparency(tmp_path, kind, key):
    path = tmp_path / "a.png"
    path.write_bytes(png16(LAYOUTS[kind], kind, chunk(b"tRNS", key.astype(">u2").tobytes())))
    given = files.load_any(path)
    assert np.array_equal(given.alpha == 0, (LAYOUTS[kind] == key).all(2))
    assert set(np.unique(given.alpha)) == {0, 65535}


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "rgb", "compression": "zlib", "predictor": True},
        {"photometric": "rgb", "tile": (64, 64)},
        {"photometric": "rgb", "byteorder": ">"},
    ],
)
def test_tiffs_of_16_bits_are_read_as_another_library_wrote_them(tmp_path, options):
    (tmp_path / "a.tiff").write_bytes(tiff16(DEEP, **options))
    assert np.array_equal(files.load_any(tmp_path / "a.tiff").colour, DEEP)


def test_a_tiff_whose_white_is_0_keeps_its_look(tmp_path):
    (tmp_path / "a.tiff").write_bytes(tiff16(65535 - DEEP[..., 0], photometric="miniswhite"))
    assert np.array_equal(files.load_any(tmp_path / "a.tiff").colour, DEEP[..., :1])


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (np.moveaxis(DEEP, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        (DEEP.astype(np.int16), {"photometric": "rgb"}),
        (DEEP.astype(np.float32), {"photometric": "rgb"}),
        (LAYOUTS[6], {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
        (LAYOUTS[4], {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}),
    ],
)
def test_a_tiff_that_would_be_read_with_other_values_is_refused_in_one_line(tmp_path, values, options):
    (tmp_path / "a.tiff").write_bytes(tiff16(values, **options))
    with pytest.raises(UserError) as refusal:
        files.load_any(tmp_path / "a.tiff")
    assert "\n" not in str(refusal.value)
    assert str(tmp_path / "a.tiff") in str(refusal.value)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_a_deep_picture_is_turned_as_pillow_turns_a_shallow_one(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = png16(DEEP, 2, chunk(b"eXIf", exif.tobytes()[6:]))
    if suffix == ".tiff":
        content = tiff16(DEEP, photometric="rgb", extratags=[(0x0112, 3, 1, orientation, True)])
    (tmp_path / f"a{suffix}").write_bytes(content)
    given = files.load_any(tmp_path / f"a{suffix}")
    wanted = files.modes.upright(Image.fromarray((DEEP >> 8).astype(np.uint8)), orientation)
    assert np.array_equal(given.colour >> 8, np.asarray(wanted))
    assert metadata.of(given).orientation == 1


@pytest.mark.parametrize("colour_type", [0, 2, 6])
def test_the_mark_is_that_of_8_bits_at_the_same_psnr_and_nothing_else_changes(tmp_path, marker, colour_type):
    (tmp_path / "a.png").write_bytes(png16(LAYOUTS[colour_type], colour_type))
    made = mark_file(marker, tmp_path / "a.png", tmp_path / "b.png", 1, 2, preflight="none")
    given, marked = files.load_any(tmp_path / "a.png"), files.load_any(tmp_path / "b.png")
    shallow = given.at_8bit()
    of_8bit = marker.embed(shallow, 1, 2)
    pixels = [np.asarray(one) for one in (of_8bit, shallow)]
    wanted = psnr_of_arrays(*pixels, 255)
    assert made.psnr == pytest.approx(wanted, abs=0.05)
    assert psnr_of_arrays(marked.colour, given.colour, 65535) == pytest.approx(wanted, abs=0.05)
    change = marked.colour.astype(int) - given.colour
    assert np.corrcoef(change.ravel(), (pixels[0].astype(int) - pixels[1]).ravel())[0, 1] > 0.95
    assert len(np.unique(change % 257)) > 200  # in steps finer than those of 8 bits
    assert given.alpha is None or np.array_equal(marked.alpha, given.alpha)
    found = marker.detect(files.look(tmp_path / "b.png"))
    assert (found.provider_id, found.content_id) == (1, 2)


def test_where_the_mark_adds_nothing_every_bit_stays(marker, monkeypatch):
    def half(images, message):
        change = torch_like(images)
        change[..., :100] = 0
        return change

    torch_like = lambda images: (images - images.roll(1, -1)).clamp(-0.01, 0.01)  # noqa: E731
    monkeypatch.setattr(marker.scheme, "residual", half)
    given = files.Deep.of_array(DEEP)
    marked = embed_deep(marker, given, 1, 2)
    assert np.array_equal(marked.colour[:, :100], DEEP[:, :100])
    assert (marked.colour[:, 100:] != DEEP[:, 100:]).mean() > 0.5


def test_a_large_deep_picture_is_marked_in_strips_at_the_same_psnr(marker, monkeypatch):
    monkeypatch.setattr(type(marker.scheme), "working_area", 70_000)
    deep = np.kron(DEEP, np.ones((2, 2, 1), np.uint16)) ^ RNG.integers(0, 200, (512, 768, 3), dtype=np.uint16)
    marked = embed_deep(marker, files.Deep.of_array(deep), 1, 2)
    assert psnr_of_arrays(marked.colour, deep, 65535) == pytest.approx(45, abs=0.1)
    assert marker.detect(marked.at_8bit()).content_id == 2


def test_arrays_of_16_bits_go_in_and_out_of_the_marker(marker):
    marked = marker.embed(DEEP, 1, 2)
    assert (marked.dtype, marked.shape) == (np.uint16, DEEP.shape)
    assert marker.detect(marked).content_id == 2
    with pytest.raises(TypeError, match="expected a uint16 array"):
        marker.embed(DEEP[..., 0], 1, 2)


@pytest.mark.parametrize(("bits", "space"), [(10, (9, 16)), (12, (9, 18)), (10, None)])
@pytest.mark.parametrize("suffix", [".avif", ".png"])
def test_avif_of_10_and_12_bits_keeps_depth_and_colour_space(tmp_path, marker, bits, space, suffix):
    values = DEEP >> (16 - bits)
    (tmp_path / "a.avif").write_bytes(avif(values, bits, space=space))
    given = files.load_any(tmp_path / "a.avif")
    assert np.array_equal(given.colour, values)
    target = tmp_path / f"b{suffix}"
    made = mark_file(marker, tmp_path / "a.avif", target, 1, 2, quality=100, preflight="none")
    assert made.psnr == pytest.approx(45, abs=0.3)
    marked = files.load_any(target)
    assert marked.bits == (bits if suffix == ".avif" else 16)
    assert psnr_of_arrays(marked.colour, given.at(marked.bits).colour, marked.levels) == pytest.approx(made.psnr)
    if suffix == ".avif":
        assert riff.colour_space(target.read_bytes()) == space
    else:
        assert (chunk(b"cICP", bytes([*(space or (0, 0)), 0, 1])) in target.read_bytes()) == (space is not None)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".bmp"])
def test_a_format_that_cannot_hold_16_bits_refuses_them_in_one_line(tmp_path, marker, suffix):
    (tmp_path / "a.png").write_bytes(png16(DEEP, 2))
    with pytest.raises(UserError, match=r"bits a channel fit into") as refusal:
        mark_file(marker, tmp_path / "a.png", tmp_path / f"b{suffix}", 1, 2)
    assert "\n" not in str(refusal.value)
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_hdr_colours_are_not_written_where_they_would_look_wrong(tmp_path, marker):
    (tmp_path / "a.avif").write_bytes(avif(DEEP >> 6, 10, space=(9, 16)))
    with pytest.raises(UserError, match="HDR"):
        mark_file(marker, tmp_path / "a.avif", tmp_path / "b.tiff", 1, 2)


def test_what_is_cut_off_is_refused(tmp_path):
    whole = png16(DEEP, 2)
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be read"):
        files.load_any(tmp_path / "a.png")
