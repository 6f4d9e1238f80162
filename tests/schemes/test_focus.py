"""Pictures that were out of focus are known by the rings of their spectrum, and read as if they had not been."""

import pytest
import torch
from PIL import Image
from skimage import data

from attacks import Chain, DefocusBlur, GaussianBlur, GaussianNoise, Jpeg, Median, ResizeBack
from watermark.images import to_8bit
from watermark.pixels import to_tensor
from watermark.schemes.lattice.focus import defocus, refocused
from watermark.watermarker import Watermarker

PHOTOGRAPH = to_tensor(Image.fromarray(data.chelsea()))


@pytest.mark.parametrize("radius", [3, 4.5, 6, 9, 12])
def test_the_radius_of_a_disk_is_found(radius):
    blurred = to_8bit(DefocusBlur(radius)(PHOTOGRAPH))
    assert defocus(blurred.mean(1)).item() == pytest.approx(radius, abs=0.2)


def test_it_is_found_in_a_saved_picture():
    saved = to_8bit(Chain(1.0, [DefocusBlur(8), Jpeg(75)])(PHOTOGRAPH))
    assert defocus(saved.mean(1)).item() == pytest.approx(8, abs=0.2)


@pytest.mark.parametrize(
    "attack",
    [GaussianBlur(0), GaussianBlur(2), GaussianBlur(5), Median(7), ResizeBack(0.5), Jpeg(20), GaussianNoise(0.1)],
)
def test_other_pictures_were_in_focus(attack):
    assert defocus(to_8bit(attack(PHOTOGRAPH)).mean(1)).item() == 0


def test_small_pictures_and_flat_ones_are_left_alone():
    assert defocus(DefocusBlur(5)(PHOTOGRAPH)[..., :200, :200].mean(1)).item() == 0
    assert defocus(torch.full((2, 300, 300), 0.5)).tolist() == [0, 0]


def test_bands_that_were_upside_down_stand_upright():
    blurred = to_8bit(DefocusBlur(6)(PHOTOGRAPH))
    across, down = torch.fft.rfftfreq(451), torch.fft.fftfreq(300)[:, None]
    turned = (torch.hypot(down, across) * 6 > 0.7) & (torch.hypot(down, across) * 6 < 1)  # beyond the first zero

    window = torch.hann_window(300)[:, None] * torch.hann_window(451)  # else it is the border that is compared

    def agreement(images):
        mine, true = (torch.fft.rfft2((x - x.mean()) * window)[..., turned] for x in (images, PHOTOGRAPH))
        return float((mine * true.conj()).real.sum() / (mine.abs() * true.abs()).sum())

    assert agreement(blurred) < -0.8
    assert agreement(refocused(blurred, torch.tensor([6.0]))) > 0.8


@pytest.mark.parametrize("scheme", ["tile_spread", "learned"])
@pytest.mark.parametrize("radius", [5, 8])
def test_a_mark_is_read_out_of_focus(scheme, radius):
    marker = Watermarker.load(scheme, key="a secret", target_psnr=42)
    marked = marker.embed(PHOTOGRAPH, provider_id=3, content_id=4)
    (found,) = marker.detect(to_8bit(DefocusBlur(radius)(marked)))
    assert (found.provider_id, found.content_id) == (3, 4)


def test_only_the_blurred_of_a_batch_are_read_twice_and_both_readings_are_paid_for():
    marker = Watermarker.load("learned", key="a secret", target_psnr=42)
    blurred = to_8bit(DefocusBlur(5)(PHOTOGRAPH))
    alone, together = marker.read(blurred), marker.read(torch.cat([PHOTOGRAPH, blurred]))
    assert torch.equal(alone.logits[0], together.logits[1])
    assert alone.readings[0] == together.readings[1] > together.readings[0]


@pytest.mark.parametrize("scheme", ["tile_spread", "learned"])
def test_a_map_says_where_the_mark_is_out_of_focus(scheme):
    marker = Watermarker.load(scheme, key="a secret", target_psnr=42)
    marked = marker.embed(PHOTOGRAPH, provider_id=3, content_id=4)
    (where,) = marker.locate(to_8bit(DefocusBlur(8)(marked)))
    assert where.marked.mean() > 0.9
    assert where.edited.mean() < 0.02
