"""What is told of a marked file is of the file, and a mark that it does not hold is not written."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark import Watermarker, files
from watermark.errors import UserError
from watermark.mark_file import QUICK, THOROUGH, Resaving, mark_file, psnr_of_pictures
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor

PICTURE = Image.fromarray(data.chelsea())


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="k", device="cpu")


def stronger(target):
    return Watermarker.load("tile_spread", key="k", device="cpu", target_psnr=target)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_psnr_is_that_of_the_written_file(tmp_path, marker, suffix):
    source, target = tmp_path / "in.jpg", tmp_path / f"out{suffix}"
    PICTURE.save(source, quality=80, subsampling=0)
    made = mark_file(marker, source, target, 1, 2, preflight="none")
    written, given = (to_tensor(Image.open(path)) for path in (target, source))
    assert made.psnr == pytest.approx(float(psnr(written, given)), abs=0.01)
    assert (made.psnr < 44.9) == (suffix != ".png")


def test_the_two_psnrs_of_the_toolkit_are_one():
    other = PICTURE.point(lambda level: level ^ 3)
    assert psnr_of_pictures(other, PICTURE) == pytest.approx(
        float(psnr(to_tensor(other), to_tensor(PICTURE))), abs=1e-6
    )
    assert psnr_of_pictures(PICTURE, PICTURE) == np.inf
    with pytest.raises(ValueError, match="two pictures of one size"):
        psnr_of_pictures(PICTURE, PICTURE.resize((8, 8)))


@pytest.mark.parametrize("quality", [None, 4])
def test_a_mark_that_the_file_does_not_hold_is_refused_in_one_line_with_what_helps(tmp_path, marker, quality):
    picture = PICTURE.resize((64, 64)) if quality is None else PICTURE.resize((160, 120))
    picture.save(tmp_path / "in.png")
    with pytest.raises(UserError, match=r"cannot be read back from it .* --ensure marks it more strongly") as refusal:
        mark_file(marker, tmp_path / "in.png", tmp_path / "out.jpg", 1, 2, quality=quality)
    assert "\n" not in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


BUSY = Image.fromarray(data.immunohistochemistry()).crop((0, 0, 320, 240))
"""Small, and full of detail: a faint mark does not leave the grid of its JPEG."""


@pytest.mark.parametrize(("finer", "taken"), [(3, 98), (21, 96)])
def test_a_jpeg_that_loses_the_mark_at_its_own_quality_is_saved_at_a_higher_one(
    tmp_path, monkeypatch, marker, finer, taken
):
    """3 more are not enough here; the highest is, and so are 21 more."""
    monkeypatch.setattr("watermark.files.writing.FINER", finer)
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    BUSY.save(source, quality=75)
    with pytest.raises(UserError, match="cannot be read back"):
        mark_file(marker, source, target, 1, 2, quality=75)
    assert mark_file(marker, source, target, 1, 2, preflight="none").quality == taken
    assert files.own_quality(files.load(target), target) == taken
    assert marker.detect(files.load(target)).content_id == 2


def test_a_jpeg_that_holds_the_mark_keeps_its_own_quality(tmp_path, marker):
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    PICTURE.save(source, quality=81)
    assert mark_file(marker, source, target, 1, 2, preflight="none").quality is None
    assert files.own_quality(files.load(target), target) == 81


def test_the_refusal_of_a_jpeg_at_its_own_quality_names_the_option_for_another(tmp_path, marker):
    PICTURE.resize((64, 64)).save(tmp_path / "in.jpg", quality=90)
    advice = "--ensure marks it more strongly, another --quality may keep it, a larger picture helps"
    with pytest.raises(UserError, match=advice):
        mark_file(marker, tmp_path / "in.jpg", tmp_path / "out.jpg", 1, 2)
    with pytest.raises(UserError) as refusal:
        mark_file(marker, tmp_path / "in.jpg", tmp_path / "out.jpg", 1, 2, quality=90)
    assert "--quality" not in str(refusal.value)


def noise(*size):
    """Black-and-white noise, in which a mark drowns at the first re-saving."""
    return Image.fromarray((np.random.default_rng(0).random(size) > 0.5).astype(np.uint8) * 255)


def test_ensuring_lowers_the_quality_until_the_file_and_its_resavings_are_read(tmp_path, marker):
    noise(480, 640).save(tmp_path / "in.png")
    plain = mark_file(marker, tmp_path / "in.png", tmp_path / "plain.png", 1, 2)
    made = mark_file(marker, tmp_path / "in.png", tmp_path / "sure.png", 1, 2, stronger=stronger)
    assert plain.weak
    assert len(made.weak) < len(plain.weak)
    assert made.target_psnr < plain.target_psnr == 45
    assert made.psnr < plain.psnr
    assert marker.detect(files.load(tmp_path / "sure.png")).content_id == 2


def test_the_preflight_says_after_what_the_mark_is_lost_with_a_number(tmp_path, marker):
    noise(300, 400).save(tmp_path / "in.png")
    made = mark_file(marker, tmp_path / "in.png", tmp_path / "out.png", 1, 2, preflight="thorough")
    assert {str(one) for one in QUICK} <= {str(one) for one in THOROUGH}
    assert {what for what, _ in made.weak} <= {str(one) for one in THOROUGH}
    assert made.weak
    assert all(log10_p > -6 for _, log10_p in made.weak)
    assert mark_file(marker, tmp_path / "in.png", tmp_path / "o.png", 1, 2, preflight="none").weak == ()


@pytest.mark.parametrize("weak", [False, True])
def test_where_a_stronger_mark_does_not_help_the_fainter_one_is_kept(tmp_path, monkeypatch, weak):
    """Black-and-white noise lost the mark it had, for stronger ones were clipped away."""
    marker = Watermarker.load("dwt_dct", key="k", device="cpu")
    monkeypatch.setattr("watermark.mark_file.QUICK", (Resaving(1),) if weak else ())
    PICTURE.save(tmp_path / "in.png")

    def worse(target):
        return Watermarker.load("dwt_dct", key="another", device="cpu", target_psnr=target)

    made = mark_file(marker, tmp_path / "in.png", tmp_path / "out.png", 1, 2, stronger=worse)
    assert made.psnr > 41
    assert [name for name, _ in made.weak] == ["JPEG 1"] * weak
    assert marker.detect(files.load(tmp_path / "out.png")).content_id == 2
