"""Means over the places around each place."""

import torch
import torch.nn.functional as F
from torch import Tensor


def local_mean(planes: Tensor, window: int) -> Tensor:
    """Mean over a square of ``window`` places a side, odd, of what of it lies in planes ``(N, C, H, W)``; same shape.

    As ``avg_pool2d`` without its padding, several times faster on a CPU: one side after the other.
    """
    return _mean_along(_mean_along(planes, window, -1), window, -2)


def _mean_along(planes: Tensor, window: int, side: int) -> Tensor:
    """Sums of 1, 2, 4... neighbours, of which those that the window is made of are added."""
    count, reach = planes.shape[side], window // 2
    padding = (reach, reach, 0, 0) if side == -1 else (0, 0, reach, reach)
    sums, width, start = F.pad(planes, padding), 1, 0
    total = torch.zeros_like(planes)
    while start < window:
        if window & width:
            total += sums.narrow(side, start, count)
            start += width
        if start < window:
            rest = sums.shape[side] - width
            sums = sums.narrow(side, 0, rest) + sums.narrow(side, width, rest)
            width *= 2
    place = torch.arange(count, device=planes.device)
    inside = (place + reach).clamp_max(count - 1) - (place - reach).clamp_min(0) + 1
    return total / (inside if side == -1 else inside[:, None])
