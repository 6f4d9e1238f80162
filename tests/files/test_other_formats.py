"""HEIC and JPEG XL, where their packages are installed (extra ``formats``, which `.ci/run` installs)."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark import Watermarker, files
from watermark.errors import UserError
from watermark.files import formats, metadata
from watermark.files.containers import jxl
from watermark.mark_file import mark_file

CAT = Image.fromarray(data.chelsea()[:256, :384])
PACKAGES = {".heic": "pillow_heif", ".jxl": "pillow_jxl"}
JXL_16 = bytes.fromhex(  # a ramp of 16x16 grey levels of 16 bits, and the start of others, by libjxl
    "0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000096a786c6c0a000000896a786c63ff0a43f003142d02"
    "08040100cc014b2836561fbc4b4898806805fad3a430c6e00511b131e430487228197ae8a1875e721b7ae8a1871e7ae8a1871e7ae8a197a309"
    "29c0edd682ad6bbcdfeff79b84f4fd7ebf9a2802a9c9e552487b88759101a7ec958acacb670a7f29fc4d69a6f099c2670a600f9f297ca6f099"
    "8246c7670a9f29"
)
JXL_8 = bytes.fromhex("ff0a434050dc0808040100b4004b2835c63eac120a26c088d1d8c8cf09e4322dce3a270610ad0000")
JXL_12 = bytes.fromhex("ff0a436042d1220013880200d401b59f200000152aa38c1bbc9cebf9f24387c5b48deb0c6db56d610963b3bd304848")


@pytest.mark.parametrize(("content", "bits"), [(JXL_16, 16), (JXL_8, 8), (JXL_12, 12), (b"", 8), (JXL_8[:2], 8)])
def test_how_deep_a_jxl_is_stands_in_its_header(content, bits):
    assert jxl.depth(content) == bits


@pytest.fixture(params=PACKAGES)
def suffix(request):
    pytest.importorskip(PACKAGES[request.param])
    formats.installed.cache_clear()
    return request.param


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="k", device="cpu")


def exif(orientation):
    made = Image.Exif()
    made[0x010F], made[0x0112] = "Maker", orientation
    return made.tobytes()


def test_a_picture_is_marked_read_back_and_keeps_its_exif(tmp_path, marker, suffix):
    CAT.info["exif"] = exif(1)
    files.save(CAT, tmp_path / f"a{suffix}")
    for target in (suffix, ".png"):
        made = mark_file(marker, tmp_path / f"a{suffix}", tmp_path / f"b{target}", 1, 2, preflight="none")
        assert made.psnr > 40
        marked = files.load(tmp_path / f"b{target}")
        assert marker.detect(marked).content_id == 2
        assert b"Maker" in metadata.of(marked).exif


def test_a_picture_on_its_side_is_turned_once(tmp_path, suffix):
    options = {"quality": 95}
    CAT.save(tmp_path / f"a{suffix}", exif=exif(6), **options)
    upright = files.load(tmp_path / f"a{suffix}")
    assert upright.size == (256, 384)
    files.save(upright, tmp_path / f"b{suffix}")
    again = files.load(tmp_path / f"b{suffix}")
    assert again.size == (256, 384)
    wanted = np.asarray(CAT.transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(np.asarray(again.convert("RGB")) - wanted).mean() < 8


def test_a_heic_of_10_bits_is_refused_and_not_made_shallow(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    deep = np.asarray(CAT).astype(np.uint16) * 257
    heif.from_bytes(mode="RGB;16", size=CAT.size, data=deep.tobytes()).save(tmp_path / "a.heic", quality=90)
    with pytest.raises(UserError, match=r"expected 8 bits per channel, got more \(10 bits"):
        files.load(tmp_path / "a.heic")
    assert files.look(tmp_path / "a.heic").size == CAT.size


def test_a_jxl_of_16_bits_is_refused_and_not_made_shallow(tmp_path):
    pytest.importorskip("pillow_jxl")
    (tmp_path / "a.jxl").write_bytes(JXL_16)
    with pytest.raises(UserError, match=r"expected 8 bits per channel, got more \(16 bits"):
        files.load(tmp_path / "a.jxl")


def test_the_files_of_a_folder_are_found(tmp_path, suffix):
    formats.readable.cache_clear()
    CAT.save(tmp_path / f"a{suffix}")
    assert [path.name for path in files.find_pictures(tmp_path)] == [f"a{suffix}"]
    assert files.passed_over_line(tmp_path) is None


def test_a_heic_of_several_pictures_is_its_first_and_the_gap_is_said(tmp_path):
    pytest.importorskip("pillow_heif")
    formats.installed(formats.of_suffix(".heic"))
    CAT.save(tmp_path / "a.heic", save_all=True, append_images=[CAT.rotate(90)])
    loaded = files.load(tmp_path / "a.heic")
    assert loaded.size == CAT.size
    assert metadata.of(loaded).dropped == (metadata.FURTHER,)
