import io

import pytest
from identity_fakes import draw
from PIL import Image, ImageOps

from watermark.errors import UserError
from watermark.identity import compare, hash_distance, perceptual_hash, thumbnail


def crop(image, left, top, right, bottom):
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


CHANGES = {
    "jpeg 20": lambda image: jpeg(image, 20),
    "half size": lambda image: image.resize((96, 72)),
    "grey": lambda image: image.convert("L"),
    "crop": lambda image: crop(image, 0.2, 0.1, 0.9, 0.8),
    "flip": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "quarter turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "flip and crop": lambda image: crop(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), 0, 0.25, 0.75, 1),
    "on a page": lambda image: ImageOps.expand(image, 20, "white"),
    "2 degrees": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_edited_copy_still_looks_the_same(change):
    original = draw(5)
    answer = compare(CHANGES[change](original), perceptual_hash(original), thumbnail(original))
    assert answer.is_same, answer


def test_other_pictures_do_not_look_the_same():
    original = draw(5)
    answers = [compare(draw(seed), perceptual_hash(original), thumbnail(original)) for seed in range(100, 108)]
    assert not any(answer.is_same for answer in answers)


def test_without_a_thumbnail_a_crop_is_another_picture():
    original = draw(5)
    answer = compare(crop(original, 0.3, 0.3, 1, 1), perceptual_hash(original))
    assert not answer.is_same
    assert answer.aligned is None


def test_the_hash_is_fixed_for_years():
    assert perceptual_hash(Image.linear_gradient("L").convert("RGB")) == "phash64:8000800080008000"


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (33, 32)])
def test_odd_sizes_are_hashed_and_compared_without_a_crash(size):
    image = Image.new("RGB", size, (9, 9, 9))
    assert compare(image, perceptual_hash(draw(1)), thumbnail(draw(1))).distance <= 64
    assert compare(draw(1), perceptual_hash(image), thumbnail(image)).distance <= 64


@pytest.mark.parametrize("text", ["", "phash64:xyz", "sha:00"])
def test_a_kept_value_of_another_shape_is_refused(text):
    with pytest.raises(UserError, match="expected two hashes"):
        hash_distance(text, "phash64:00")
    with pytest.raises(UserError, match="expected a thumbnail"):
        compare(draw(1), perceptual_hash(draw(2)), "grey48:3x3:AAAA")
