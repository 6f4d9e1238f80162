"""Flatten a picture so that a weak mark stands out: every local frequency divided by how strong it is around here."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from watermark.transforms.dct import dct_matrix
from watermark.transforms.neighbours import local_mean
from watermark.transforms.overlap import overlap_add


class LocalDctWhitening(nn.Module):
    """Overlapped block DCT, each coefficient divided by its local strength, limited, and put together again.

    Textures, edges and flat areas end up equally loud at every frequency, so that a correlation is not ruled by the
    few strongest structures of the picture, and what re-compression left of the mark weighs more than what it killed.

    Args:
        block: side of the DCT blocks, px; they overlap by half.
        high: coefficients above this radial frequency (cycles per px) are dropped, and the mean.
        exponent: power of the local strength to divide by; 1 whitens, more than 1 trusts quiet places more.
        floor: added to the local strength, in 8-bit levels.
        window: side of the neighbourhood in which strength is measured, in blocks.
        limit: normalised coefficients are clipped to ``[-limit, limit]``.
    """

    basis: Tensor

    def __init__(
        self,
        block: int = 8,
        high: float = 0.3,
        exponent: float = 1.3,
        floor: float = 0.5,
        window: int = 3,
        limit: float = 2.0,
    ) -> None:
        super().__init__()
        self.block, self.exponent, self.floor, self.window, self.limit = block, exponent, floor, window, limit
        atoms = dct_matrix(block, torch.zeros(1))  # (u, x)
        kept = [
            torch.outer(atoms[v], atoms[u])
            for v in range(block)
            for u in range(block)
            if 0 < math.hypot(u, v) / (2 * block) <= high
        ]
        if not kept:
            raise ValueError(f"no DCT coefficient of {block} px blocks but the mean lies below {high} cycles per px")
        self.register_buffer("basis", torch.stack(kept)[:, None], persistent=False)  # (C, 1, block, block)

    def forward(self, planes: Tensor) -> Tensor:
        """Whiten planes ``(N, 1, H, W)`` in grey levels; returns the same shape, roughly unit variance, zero mean."""
        stride, basis = self.block // 2, self.basis.to(planes.dtype)
        height, width = planes.shape[-2:]
        bottom, right = (-height) % stride + stride, (-width) % stride + stride
        padded = F.pad(planes, (stride, right, stride, bottom), mode="replicate")
        coefficients = F.conv2d(padded, basis, stride=stride)  # (N, C, h, w)
        power = local_mean(coefficients.square(), self.window)
        strength = (power.sqrt() + self.floor) ** self.exponent
        limited = (coefficients / strength).clamp(-self.limit, self.limit)
        whitened = overlap_add(limited, basis)
        return whitened[..., stride : stride + height, stride : stride + width]
