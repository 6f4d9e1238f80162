"""A colour plane that a classical mark can use beside luma: a difference that points the way luma leaks into it."""

import torch
import torch.nn.functional as F
from torch import Tensor

READ = (-0.5, 0.418688, 0.081312)
"""Minus red difference (Cr, ITU-R BT.601): blind to grey. A step along the luma weights raises it by .105; with the
opposite sign the two planes of one mark would cancel."""
WRITE = (-1.402, 0.714136, 0.0)
"""RGB change that lowers red difference at constant luma."""


def cyan_difference(images: Tensor) -> Tensor:
    """Minus red difference ``(N, 1, H, W)``, in [-.5, .5], of RGB images ``(N, 3, H, W)``."""
    return torch.einsum("nchw,c->nhw", images, images.new_tensor(READ))[:, None]


def cyan_to_rgb(change: Tensor) -> Tensor:
    """Amplitude ``(N, 1, H, W)`` along the unit vector of ``WRITE`` to an RGB change of equal energy."""
    return change * F.normalize(change.new_tensor(WRITE), dim=0)[None, :, None, None]
