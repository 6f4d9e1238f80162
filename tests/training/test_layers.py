import io

import pytest
import torch
from PIL import Image

from attacks.base import per_image
from attacks.compression import Jpeg, WebP
from attacks.filters import GaussianBlur
from watermark.training.layers import JpegLayer, StraightThrough


@pytest.fixture
def images():
    rng = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 12, 12, generator=rng), 64, mode="bicubic").clamp(0, 1)
    return (smooth * 255).round() / 255


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_jpeg_layer_is_the_real_codec_forward(images, quality):
    wanted = Jpeg(quality)(images)
    got = JpegLayer(quality)(images.clone().requires_grad_(), per_image(None, 2))
    torch.testing.assert_close(got.detach(), wanted, atol=1e-6, rtol=0)


def test_jpeg_gradient_vanishes_where_quantisation_kills(images):
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    fine = torch.cos(torch.pi * (columns + 0.5) * 6 / 8)  # the sixth horizontal frequency of every block
    coarse = torch.cos(torch.pi * (rows + 0.5) / 8)

    def follows(pattern, quality):
        leaf = images.clone().requires_grad_()
        (JpegLayer(quality)(leaf, per_image(None, 2)) * pattern).sum().backward()
        return float((leaf.grad * pattern).sum() / pattern.square().sum() / 6)

    assert follows(coarse, 90) > 0.5
    assert follows(fine, 10) < 0.1 < follows(coarse, 10)


@pytest.mark.parametrize("quality", [10, 35, 50, 80])
def test_the_steps_of_both_tables_are_those_that_the_codec_writes(quality):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", quality=quality)
    written = Image.open(file).quantization  # 0: luma, 1: chroma
    steps = JpegLayer(quality).tables.flatten(1).long().tolist()
    assert steps == [list(written[0]), list(written[1])]


@pytest.mark.parametrize(("plane", "step"), [("luma", 16), ("chroma", 47)])  # K.1 and K.2 at frequency (0, 3)
def test_each_plane_passes_the_gradient_that_its_own_table_leaves(plane, step):
    """At quality 50 a coefficient of 7 passes (2 * 7 / step)^2 of the gradient, one of 60 all of it."""
    size = 8 if plane == "luma" else 16  # px of a block: chroma is at half the resolution
    wave = torch.cos(torch.pi * 3 * (torch.arange(8.0) + 0.5) / 8).repeat_interleave(size // 8)
    wave = wave.expand(size, size) / wave.square().sum().mul(size).sqrt() * (size // 8)  # one coefficient of size 1
    colour = torch.tensor([1.0, 1.0, 1.0]) if plane == "luma" else torch.tensor([0.0, -0.344136, 1.772])
    direction = (colour[:, None, None] * wave / 255).tile(32 // size, 32 // size)

    def passes(coefficient):
        leaf = (0.5 + coefficient * direction)[None].requires_grad_()
        (JpegLayer(50)(leaf, per_image(None, 1)) * direction).sum().backward()
        return float((leaf.grad * direction).sum())

    assert passes(7) / passes(60) == pytest.approx((14 / step) ** 2, rel=0.02)


def test_straight_through_passes_gradients_of_a_codec(images):
    leaf = images.clone().requires_grad_()
    output = StraightThrough(WebP(30))(leaf, per_image(None, 2))
    torch.testing.assert_close(output.detach(), WebP(30)(images), atol=1e-6, rtol=0)
    output.sum().backward()
    assert torch.equal(leaf.grad, torch.ones_like(leaf))


def test_straight_through_leaves_true_gradients_alone(images):
    first, second = (images.clone().requires_grad_() for _ in range(2))
    weight = torch.rand(images.shape)
    (StraightThrough(GaussianBlur(2.0))(first, per_image(None, 2)) * weight).sum().backward()
    (GaussianBlur(2.0)(second) * weight).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)
