"""One door, the formats that are named, a limit of our own, one line for whatever goes wrong."""

import ast
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from raw_bytes import chunk

from watermark import files
from watermark.errors import UserError
from watermark.files import door, formats, limits

ROOT = Path(__file__).parents[2]


def png_of(width, height):
    """A small file of a large picture: 1 bit a pixel, all black."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 2) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("package", ["watermark", "attacks"])
def test_no_other_place_lets_pillow_guess_what_a_file_is(package):
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open", "cv2.imread"):
                others = package == "attacks" or "studies" in path.parts  # play other people's programs
                assert others, f"{path}:{node.lineno} opens a picture beside watermark.files.door"
                assert any(word.arg == "formats" for word in node.keywords), f"{path}:{node.lineno} names no formats"


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n",
        b"8BPS\0\x01" + bytes(40),
        b"\xd7\xcd\xc6\x9a" + bytes(40),
        b"SIMPLE  =                    T",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_a_file_of_another_kind_never_reaches_a_decoder(tmp_path, monkeypatch, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    monkeypatch.setattr(Image, "OPEN", {})  # any decoder would be a KeyError
    for read in (files.load, files.look, lambda p: files.header_of(files.read_bytes(p), p)):
        with pytest.raises(UserError, match=r"expected one of PNG, JPEG, WebP, .*, got "):
            read(path)


@pytest.mark.parametrize(("width", "height"), [(13_000, 13_000), (9_400, 9_400), (100_000, 64), (60_000, 64)])
def test_a_picture_larger_than_allowed_is_refused_before_it_is_decoded(tmp_path, monkeypatch, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(width, height))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    for read in (files.load, files.look):
        with pytest.raises(UserError, match=r"the limit is 50|at most") as refusal:
            read(path)
        assert "\n" not in str(refusal.value)


def test_the_limit_is_one_setting(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(png_of(300, 200))
    monkeypatch.setenv(limits.VARIABLE, "59999")
    with pytest.raises(UserError, match=r"300x200 is 0\.1 Mpx, the limit is"):
        files.load(path)
    files.set_max_pixels(60_000)
    assert files.load(path).size == (300, 200)
    monkeypatch.setenv(limits.VARIABLE, "many")
    with pytest.raises(UserError, match="expected a positive whole number"):
        files.load(path)


def test_no_warning_of_pillow_gets_out_where_the_limit_is_raised(tmp_path, monkeypatch, recwarn):
    monkeypatch.setenv(limits.VARIABLE, "200_000_000".replace("_", ""))
    data = png_of(10_000, 10_000)
    assert files.header_of(data, "large.png") == files.Header((10_000, 10_000), 1)
    assert not recwarn.list


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a\nb"), TypeError(), struct.error("unpack"), AttributeError("x"), KeyError(3), MemoryError()],
)
def test_an_exception_of_any_type_is_one_line_that_names_the_file(tmp_path, monkeypatch, error):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")

    def fail(*_):
        raise error

    monkeypatch.setattr(door, "plain", fail)
    with pytest.raises(UserError) as refusal:
        files.load(tmp_path / "a.png")
    assert str(refusal.value).startswith(f"{tmp_path / 'a.png'}: cannot be read (")
    assert "\n" not in str(refusal.value)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="not a regular file"):
        files.load(tmp_path / "pipe.png")


def test_a_folder_in_place_of_a_file_is_called_one(tmp_path):
    with pytest.raises(UserError, match=r"expected a file, got a folder$"):
        files.load(tmp_path)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tiff"])
def test_the_first_frame_of_anything_can_be_looked_at(tmp_path, picture, suffix):
    path = tmp_path / f"a{suffix}"
    picture.save(path, save_all=True, append_images=[picture.transpose(Image.Transpose.ROTATE_180)])
    with pytest.raises(UserError, match=r"expected one still picture, got 2 (frames|pages)"):
        files.load(path)
    assert files.look(path).size == picture.size


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "F"])
def test_what_is_refused_for_marking_can_still_be_looked_at(tmp_path, picture, mode):
    path = tmp_path / "a.tiff"
    picture.convert("L").convert("I").convert(mode).save(path) if mode == "I;16" else picture.convert(mode).save(path)
    with pytest.raises(UserError, match="expected"):
        files.load(path)
    assert files.look(path).mode in ("L", "RGB")


def test_a_format_whose_package_is_missing_says_which(tmp_path, monkeypatch):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    monkeypatch.setattr(formats, "installed", lambda found: found.package is None)
    with pytest.raises(UserError, match="HEIF needs the package pillow-heif"):
        files.load(path)
