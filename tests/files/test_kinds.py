"""Kinds of files that people have: each with the right values, or refused in one line, in marking and in looking."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from watermark import files
from watermark.errors import UserError
from watermark.files import metadata

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65_536, (40, 60, 3), dtype=np.uint16)
SHALLOW = (DEEP >> 8).astype(np.uint8)


def tiff(values, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **{"photometric": "rgb", **options})
    return buffer.getvalue()


def jpeg(**options):
    buffer = io.BytesIO()
    Image.fromarray(SHALLOW).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def written(image, suffix):
    """The picture after a trip through a file, and what was lost on it."""
    encoded = files.encode(image, Path(f"a{suffix}"))
    return files.decode_any(encoded.content, "written"), encoded.lost


def test_a_bigtiff_keeps_its_depth_and_its_metadata():
    given = files.decode_any(tiff(DEEP, bigtiff=True, description="a field", metadata=None), "big")
    assert (given.bits, given.mode) == (16, "RGB")
    assert np.array_equal(given.colour, DEEP)
    assert b"a field\0" in metadata.of(given).exif
    again, _ = written(given, ".tiff")
    assert np.array_equal(again.colour, DEEP)
    assert b"a field\0" in metadata.of(again).exif


def test_the_pages_of_a_bigtiff_are_counted():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=True) as whole:
        whole.write(SHALLOW, photometric="rgb")
        whole.write(SHALLOW, photometric="rgb")
    with pytest.raises(UserError, match="expected one still picture, got 2 pages"):
        files.decode(buffer.getvalue(), "pages")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff(SHALLOW.view(np.int8)), "signed"),
        (tiff(DEEP[..., 0].view(np.int16), photometric="minisblack"), "signed"),
        (tiff(SHALLOW.astype(np.float32)), "floating point"),
        (tiff(np.moveaxis(DEEP, 2, 0), planarconfig="separate"), "16 bits in planes"),
        (tiff(SHALLOW, bigtiff=True, byteorder=">"), "a BigTIFF whose numbers begin with their greatest byte"),
        (tiff(SHALLOW, subfiletype=1), "a camera's raw file"),
        (tiff(SHALLOW, extratags=[(50706, 1, 4, (1, 4, 0, 0), True)]), "a camera's raw file"),
        (jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"), "a JPEG of 8 bits, got 12"),
        (jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xf7\0\x11\x08"), "got JPEG-LS"),
        (b"", "got an empty file"),
        (b"qoif" + bytes(40), "got QOI"),
        (b"\n<!DOCTYPE html><title>404</title>", "got a web page"),
        (b"\0\0\0\x18ftypcrx " + bytes(40), "got a camera's raw file"),
    ],
)
def test_what_would_be_read_with_other_values_is_refused_for_looking_too(content, reason):
    for read in (files.decode_any, lambda data, name: files.decode(data, name, strict=False)):
        with pytest.raises(UserError, match=reason) as refusal:
            read(content, "a picture")
        assert str(refusal.value).startswith("a picture: ")
        assert "\n" not in str(refusal.value)


def test_samples_that_are_no_colours_are_named():
    five = tiff(np.dstack([SHALLOW, SHALLOW[..., :2]]), extrasamples=["unspecified", "unspecified"])
    given = files.decode(five, "five")
    assert np.array_equal(np.asarray(given), SHALLOW)
    assert metadata.of(given).dropped == ("samples that are neither colours nor transparency",)


def test_grey_of_32_bits_is_looked_at_with_its_own_greatest_value():
    grey = DEEP[..., 0].astype(np.uint32) << 16
    seen = files.decode(tiff(grey, photometric="minisblack"), "grey", strict=False)
    assert np.array_equal(np.asarray(seen), DEEP[..., 0] >> 8)


@pytest.mark.parametrize(("values", "suffix"), [(DEEP, ".ppm"), (DEEP[..., :1], ".pgm")])
def test_a_ppm_of_16_bits_is_written_as_one(values, suffix):
    head = b"P%d\n60 40\n65535\n" % (6 if suffix == ".ppm" else 5)
    given = files.decode_any(head + values.astype(">u2").tobytes(), "deep")
    again, lost = written(given, suffix)
    assert np.array_equal(again.colour, values)
    assert lost == ()


def test_a_tag_that_stands_twice_in_a_tiff_stays_twice():
    given = files.decode(tiff(SHALLOW, description="first", byteorder=">"), "twice")  # tifffile adds the shape
    again, _ = written(given, ".tif")
    for words in (b"first\0", b'{"shape": [40, 60, 3]}\0'):
        assert words in metadata.of(again).exif


@pytest.mark.parametrize(("code", "factors"), [(0x411111, (1, 1)), (0x121111, (1, 1)), (0x211111, (2, 1))])
@pytest.mark.parametrize("quality", [None, 80])
def test_colours_are_written_no_coarser_than_they_were(code, factors, quality):
    made = cv2.imencode(".jpg", SHALLOW, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, code])[1].tobytes()
    encoded = files.encode(files.decode(made, "given"), Path("a.jpg"), quality)
    assert Image.open(io.BytesIO(encoded.content)).layer[0][1:3] == factors


def test_a_webp_without_loss_stays_one_unless_a_quality_is_asked_for():
    clear = Image.fromarray(np.dstack([SHALLOW, SHALLOW[..., 0]]))
    buffer = io.BytesIO()
    clear.save(buffer, "WEBP", lossless=True, exact=True)
    given = files.decode(buffer.getvalue(), "lossless")
    again, _ = written(given, ".webp")
    assert np.array_equal(np.asarray(again), np.asarray(clear))
    lossy = files.encode(given, Path("a.webp"), 80).content
    assert not np.array_equal(np.asarray(files.decode(lossy, "lossy")), np.asarray(clear))


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
def test_transparency_that_is_lost_is_named(suffix):
    clear = Image.fromarray(np.dstack([SHALLOW, SHALLOW[..., 0]]))
    assert "transparency, laid on white" in written(clear, suffix)[1]
    clear.putalpha(255)
    assert written(clear, suffix)[1] == ()
