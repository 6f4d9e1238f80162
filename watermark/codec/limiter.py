"""Bring soft decisions of any scale and shape to one scale, and keep a few broken ones from outvoting the rest."""

import torch
from torch import Tensor

CLIP = 4.0
"""Root-mean-squares beyond which one channel bit says no more."""
_ROUNDS = 6


def limited(logits: Tensor) -> Tensor:
    """Logits at unit root-mean-square per image with outliers clipped at ``CLIP`` of it.

    Clipping lowers the root-mean-square, so both are repeated until they agree. Only sizes are changed, never signs,
    and nothing of the key is used, so the null of ``watermark.detection.null`` holds for the result as for the input.

    Args:
        logits: ``(N, K)`` float on any device, any scale.

    Returns:
        ``(N, K)`` float64 on the CPU; all zero where a row is all zero or not all finite (no evidence).

    Raises:
        ValueError: if it is no batch of rows.
    """
    if logits.ndim != 2:
        raise ValueError(f"expected logits (N, K), got {tuple(logits.shape)}")
    soft = logits.detach().cpu().double()
    size = soft.abs().amax(1, keepdim=True)  # before squaring, so that no scale overflows or vanishes
    usable = size.isfinite() & (size > 0)
    soft = torch.where(usable, soft, 0.0) / torch.where(usable, size, 1.0)
    for _ in range(_ROUNDS):
        rms = soft.square().mean(1, keepdim=True).sqrt()
        soft = (soft / torch.where(usable, rms, 1.0)).clamp(-CLIP, CLIP)
    return soft
