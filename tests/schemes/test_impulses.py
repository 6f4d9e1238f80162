"""Salt and pepper are taken off before a mark is read; nothing else is."""

import pytest
import torch
from PIL import Image, ImageDraw
from skimage import data

from attacks.noise import GaussianNoise, ImpulseNoise, SaltPepper, ShotNoise, SpeckleNoise
from watermark.pixels import to_tensor
from watermark.schemes.lattice.impulses import without_impulses
from watermark.watermarker import Watermarker

PHOTOGRAPH = to_tensor(Image.fromarray(data.chelsea()))


def drawn_text():
    page = Image.new("RGB", (400, 300), "white")
    for y in range(0, 300, 11):
        ImageDraw.Draw(page).text((2, y), "The quick brown fox jumps over the lazy dog; " * 2, fill="black")
    return to_tensor(page)


OTHER_NOISE = [ShotNoise(3)(PHOTOGRAPH), SpeckleNoise(0.5)(PHOTOGRAPH), GaussianNoise(0.3)(PHOTOGRAPH)]


@pytest.mark.parametrize(
    "images", [PHOTOGRAPH, drawn_text(), torch.zeros(1, 3, 9, 9), torch.ones(1, 3, 4, 2), *OTHER_NOISE]
)
def test_what_has_none_is_left_as_it_is(images):
    assert without_impulses(images) is images


@pytest.mark.parametrize("attack", [ImpulseNoise, SaltPepper])
def test_of_a_batch_only_the_noisy_are_mended_and_come_near_to_what_they_were(attack):
    noisy = attack(0.3)(PHOTOGRAPH)
    mended = without_impulses(torch.cat([PHOTOGRAPH, noisy]))
    assert torch.equal(mended[:1], PHOTOGRAPH)
    assert (mended[1:] - PHOTOGRAPH).square().mean() < 0.05 * (noisy - PHOTOGRAPH).square().mean()


def test_where_nothing_else_is_around_an_impulse_stays():
    noisy = (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    noisy[..., ::4, 1::2] = 0.5  # so that lonely ones are seen
    mended = without_impulses(noisy)
    assert torch.equal(mended[..., 2::4, :], noisy[..., 2::4, :])  # two rows from anything that is neither
    assert not torch.equal(mended, noisy)


@pytest.mark.parametrize("scheme", ["tile_spread", "learned"])
def test_a_mark_is_read_under_salt_and_pepper(scheme):
    marker = Watermarker.load(scheme, key="a secret")
    marked = marker.embed(PHOTOGRAPH, provider_id=3, content_id=4)
    (found,) = marker.detect(ImpulseNoise(0.4)(marked))
    assert (found.provider_id, found.content_id) == (3, 4)
    assert found.log10_p < -100
