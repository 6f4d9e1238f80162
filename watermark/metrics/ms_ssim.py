"""Structural similarity over five scales: closer to what people see than one scale."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.metrics.ssim import WINDOW, ssim_terms

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first."""
SMALLEST = WINDOW * 2 ** (len(WEIGHTS) - 1)
"""Shortest side that has an MS-SSIM, px: the window must fit the coarsest scale."""


def ms_ssim(images: Tensor, reference: Tensor) -> Tensor:
    """MS-SSIM per image, peak 1; 1 for equal images, NaN where a side is under 176 px.

    SSIM as ``watermark.metrics.ssim`` has it (whole windows only), 2x2 means between the scales, contrast and structure
    at every scale, luminance at the coarsest, means over pixels and channels, negative ones cut to 0. torchmetrics
    counts windows over a reflected border at the coarsest scale, which moves the third decimal of small pictures.

    Args:
        images: ``(N, C, H, W)`` in ``[0, 1]``.
        reference: the same shape.

    Returns:
        ``(N,)`` float64 in ``[0, 1]``.

    Raises:
        ValueError: if the shapes differ.

    Source: Wang, Simoncelli and Bovik, Asilomar Conference on Signals, Systems and Computers (2003).

    Example:
        >>> import torch
        >>> images = torch.rand(1, 3, 176, 176, generator=torch.Generator().manual_seed(0))
        >>> round(float(ms_ssim(images, images)), 3)
        1.0
    """
    if images.shape == reference.shape and min(images.shape[-2:]) < SMALLEST:
        return torch.full((len(images),), math.nan, dtype=torch.float64, device=images.device)
    x, y = images.double(), reference.double()
    product = torch.ones(len(images), dtype=torch.float64, device=images.device)
    for scale, weight in enumerate(WEIGHTS):
        luminance, structure = ssim_terms(x, y)
        last = scale == len(WEIGHTS) - 1
        term = (structure * luminance if last else structure).flatten(1).mean(1)
        product = product * term.clamp_min(0) ** weight
        if not last:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return product
