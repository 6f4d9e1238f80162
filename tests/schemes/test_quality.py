"""How well marked pictures look: the target is met, large pictures included, and flat graphics stay clean."""

import math

import pytest
import torch
from PIL import Image, ImageDraw
from skimage import data

from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.schemes.base import scale_for_psnr
from watermark.schemes.tile_spread import TileSpread


def graphic() -> torch.Tensor:
    """A white slide with a title, a bar and a line, entirely flat between its edges."""
    picture = Image.new("RGB", (320, 240), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle([40, 90, 110, 200], fill=(60, 110, 200))
    draw.rectangle([140, 60, 300, 220], fill=(120, 125, 118))
    draw.text((40, 20), "Quarterly figures", fill=(0, 0, 0))
    return to_tensor(picture)


def message(scheme: TileSpread) -> torch.Tensor:
    return torch.rand(1, scheme.message_bits, generator=torch.Generator().manual_seed(1)) > 0.5


@pytest.mark.parametrize("size", [(96, 80), (1500, 1400)])  # of the second a sample is looked at first
def test_the_target_is_met_after_clipping_and_rounding(size):
    rng = torch.Generator().manual_seed(0)
    images = to_8bit(torch.rand(2, 3, *size, generator=rng) * torch.tensor([1.0, 0.01])[:, None, None, None])
    residual = torch.randn(2, 3, *size, generator=rng)
    scale = scale_for_psnr(images, residual, 40.0)
    marked = to_8bit((images + residual * scale[:, None, None, None]).clamp(0, 1))
    assert (psnr(marked, images) - 40).abs().max() < 0.01
    assert scale[1] > 1.1 * scale[0]  # what black takes away is made up for


def test_a_scale_stays_within_its_limits():
    images = torch.full((1, 3, 64, 64), 0.5)
    residual = 0.01 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert scale_for_psnr(images, residual, 30.0, (0.0, 1.0)) == 1
    assert scale_for_psnr(images, residual, 60.0, (0.8, 1.1)) == pytest.approx(0.8)


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_flat_areas_of_a_graphic_stay_below_their_share_and_the_picture_ends_above_the_target(share):
    scheme, picture = TileSpread(key=3, target_psnr=45.0, flat_share=share), graphic()
    marked = to_8bit(scheme.embed(picture, message(scheme)))
    change = (marked - picture)[..., 90:190, 170:270]  # grey, so that nothing is clipped
    level = float(255 * change.square().mean().sqrt())
    allowed = share * 255 * 10 ** (-45 / 20)
    assert math.hypot(0.8 * allowed, 0.29) < level < math.hypot(1.1 * allowed, 0.29)  # .29: rounding
    assert float(psnr(marked, picture)) > 45.5


def test_an_ordinary_photograph_is_marked_as_if_there_were_no_cap():
    picture = to_tensor(Image.fromarray(data.astronaut()[:256, :256]))
    capped, free = (TileSpread(key=3, target_psnr=45.0, flat_share=share) for share in (0.7, 1.0))
    marked = to_8bit(capped.embed(picture, message(capped)))
    assert float(psnr(marked, picture)) == pytest.approx(45, abs=0.01)
    assert (marked - to_8bit(free.embed(picture, message(free)))).abs().max() < 1.5 / 255
