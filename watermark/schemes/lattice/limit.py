"""What a picture bears: flat areas only a share of the mark, a pixel beside a line only some levels."""

import torch
from torch import Tensor

from watermark.schemes.lattice.settings import (
    BESIDE_LINES,
    BESIDE_ROUNDS,
    BESIDE_SHARE,
    CANONICAL,
    FLAT,
    SAMPLE,
    STRONGEST,
)
from watermark.transforms.jnd import headroom, texture_mask


def bearable(images: Tensor, change: Tensor, psnr: Tensor, flat_share: float) -> Tensor:
    """How many times ``change`` ``(N,)`` the flat areas of each picture bear; see ``LatticeScheme``."""
    flat = texture_mask(images, exponent=1.0, canonical=CANONICAL) < FLAT  # (N, H, W)
    energy = (change.square().mean(1) * flat).sum((1, 2)) / flat.sum((1, 2)).clamp_min(1)
    return (flat_share * 10 ** (-psnr / 20) / energy.sqrt().clamp_min(1e-9)).clamp(max=STRONGEST)


def limited(images: Tensor, change: Tensor, psnr: Tensor, most: Tensor) -> Tensor:
    """A change that draws nothing beside lines, where an eye sees it first.

    What the limit takes there is given back elsewhere, as far as the rest bears it.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        change: ``(N, 3, H, W)``.
        psnr: ``(N,)`` dB, at which the picture is to stand before it is rounded.
        most: ``(N,)``, how many times ``change`` the picture bears.

    Returns:
        ``(N, 3, H, W)``.
    """
    rms = 10 ** (-psnr / 20)
    least = (rms * BESIDE_SHARE).clamp_min(BESIDE_LINES / 255)
    limit = headroom(images, CANONICAL) * least[:, None, None, None]
    gain = torch.ones_like(most)
    step = max(1, images[0, 0].numel() // SAMPLE)
    some_images, some_change, some_limit = (one[..., ::step, :] for one in (images, change, limit))
    for _ in range(BESIDE_ROUNDS):
        seen = (some_images + _clipped(some_change, gain, some_limit)).clamp_(0, 1).sub_(some_images)
        gain = torch.minimum(gain * rms / seen.square().mean((1, 2, 3)).sqrt().clamp_min(1e-9), most)
    return _clipped(change, gain, limit)


def _clipped(change: Tensor, gain: Tensor, limit: Tensor) -> Tensor:
    """``change`` ``(N, 3, H, W)`` times ``gain`` ``(N,)``, pixels shortened so that no channel exceeds ``limit``."""
    change = change * gain[:, None, None, None]
    return change * (limit / change.abs().amax(1, keepdim=True).clamp_min(1e-9)).clamp_(max=1)
