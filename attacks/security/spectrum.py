"""Fixed places give a mark away: in the mean power spectrum of many marked pictures its frequencies stand out."""

from collections.abc import Iterable

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional.filters import box_blur
from attacks.security.band import HIGH, LOW, check_band, in_band

AROUND = 4
"""Bins to each side that a bin is compared with."""


def mean_excess(pictures: Iterable[Tensor], low: float = LOW, high: float = HIGH) -> Tensor:
    """By how much each frequency is stronger than those around it, over many pictures.

    Each picture's spectrum (windowed, so that its borders do not leak) is divided by its own surroundings before the
    mean is taken: a busy picture counts as much as a smooth one, and what stands at one place in all of them remains.

    Args:
        pictures: ``(3, H, W)`` of one size, float in [0, 1], marked with one key.
        low: least radial frequency that counts, cycles per px.
        high: greatest.

    Returns:
        ``(H, W // 2 + 1)`` in standard deviations of the band: what a notch filter takes out, greatest first.
    """
    check_band(low, high)
    total, count, band = torch.zeros(0), 0, torch.zeros(0, dtype=torch.bool)
    for picture in pictures:
        ratio = _against_surroundings(picture)
        if not count:
            total = torch.zeros_like(ratio)
            height, width = picture.shape[-2:]
            band = in_band(height, width, low, high, picture)
        total += ratio
        count += 1
    if not count:
        raise ValueError("expected pictures, got none")
    mean = total / count
    inside = mean[band]
    return torch.where(band, (mean - inside.mean()) / inside.std().clamp_min(1e-12), 0.0)


class SpectralNotch(Attack):
    """Blank the frequencies that stand out in a mean spectrum, in every picture at the same places.

    Args:
        lines: how many, the strongest first; 0 changes nothing.
        excess: ``(H, W // 2 + 1)`` from ``mean_excess``, of pictures of size ``(H, W)``; laid over other sizes by
            frequency.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "removal"
    unit, neutral = "frequencies blanked", 0.0
    reproduces = "spectral estimation from many pictures of one key, then a notch filter"

    def __init__(self, lines: int, excess: Tensor) -> None:
        if not 0 <= lines <= excess.numel():
            raise ValueError(f"lines must be in 0..{excess.numel()}, got {lines}")
        super().__init__(float(lines))
        self.register_buffer("excess", excess)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Every bin goes whose nearest frequency in ``excess`` was chosen."""
        height, width = images.shape[-2:]
        excess = self.get_buffer("excess").to(images)
        chosen = torch.zeros_like(excess, dtype=torch.bool).flatten()
        chosen[excess.flatten().topk(int(self.strength)).indices] = True
        chosen = chosen.view_as(excess)
        chosen[1:, 0] |= chosen[1:, 0].flip(0)  # a real picture has both of these or none
        tall, wide = len(excess), 2 * (excess.shape[1] - 1)
        rows = (torch.fft.fftfreq(height) * tall).round().long() % tall
        columns = (torch.fft.rfftfreq(width) * wide).round().long().clamp(max=excess.shape[1] - 1)
        blank = chosen[rows.to(images.device)][:, columns.to(images.device)]
        return torch.fft.irfft2(torch.fft.rfft2(images).masked_fill(blank, 0), s=(height, width))


def _against_surroundings(picture: Tensor) -> Tensor:
    """Power of a picture ``(3, H, W)`` over the mean power around each bin, planes together: ``(H, W // 2 + 1)``."""
    height, width = picture.shape[-2:]
    window = torch.outer(torch.hann_window(height), torch.hann_window(width)).to(picture)
    power = torch.fft.rfft2((picture - picture.mean((1, 2), keepdim=True)) * window).abs().square()  # (3, H, W/2+1)
    side = 2 * AROUND + 1
    around = (box_blur(power[None], AROUND)[0] * side**2 - power) / (side**2 - 1)
    return (power / around.clamp_min(1e-12)).clamp(max=20).mean(0)
