"""What training minimises: lost payloads and visible marks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def total_correlation(logits: Tensor, message: Tensor) -> Tensor:
    """``z = sum(l m) / |l|`` ``(N,)`` of logits ``(N, K)`` with the true bits: standard normal without a mark.

    A code of rate 64/512 decodes from about z = 13; the largest possible value is the square root of K.
    """
    signs = message.to(logits.dtype) * 2 - 1
    return (logits * signs).sum(1) / logits.square().sum(1).clamp_min(1e-12).sqrt()


class SurvivalLoss(nn.Module):
    """Falls where a payload comes within reach of the decoder and is flat where it is already safe.

    Args:
        need: z at which the loss bends; for crops smaller than the picture the needed z times the root of the share.
        softness: width of the bend.
    """

    def __init__(self, need: float = 8.0, softness: float = 3.0) -> None:
        super().__init__()
        self.need, self.softness = need, softness

    def forward(self, logits: Tensor, message: Tensor) -> Tensor:
        """Loss per picture ``(N,)``."""
        lack = (self.need - total_correlation(logits, message)) / self.softness
        return F.softplus(lack) * self.softness


class BitLoss(nn.Module):
    """Binary cross-entropy of the logits, mean over bits; the loss of most published encoder-decoder pairs."""

    def forward(self, logits: Tensor, message: Tensor) -> Tensor:
        """Loss per picture ``(N,)``."""
        return F.binary_cross_entropy_with_logits(logits, message.to(logits.dtype), reduction="none").mean(1)


class QualityGate(nn.Module):
    """Penalise what a global PSNR does not see: energy piled into one place, and movement in flat areas.

    Args:
        worst_tile: dB by which the strongest 64 px tile may exceed the mean energy for free.
        flat: rms in grey levels, relative to the rms of the whole residual, that flat areas may have for free.
        similarity: weight of 1 - SSIM (luma, 8 px windows).
        weight: of the whole gate.
    """

    def __init__(
        self, worst_tile: float = 1.8, flat: float = 0.8, similarity: float = 20.0, weight: float = 0.3
    ) -> None:
        super().__init__()
        self.worst_tile, self.flat, self.similarity, self.weight = worst_tile, flat, similarity, weight

    def forward(self, images: Tensor, marked: Tensor) -> Tensor:
        """Penalty per picture ``(N,)`` of ``marked`` against ``images``, both ``(N, 3, H, W)``."""
        energy = (marked - images).square().mean(1, keepdim=True)
        mean = energy.mean((1, 2, 3)).clamp_min(1e-12)
        side = min(64, *images.shape[-2:])
        tiles = F.avg_pool2d(energy, side, max(1, side // 2)).flatten(1).amax(1)
        worst = F.relu(10 * (tiles / mean).log10() - self.worst_tile)
        gray = images.mean(1, keepdim=True)
        small = F.avg_pool2d(torch.cat([gray, gray.square(), energy], 1), 2)  # half resolution is enough for areas
        local, square = F.avg_pool2d(small[:, :2], 5, 1, 2, count_include_pad=False).split(1, 1)
        quiet = (square - local.square() < (2 / 255) ** 2).to(energy.dtype)  # (N, 1, H / 2, W / 2)
        in_flat = (small[:, 2:] * quiet).sum((1, 2, 3)) / quiet.sum((1, 2, 3)).clamp_min(64)
        flat = F.relu((in_flat / mean).clamp_min(1e-9).sqrt() - self.flat) * 10
        return self.weight * (worst + flat + self.similarity * (1 - _ssim(gray, marked.mean(1, keepdim=True))))


def _ssim(reference: Tensor, images: Tensor) -> Tensor:
    """Mean structural similarity over 8 px windows every 4 px, ``(N,)``; Wang et al. 2004 with a box window."""
    stack = torch.cat([reference, images, reference.square(), images.square(), reference * images], 1)
    mean_x, mean_y, square_x, square_y, product = F.avg_pool2d(stack, 8, 4).unbind(1)
    covariance = product - mean_x * mean_y
    spread = square_x - mean_x.square() + square_y - mean_y.square()
    first = (2 * mean_x * mean_y + 1e-4) / (mean_x.square() + mean_y.square() + 1e-4)
    return (first * (2 * covariance + 9e-4) / (spread + 9e-4)).mean((1, 2))
