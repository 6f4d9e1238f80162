import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from watermark.data.bundled import BundledImages
from watermark.data.folder import FolderImages
from watermark.data.graphics import FlatGraphics
from watermark.data.synthetic import CLASSES, SyntheticImages
from watermark.errors import UserError


def assert_sound(images):
    for index, info in enumerate(images.infos):
        picture = images.load(index)
        assert picture.shape == (1, 3, info.height, info.width)
        torch.testing.assert_close(picture * 255, (picture * 255).round(), atol=1e-3, rtol=0)
        assert picture.amin() >= 0
        assert picture.amax() <= 1
    assert len({info.id for info in images.infos}) == len(images.infos)


def test_bundled_pictures_are_photographs_and_apart_from_them_hard_cases():
    images = BundledImages()
    assert_sound(images)
    classes = [info.image_class for info in images.infos]
    assert classes.count("photo") == 6
    assert {"text", "flat", "dark"} <= set(classes)
    assert max(max(info.width, info.height) for info in images.infos) <= 512


def test_synthetic_pictures_cycle_through_the_classes_and_follow_the_seed():
    images = SyntheticImages(count=12)
    assert_sound(images)
    assert [info.image_class for info in images.infos] == [*CLASSES, *CLASSES]
    assert images.manifest_hash() == SyntheticImages(count=12).manifest_hash()
    assert images.manifest_hash() != SyntheticImages(count=12, seed=1).manifest_hash()


def test_graphics_are_flat_nearly_everywhere_and_follow_the_seed():
    images = FlatGraphics(count=4)
    assert_sound(images)
    assert {info.image_class for info in images.infos} == {"flat"}
    for index in range(4):
        picture = images.load(index)
        assert (picture.diff(dim=-1) == 0).all(1).float().mean() > 0.9
    assert images.manifest_hash() != FlatGraphics(count=4, seed=1).manifest_hash()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "faces/b.jpg", "faces/c.png", "text/d.webp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(path)
    return tmp_path


def test_sub_folders_are_the_classes_of_a_folder(folder):
    images = FolderImages(str(folder))
    assert_sound(images)
    assert [(i.id, i.image_class) for i in images.infos] == [
        ("a.png", "photo"),
        ("faces/b.jpg", "faces"),
        ("faces/c.png", "faces"),
        ("text/d.webp", "text"),
    ]


def test_the_manifest_hash_sees_a_changed_pixel_and_a_changed_size(folder):
    before = FolderImages(str(folder)).manifest_hash()
    assert FolderImages(str(folder), max_side=40).manifest_hash() != before
    Image.new("RGB", (80, 60)).save(folder / "a.png")
    assert FolderImages(str(folder)).manifest_hash() != before


def test_larger_pictures_are_reduced_and_smaller_ones_left(folder):
    images = FolderImages(str(folder), max_side=40)
    assert {(i.width, i.height) for i in images.infos} == {(40, 30)}
    assert_sound(images)


def test_a_limit_spreads_over_the_folder(folder):
    assert [i.id for i in FolderImages(str(folder), limit=2).infos] == ["a.png", "text/d.webp"]


def test_a_picture_on_its_side_is_measured_upright(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(folder / "a.png", exif=exif)
    images = FolderImages(str(folder))
    assert (images.infos[0].width, images.infos[0].height) == (60, 80)
    assert_sound(images)


def test_a_broken_picture_is_known_by_its_size_and_fails_when_loaded(folder):
    (folder / "a.png").write_bytes(b"broken")
    images = FolderImages(str(folder))
    assert (images.infos[0].width, images.infos[0].height) == (0, 0)
    with pytest.raises(UserError, match=r"a\.png"):
        images.load(0)


def test_files_that_are_no_pictures_are_counted_in_one_line(folder):
    (folder / "clip.mov").write_bytes(b"")
    (note,) = FolderImages(str(folder)).notes
    assert "1 file not looked at (1 .mov)" in note


def test_a_picture_of_16_bits_is_measured_in_8_and_said_to_be(folder):
    assert FolderImages(str(folder)).notes == []
    deep = np.random.default_rng(1).integers(0, 65536, (60, 80, 3), dtype=np.uint16)
    tifffile.imwrite(folder / "a.tiff", deep, photometric="rgb", extratags=[(0x0112, 3, 1, 6, True)])
    (folder / "a.png").unlink()
    images = FolderImages(str(folder))
    assert_sound(images)
    assert (images.infos[0].id, images.infos[0].bits, images.infos[0].width) == ("a.tiff", 16, 60)
    upright = np.rot90(deep, -1)
    rounded = torch.from_numpy((upright / 65535 * 255).round()).permute(2, 0, 1)[None]
    torch.testing.assert_close(images.load(0) * 255, rounded.float(), atol=1e-3, rtol=0)
    assert images.notes == ["measured in 8 bits a channel, though the file has more: a.tiff"]
    for name in "bcdefg":
        tifffile.imwrite(folder / f"{name}.tiff", deep, photometric="rgb")
    assert FolderImages(str(folder)).notes[0].endswith("a.tiff, b.tiff, c.tiff, d.tiff, e.tiff and 2 more")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="expected a folder"):
        FolderImages(str(tmp_path / "none"))
    with pytest.raises(UserError, match="found none below"):
        FolderImages(str(tmp_path))
