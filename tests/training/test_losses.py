import numpy as np
import pytest
import torch

from watermark.metrics.psnr import psnr
from watermark.schemes.lattice.mark import scaled
from watermark.training.losses import BitLoss, QualityGate, SurvivalLoss, total_correlation


def test_total_correlation_is_standard_normal_without_a_mark():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 512, generator=rng)
    z = total_correlation(logits, torch.rand(4000, 512, generator=rng) < 0.5)
    assert abs(float(z.mean())) < 0.06
    assert abs(float(z.std()) - 1) < 0.05


def test_survival_loss_cares_for_the_lost_and_not_for_the_safe():
    message = torch.ones(3, 400, dtype=torch.bool)
    z = torch.tensor([2.0, 8.0, 19.0])
    right = (z / 20 + 1) / 2  # share of agreeing signs that gives this z
    logits = torch.stack([torch.where(torch.arange(400) < round(float(r) * 400), 1.0, -1.0) for r in right])
    logits.requires_grad_()
    SurvivalLoss(need=8.0)(logits, message).sum().backward()
    pull = logits.grad.abs().sum(1)
    assert pull[0] > pull[1] > 5 * pull[2]


def test_survival_loss_does_not_depend_on_the_scale_of_the_logits():
    logits, message = torch.randn(4, 64), torch.rand(4, 64) < 0.5
    torch.testing.assert_close(SurvivalLoss()(logits, message), SurvivalLoss()(100 * logits, message))


def test_bit_loss_is_log_two_without_knowledge():
    assert abs(float(BitLoss()(torch.zeros(1, 64), torch.rand(1, 64) < 0.5)) - 0.6931) < 1e-4


def test_quality_gate_prefers_an_even_mark_of_the_same_psnr():
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(1, 3, 256, 256, generator=rng) * 0.6 + 0.2
    even = torch.randn(1, 3, 256, 256, generator=rng)
    piled = even * torch.linspace(0, 2, 256)[:, None] ** 2
    marked = [images + scaled(residual, torch.tensor([42.0])) for residual in (even, piled)]
    assert abs(float(psnr(marked[0], images) - psnr(marked[1], images))) < 0.01
    gate = QualityGate()
    assert float(gate(images, marked[1])) > float(gate(images, marked[0])) + 0.3


def test_quality_gate_sees_movement_in_flat_areas():
    images = torch.rand(1, 3, 128, 128)
    images[..., :64] = 0.5
    busy_only, flat_too = torch.zeros(2, 1, 3, 128, 128)
    busy_only[..., 64:] = 0.01
    flat_too[..., :64] = 0.01
    gate = QualityGate(worst_tile=99, similarity=0)
    assert float(gate(images, images + flat_too)) > float(gate(images, images + busy_only))


def test_quality_gate_weighs_structural_similarity():
    """Against SSIM in NumPy: 8 px windows every 4 px, population moments, on the mean of the channels."""
    rng = torch.Generator().manual_seed(2)
    images = torch.rand(1, 3, 64, 72, generator=rng)
    marked = (images + 0.1 * torch.randn(1, 3, 64, 72, generator=rng)).clamp(0, 1)
    first, second = (batch.double().mean(1)[0].numpy() for batch in (images, marked))
    values = []
    for top in range(0, 57, 4):
        for left in range(0, 65, 4):
            x, y = (plane[top : top + 8, left : left + 8].ravel() for plane in (first, second))
            (xx, xy), (_, yy) = np.cov(x, y, bias=True)
            values.append(
                (2 * x.mean() * y.mean() + 1e-4)
                * (2 * xy + 9e-4)
                / ((x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (xx + yy + 9e-4))
            )
    only = QualityGate(worst_tile=99, flat=99, similarity=20, weight=0.3)
    assert float(only(images, marked)) == pytest.approx(0.3 * 20 * (1 - np.mean(values)), rel=1e-4)
    assert float(only(images, images)) == pytest.approx(0, abs=1e-4)


def test_quality_gate_weighs_the_strongest_tile_in_decibels():
    images = torch.full((1, 3, 128, 128), 0.5)
    marked = images.clone()
    marked[..., :64, :64] += 0.01  # one tile of four holds all the energy: 6.02 dB above the mean
    only = QualityGate(worst_tile=1.0, flat=99, similarity=0, weight=0.5)
    assert float(only(images, marked)) == pytest.approx(0.5 * (10 * np.log10(4) - 1.0), rel=1e-3)
