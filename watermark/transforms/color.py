"""Luma in and out: where marks live, because JPEG halves chroma and screens change colours."""

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the luma that JPEG and WebP code


def luma(images: Tensor) -> Tensor:
    """``(N, 3, H, W)`` RGB in ``[0, 1]`` to ``(N, 1, H, W)`` luma in ``[0, 1]``."""
    weights = images.new_tensor(LUMA)
    return torch.einsum("nchw,c->nhw", images, weights)[:, None]


def luma_to_rgb(change: Tensor) -> Tensor:
    """The smallest RGB change that moves luma by ``change``: ``(N, 1, H, W)`` to ``(N, 3, H, W)``.

    It lies along the luma weights themselves; a grey change with the same effect costs 1.3 dB more PSNR.
    """
    weights = change.new_tensor(LUMA)
    return change * (weights / weights.square().sum())[None, :, None, None]
