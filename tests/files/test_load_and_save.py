import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from watermark import files
from watermark.errors import UserError
from watermark.files.modes import plain

RNG = np.random.default_rng(0)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'


def picture(mode="RGB", size=(40, 30)):
    return Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_colour_profile_exif_and_xmp_survive_loading_and_saving(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x013B] = "the artist"
    source = picture()
    source.info |= {"icc_profile": ICC, "exif": exif.tobytes(), "xmp": XMP}
    files.save(source, tmp_path / f"a{suffix}")
    files.save(files.load(tmp_path / f"a{suffix}"), tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as kept:
        assert kept.info["icc_profile"] == ICC
        assert kept.getexif()[0x013B] == "the artist"
        assert b"x:xmpmeta" in (kept.info.get("xmp") or kept.info["XML:com.adobe.xmp"].encode())


def test_png_text_survives(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "a cat")
    text.add_itxt("note", "grüß", lang="de")
    picture().save(tmp_path / "a.png", pnginfo=text)
    files.save(files.load(tmp_path / "a.png"), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as kept:
        assert kept.text["prompt"] == "a cat"
        assert kept.text["note"] == "grüß"


def test_exif_orientation_is_applied_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    picture().save(tmp_path / "a.png", exif=exif)
    upright = files.load(tmp_path / "a.png")
    assert upright.size == (30, 40)
    files.save(upright, tmp_path / "b.png")
    assert files.load(tmp_path / "b.png").size == (30, 40)


def test_a_lossless_format_holds_every_pixel(tmp_path):
    source = picture("RGBA")
    for suffix in (".png", ".tif"):
        files.save(source, tmp_path / f"a{suffix}")
        assert np.array_equal(np.asarray(files.load(tmp_path / f"a{suffix}")), np.asarray(source))


def deep(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 2**16, (8, 8), dtype=np.uint16)).save(path)


def deep_rgb(path: Path) -> None:
    """A 16-bit RGB PNG, which Pillow would quietly read as 8 bits."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(12)) * 2)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def cmyk(path: Path) -> None:
    picture("CMYK").save(path, "JPEG")


def animation(path: Path) -> None:
    picture().save(path, "GIF", save_all=True, append_images=[picture()])


def truncated(path: Path) -> None:
    buffer = io.BytesIO()
    picture(size=(200, 200)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue()[:5000])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (deep, "8 bits per channel"),
        (deep_rgb, "8 bits per channel"),
        (cmyk, "got CMYK"),
        (animation, "got 2 frames"),
        (truncated, "cannot be read"),
        (lambda path: path.write_text("no picture"), "got no picture that is known here"),
        (lambda path: path.write_bytes(b""), "got an empty file"),
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "expected a file, got a folder"),
    ],
    ids=["16-bit grey", "16-bit RGB", "CMYK", "animation", "truncated", "text", "empty", "missing", "folder"],
)
def test_what_cannot_be_read_rightly_is_refused_in_one_line_that_names_the_file(tmp_path, make, reason):
    path = tmp_path / "picture.png"
    make(path)
    with pytest.raises(UserError, match=reason) as refusal:
        files.load(path)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_nothing_is_overwritten_unless_asked(tmp_path):
    path = tmp_path / "a.png"
    files.save(picture(), path)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"exists already.*overwrite=True"):
        files.save(picture(), path)
    assert path.read_bytes() == before
    files.save(picture(), path, overwrite=True)
    assert path.read_bytes() != before


def test_a_failed_write_leaves_neither_a_half_file_nor_a_temporary_one(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    files.save(picture(), path)
    before = path.read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="No space left on device"):
        files.save(picture(), path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.gif", "a.xyz", "a"])
def test_a_format_that_cannot_hold_a_mark_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot write"):
        files.save(picture(), tmp_path / name)


def test_transparency_is_laid_on_white_where_the_format_has_none(tmp_path):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    files.save(clear, tmp_path / "a.jpg")
    assert np.asarray(files.load(tmp_path / "a.jpg")).min() > 250


def test_pictures_are_found_below_a_folder_in_order_without_hidden_ones(tmp_path):
    for name in ("b.png", "sub/a.JPG", ".hidden.png", ".cache/x.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in files.find_pictures(tmp_path)] == ["b.png", "sub/a.JPG"]


def test_a_picture_in_a_plain_mode_is_not_copied_and_no_caller_sees_it_changed(tmp_path):
    given = picture()
    given.info = {"comment": b"mine"}
    before, told = given.tobytes(), dict(given.info)
    assert plain(given) is given
    for suffix in (".png", ".jpg", ".tiff", ".webp"):
        files.save(given, tmp_path / f"a{suffix}")
        assert type(files.load(tmp_path / f"a{suffix}")) is Image.Image  # and no longer a file that can be closed
    assert (given.tobytes(), given.info) == (before, told)
