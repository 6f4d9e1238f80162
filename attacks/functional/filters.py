"""Linear filters along rows and columns, and the median."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MATRIX_SIDE = 1536
"""Up to this side a blur is two dense matrix products; above, two one-dimensional convolutions."""


def gaussian_kernel(sigma: float, like: Tensor) -> Tensor:
    """Normalised samples of a Gaussian out to four sigma, ``(2 ceil(4 sigma) + 1,)``."""
    radius = max(1, math.ceil(4 * sigma))
    positions = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype)
    weights = torch.exp(-0.5 * (positions / sigma) ** 2)
    return weights / weights.sum()


def separable(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve rows and columns with one odd-length ``kernel``; borders are continued by their last pixel."""
    if max(images.shape[-2:]) <= MATRIX_SIDE:
        rows, columns = (_band(kernel, side) for side in images.shape[-2:])
        return rows @ (images @ columns.T)
    radius = len(kernel) // 2
    weights = kernel.repeat(images.shape[1], 1, 1)
    wide = F.pad(images, (radius, radius, 0, 0), mode="replicate")
    once = F.conv2d(wide, weights[:, :, None], groups=images.shape[1])
    tall = F.pad(once, (0, 0, radius, radius), mode="replicate")
    return F.conv2d(tall, weights[..., None], groups=images.shape[1])


def _band(kernel: Tensor, side: int) -> Tensor:
    """The ``side x side`` matrix of the convolution, border rule included."""
    radius = len(kernel) // 2
    index = torch.arange(side, device=kernel.device)
    source = (index[:, None] + torch.arange(-radius, radius + 1, device=kernel.device)).clamp(0, side - 1)
    return kernel.new_zeros(side, side).scatter_add_(1, source, kernel.expand(side, -1).contiguous())


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur ``(N, C, H, W)`` with a Gaussian of ``sigma`` pixels; 0 changes nothing."""
    return separable(images, gaussian_kernel(sigma, images)) if sigma > 0 else images


def box_blur(images: Tensor, radius: int) -> Tensor:
    """Mean over a ``2 radius + 1`` square; borders are continued."""
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, stride=1)


def small_median(images: Tensor, size: int) -> Tensor:
    """Median over a ``size x size`` square by forgetful selection: only minima and maxima, so gradients pass.

    Source: Devillard, "Fast median search" (1998): hold just over half of the values, drop the least and the greatest,
    take in the next one.
    """
    radius = size // 2
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    height, width = images.shape[-2:]
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
