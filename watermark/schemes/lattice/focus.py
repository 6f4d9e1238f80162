"""Find out by how much a picture was out of focus, and undo it: a lens turns whole bands of frequencies upside down."""

import math
from functools import cache

import torch
from torch import Tensor

from watermark.schemes.lattice.settings import (
    FAINTEST_RING,
    LEAST_DEFOCUS,
    MOST_DEFOCUS,
    RADII_PER_PX,
    RING_BAND,
    RING_BINS,
    RING_FLOOR,
    RING_TILE,
    RING_TREND,
    RINGS_PLAIN,
)


def defocus(luma: Tensor) -> Tensor:
    """Radius in px ``(N,)`` of the disk that pictures ``(N, H, W)`` were blurred with; 0 where no rings are plain.

    The spectrum of a disk has zeros on circles, of which its radius follows (Cannon, IEEE TASSP 24, 1976). The mean log
    power of tiles is taken over circles of one frequency, freed of its smooth trend, and compared with disks.
    """
    if min(luma.shape[-2:]) < RING_TILE:
        return luma.new_zeros(len(luma))
    trend, disks, radii = (table.to(luma) for table in _disks())
    power = _on_circles(luma)
    power = power - (power @ trend) @ trend.T
    fits = power @ disks.T / power.norm(dim=1, keepdim=True).clamp_min(1e-9)
    best, which = fits.max(1)
    return torch.where(best > RINGS_PLAIN, radii[which], 0.0)


def refocused(images: Tensor, radius: Tensor) -> Tensor:
    """Pictures ``(N, 3, H, W)`` without a disk of ``radius`` ``(N,)`` px.

    A limited inverse filter: bands that the disk turned upside down are turned back, and made louder where it left any.
    """
    height, width = images.shape[-2:]
    across = torch.fft.rfftfreq(width, device=images.device)
    frequency = torch.hypot(torch.fft.fftfreq(height, device=images.device)[:, None], across)
    left = _disk(frequency * radius[:, None, None])
    gain = left.sign() / left.abs().clamp_min(FAINTEST_RING)
    return torch.fft.irfft2(torch.fft.rfft2(images) * gain[:, None], s=(height, width))


def _disk(frequency: Tensor) -> Tensor:
    """What a disk leaves of frequencies in cycles per radius."""
    turns = (2 * math.pi * frequency).clamp_min(1e-6)
    return 2 * torch.special.bessel_j1(turns) / turns


def _on_circles(luma: Tensor) -> Tensor:
    """Mean log power ``(N, bins)`` of frequencies between neighbouring circles."""
    height, width = luma.shape[-2:]
    tiles = torch.stack(
        [
            luma[:, top : top + RING_TILE, left : left + RING_TILE]
            for top in {0, height - RING_TILE}
            for left in {0, (width - RING_TILE) // 2, width - RING_TILE}
        ]
    )
    window = torch.hann_window(RING_TILE, periodic=False).to(luma)
    tiles = (tiles - tiles.mean((-2, -1), keepdim=True)) * window[:, None] * window
    power = (torch.fft.rfft2(tiles).abs().square() + 1e-12).log().mean(0)
    circles = _circles().to(luma)
    return power.flatten(1) @ circles


@cache
def _circles() -> Tensor:
    """The matrix ``(frequencies of a tile, bins)`` that takes means over circles."""
    frequency = torch.hypot(torch.fft.fftfreq(RING_TILE)[:, None], torch.fft.rfftfreq(RING_TILE)).flatten()
    edges = torch.linspace(*RING_BAND, RING_BINS + 1)
    inside = (frequency[:, None] >= edges[:-1]) & (frequency[:, None] < edges[1:])
    return inside / inside.sum(0)


@cache
def _disks() -> tuple[Tensor, Tensor, Tensor]:
    """Smooth trends ``(bins, T)``; log power of disks without these ``(R, bins)``, of norm 1; their radii ``(R,)``."""
    middle = (torch.arange(RING_BINS) + 0.5) / RING_BINS
    frequency = RING_BAND[0] + middle * (RING_BAND[1] - RING_BAND[0])
    radii = torch.arange(LEAST_DEFOCUS, MOST_DEFOCUS, 1 / RADII_PER_PX)
    power = (_disk(frequency * radii[:, None]).square() + RING_FLOOR).log()
    trend, _ = torch.linalg.qr(torch.cos(math.pi * torch.arange(RING_TREND + 1) * middle[:, None]))
    power = power - (power @ trend) @ trend.T
    return trend, power / power.norm(dim=1, keepdim=True), radii
