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


def defocus(planes: Tensor) -> Tensor:
    """Radius in px ``(N,)`` of the disk that planes ``(N, H, W)`` were blurred with; 0 where no rings are plain.

    The spectrum of a disk has zeros on circles, of which its radius follows (Cannon, IEEE TASSP 24, 1976). The mean log
    power of tiles is taken over circles of one frequency, freed of its smooth trend, and compared with disks.
    """
    if min(planes.shape[-2:]) < RING_TILE:
        return planes.new_zeros(len(planes))
    trend, disks, radii = (table.to(planes) for table in _disks())
    power = _on_circles(planes)
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


def _on_circles(planes: Tensor) -> Tensor:
    """Mean log power ``(N, bins)`` of frequencies between neighbouring circles, in the four tiles at the corners."""
    height, width = planes.shape[-2:]
    corners = [(top, left) for top in (0, height - RING_TILE) for left in (0, width - RING_TILE)]
    tiles = torch.stack([planes[:, top : top + RING_TILE, left : left + RING_TILE] for top, left in corners])
    window = torch.hann_window(RING_TILE, periodic=False).to(planes)
    tiles = (tiles - tiles.mean((-2, -1), keepdim=True)) * window[:, None] * window
    power = (torch.fft.rfft2(tiles).abs().square() + 1e-12).log().mean(0)
    which, count = (table.to(planes.device) for table in _circles())
    sums = planes.new_zeros(len(planes), RING_BINS + 1).index_add_(1, which, power.flatten(1))
    return sums[:, :RING_BINS] / count


@cache
def _circles() -> tuple[Tensor, Tensor]:
    """Between which circles each frequency of a tile lies, ``RING_BINS`` for none; how many lie there ``(bins,)``."""
    frequency = torch.hypot(torch.fft.fftfreq(RING_TILE)[:, None], torch.fft.rfftfreq(RING_TILE)).flatten()
    low, high = RING_BAND
    which = ((frequency - low) / (high - low) * RING_BINS).floor().long()
    which[(which < 0) | (which >= RING_BINS)] = RING_BINS
    return which, which.bincount(minlength=RING_BINS)[:RING_BINS]


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
