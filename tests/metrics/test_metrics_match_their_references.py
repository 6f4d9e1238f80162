import math

import numpy as np
import pytest
import torch
from scipy.stats import beta
from skimage.metrics import structural_similarity

from watermark.metrics.bits import bit_errors
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import clopper_pearson, wilson
from watermark.metrics.ssim import PART, Moments, ssim
from watermark.metrics.worst_tile import worst_tile_psnr


def pair(height=71, width=90, noise=0.05):
    generator = torch.Generator().manual_seed(0)
    reference = torch.rand(2, 3, height, width, generator=generator)
    return (reference + noise * torch.randn(reference.shape, generator=generator)).clamp(0, 1), reference


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_ssim_is_that_of_scikit_image(noise):
    images, reference = pair(noise=noise)
    measured = ssim(images, reference)
    for image, original, value in zip(images.numpy(), reference.numpy(), measured, strict=True):
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        expected = structural_similarity(image.astype(np.float64), original, channel_axis=0, **settings)
        assert float(value) == pytest.approx(expected, abs=1e-9)


def test_ssim_in_strips_and_with_known_moments_is_that_of_the_whole(monkeypatch):
    reference = torch.rand(2, 3, 150, 320, generator=torch.Generator().manual_seed(1))
    images = (reference + 0.05 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 1)
    assert images[0, 0].numel() > PART
    cut, kept = ssim(images, reference), ssim(images, Moments.of(reference))
    monkeypatch.setattr("watermark.metrics.ssim.PART", images.numel())
    assert torch.equal(cut, ssim(images, reference))
    assert torch.equal(cut, kept)


def test_ssim_of_equal_images_is_one():
    _, reference = pair()
    assert torch.allclose(ssim(reference, reference), torch.ones(2, dtype=torch.float64))


def test_worst_tile_finds_the_one_damaged_tile():
    _, reference = pair(200, 300)
    damaged = reference.clone()
    damaged[0, :, 64:128, 128:192] = (damaged[0, :, 64:128, 128:192] - 0.1).abs()
    expected = psnr(damaged[:1, :, 64:128, 128:192], reference[:1, :, 64:128, 128:192])
    worst = worst_tile_psnr(damaged, reference)
    assert float(worst[0]) == pytest.approx(float(expected), abs=1e-6)
    assert math.isinf(worst[1])


def test_worst_tile_sees_the_last_rows_and_columns():
    _, reference = pair(70, 100)
    damaged = reference.clone()
    damaged[:, :, -1, -1] = 1 - damaged[:, :, -1, -1].round()
    expected = psnr(damaged[:, :, -64:, -64:], reference[:, :, -64:, -64:])
    assert torch.allclose(worst_tile_psnr(damaged, reference), expected)


def test_a_picture_smaller_than_a_tile_is_one_tile():
    images, reference = pair(20, 30)
    assert torch.allclose(worst_tile_psnr(images, reference), psnr(images, reference))


def test_worst_tile_is_never_better_than_the_whole_picture():
    images, reference = pair(128, 192)
    assert (worst_tile_psnr(images, reference) <= psnr(images, reference)).all()


def test_bit_errors_count_disagreements():
    message = torch.tensor([True, False, True, False])
    logits = torch.tensor([[1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 5.0], [0.0, 0.0, 0.0, 0.0]])
    assert bit_errors(logits, message).tolist() == [0, 2, 2]


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (3, 20), (20, 20), (999, 1000)])
def test_intervals_are_the_textbook_formulas(successes, n):
    z, rate = 1.959963984540054, successes / n
    centre, half = rate + z**2 / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low, high = wilson(successes, n)
    assert low == pytest.approx((centre - half) / scale, abs=1e-9)
    assert high == pytest.approx((centre + half) / scale, abs=1e-9)
    low, high = clopper_pearson(successes, n)
    assert low == pytest.approx(beta.ppf(0.025, successes, n - successes + 1) if successes else 0, abs=1e-9)
    assert high == pytest.approx(beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1, abs=1e-9)


@pytest.mark.parametrize("measure", [ssim, worst_tile_psnr])
def test_metrics_refuse_two_shapes_in_one_line(measure):
    with pytest.raises(ValueError, match="one shape"):
        measure(torch.zeros(1, 3, 20, 20), torch.zeros(1, 3, 20, 21))


def test_rates_refuse_impossible_counts():
    with pytest.raises(ValueError, match="got 5 of 4"):
        wilson(5, 4)
