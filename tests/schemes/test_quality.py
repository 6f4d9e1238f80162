"""How well marked pictures look: the target is met, large pictures included, and flat graphics stay clean."""

import math

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from skimage import data

from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.schemes.base import scale_for_psnr
from watermark.schemes.tile_spread import TileSpread
from watermark.watermarker import Watermarker


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


def drawing() -> torch.Tensor:
    """Coloured fields under black outlines, two lines close together and a sky that grows lighter, 320 x 240."""
    picture = Image.new("RGB", (320, 240))
    draw = ImageDraw.Draw(picture)
    for row in range(240):
        draw.line([(0, row), (319, row)], fill=(100 + row // 4, 130 + row // 4, 200 + row // 8))
    draw.ellipse([30, 40, 150, 170], fill=(220, 190, 160), outline=(30, 30, 30), width=3)
    draw.rectangle([170, 90, 300, 220], fill=(180, 90, 100), outline=(30, 30, 30), width=2)
    for x, y in ((190, 0), (198, 0), (60, 150), (76, 150)):
        draw.line([(x, y), (x, y + 85)], fill=(30, 30, 30), width=2)
    return to_tensor(picture)


@pytest.mark.parametrize("name", ["tile_spread", "learned"])
@pytest.mark.parametrize("target", [45.0, 42.0])
def test_no_pixel_of_a_drawing_changes_by_more_than_six_levels_and_its_ground_is_marked_evenly(name, target):
    marker, picture = Watermarker.load(name, key="k", device="cpu", target_psnr=target), drawing()
    marked = to_8bit(marker.embed(picture, 1, 2))
    change = 255 * (marked - picture)
    assert change.abs().max() <= 6.01  # 21 and more before there was a limit
    assert marker.detect(marked)[0].log10_p < -50
    luma = picture.mean(1, keepdim=True)
    lines = F.max_pool2d((luma < 0.2).float(), 9, 1, 4)
    beside = (lines - F.max_pool2d((luma < 0.2).float(), 3, 1, 1) > 0)[0, 0]
    apart = (F.max_pool2d(lines, 25, 1, 12) == 0)[0, 0]
    power = change.square().mean((0, 1))
    assert power[beside].mean() < 1.3 * power[apart].mean()  # 2.3 and 5.3 times before
