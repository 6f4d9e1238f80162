"""Structural similarity as its authors defined it: Gaussian window of 1.5 px, population covariance."""

import torch
import torch.nn.functional as F
from torch import Tensor

_SIGMA, _RADIUS = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(images: Tensor, reference: Tensor) -> Tensor:
    """Mean SSIM per image over the three channels, peak 1; 1 for equal images.

    The same numbers as scikit-image's ``structural_similarity`` with ``gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False``: 11x11 window, a border of 5 px left out, channels averaged.

    Args:
        images: ``(N, C, H, W)`` in ``[0, 1]``, both sides at least 11 px.
        reference: the same shape.

    Returns:
        ``(N,)`` float64 in ``[-1, 1]``.

    Raises:
        ValueError: if the shapes differ or the window does not fit.

    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Process. 13 (2004).
    """
    if images.shape != reference.shape:
        raise ValueError(f"SSIM needs two images of one shape, got {tuple(images.shape)} and {tuple(reference.shape)}")
    if min(images.shape[-2:]) < 2 * _RADIUS + 1:
        raise ValueError(f"SSIM needs at least {2 * _RADIUS + 1} px a side, got {tuple(images.shape[-2:])}")
    x, y = images.double().flatten(0, 1)[:, None], reference.double().flatten(0, 1)[:, None]  # (NC, 1, H, W)
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x, variance_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (structure * luminance).view(*images.shape[:2], -1).mean(dim=(1, 2))


def _smooth(x: Tensor) -> Tensor:
    """Gaussian mean of every window that lies inside the picture."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=x.dtype, device=x.device)
    window = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    window = window / window.sum()
    return F.conv2d(F.conv2d(x, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
