"""Linear filters along rows and columns, and the median."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.functional import opencv

BLOCK = 64
"""Pixels that one row of a blur's matrix product yields."""


def gaussian_kernel(sigma: float, like: Tensor) -> Tensor:
    """Normalised samples of a Gaussian out to four sigma, ``(2 ceil(4 sigma) + 1,)``."""
    return cut_gaussian(2 * max(1, math.ceil(4 * sigma)) + 1, sigma, like)


def cut_gaussian(size: int, sigma: float, like: Tensor) -> Tensor:
    """Normalised samples of a Gaussian, ``(size,)``, odd."""
    positions = torch.arange(-(size // 2), size // 2 + 1, device=like.device, dtype=like.dtype)
    weights = torch.exp(-0.5 * (positions / sigma) ** 2)
    return weights / weights.sum()


def separable(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve rows and columns with one symmetric odd-length ``kernel``; borders are continued by their last pixel."""
    if opencv.serves(images, kernel):
        return opencv.separable(images, kernel)
    return _along_rows(_along_rows(images, kernel).mT, kernel).mT


def _along_rows(images: Tensor, kernel: Tensor) -> Tensor:
    """One-dimensional convolution: overlapping pieces of the rows times a Toeplitz matrix, which is fast anywhere."""
    radius, width = len(kernel) // 2, images.shape[-1]
    count = -(-width // BLOCK)
    padded = F.pad(images, (radius, radius + count * BLOCK - width, 0, 0), mode="replicate")
    pieces = padded.unfold(-1, BLOCK + 2 * radius, BLOCK)  # (N, C, H, count, BLOCK + 2 radius)
    band = F.pad(kernel, (0, BLOCK)).repeat(BLOCK)[: BLOCK * (BLOCK + 2 * radius)]
    toeplitz = band.view(BLOCK, BLOCK + 2 * radius)  # row j is the kernel, shifted by j
    return (pieces @ toeplitz.T).flatten(-2)[..., :width]


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur ``(N, C, H, W)`` with a Gaussian of ``sigma`` pixels; 0 changes nothing."""
    return separable(images, gaussian_kernel(sigma, images)) if sigma > 0 else images


def box_blur(images: Tensor, radius: int) -> Tensor:
    """Mean over a ``2 radius + 1`` square; borders are continued. Sums of shifted pictures: for small radii."""
    if opencv.serves(images):
        return opencv.box_blur(images, radius)
    size = 2 * radius + 1
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    height, width = images.shape[-2:]
    rows = padded[..., :height, :].clone()
    for i in range(1, size):
        rows += padded[..., i : i + height, :]
    total = rows[..., :width].clone()
    for i in range(1, size):
        total += rows[..., i : i + width]
    return total / size**2


def small_median_8bit(images: Tensor, size: int) -> Tensor:
    """Median over a ``size x size`` square of the values rounded to 8 bits, by forgetful selection on bytes.

    Source: Devillard, "Fast median search" (1998): hold just over half of the values, drop the least and the greatest,
    take in the next one. Only minima and maxima, so it runs anywhere.
    """
    padded = F.pad(images.detach(), (size // 2,) * 4, mode="replicate")
    return _select((padded * 255).round().to(torch.uint8), size).to(images.dtype) / 255


def _select(padded: Tensor, size: int) -> Tensor:
    height, width = padded.shape[-2] - size + 1, padded.shape[-1] - size + 1
    shifts = [padded[..., i : i + height, j : j + width] for i in range(size) for j in range(size)]
    held, waiting = shifts[: len(shifts) // 2 + 2], shifts[len(shifts) // 2 + 2 :]
    while True:
        held = _drop_extremes(held)
        if not waiting:
            return held[0]
        held = [*held, waiting.pop()]


def _drop_extremes(values: list[Tensor]) -> list[Tensor]:
    """All but the least and the greatest: one bubble pass up for the maximum, one down for the minimum."""
    values = list(values)
    for i in range(len(values) - 1):
        values[i], values[i + 1] = torch.minimum(values[i], values[i + 1]), torch.maximum(values[i], values[i + 1])
    for i in range(len(values) - 2, 0, -1):
        values[i - 1], values[i] = torch.minimum(values[i - 1], values[i]), torch.maximum(values[i - 1], values[i])
    return values[1:-1]
