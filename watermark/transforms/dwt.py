"""One level of the orthonormal Haar wavelet transform (``pywt.dwt2(x, "haar")``), batched and differentiable."""

from typing import NamedTuple

import torch
from torch import Tensor


class Subbands(NamedTuple):
    """The four half-size sub-bands of ``pywt.dwt2``: ``cA, (cH, cV, cD)``, each ``(N, H/2, W/2)``."""

    approximation: Tensor
    horizontal: Tensor
    vertical: Tensor
    diagonal: Tensor


def haar_dwt2(planes: Tensor) -> Subbands:
    """Analyse ``(N, H, W)``.

    Raises:
        ValueError: if a side is odd.
    """
    if planes.shape[-1] % 2 or planes.shape[-2] % 2:
        raise ValueError(f"expected even sides, got {planes.shape[-1]}x{planes.shape[-2]}")
    a, b = planes[:, 0::2, 0::2], planes[:, 0::2, 1::2]  # top left, top right
    c, d = planes[:, 1::2, 0::2], planes[:, 1::2, 1::2]  # bottom left, bottom right
    return Subbands((a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2)


def haar_idwt2(bands: Subbands) -> Tensor:
    """Synthesise: the inverse of ``haar_dwt2``, ``(N, H, W)``."""
    s, h, v, d = bands
    top = torch.stack([(s + h + v + d) / 2, (s + h - v - d) / 2], dim=-1).flatten(-2)  # (N, H/2, W)
    bottom = torch.stack([(s - h + v - d) / 2, (s - h - v + d) / 2], dim=-1).flatten(-2)
    return torch.stack([top, bottom], dim=-2).flatten(-3, -2)  # (N, H, W)
