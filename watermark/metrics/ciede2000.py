"""Colour difference as the CIE defines it: PSNR counts a hue shift like any other error, the eye does not."""

import numpy as np
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor

_ROWS = 128  # pixels are independent of each other, so that a strip at a time bounds the memory


def ciede2000(images: Tensor, reference: Tensor) -> Tensor:
    """Mean CIEDE2000 difference over the pixels of each image; 0 for equal images, about 1 is just noticeable.

    sRGB with white point D65, 2 degree observer, ``kL = kC = kH = 1``; computed by scikit-image on the CPU.

    Args:
        images: ``(N, 3, H, W)`` sRGB in ``[0, 1]``.
        reference: the same shape.

    Returns:
        ``(N,)`` float64, at least 0.

    Raises:
        ValueError: if the shapes differ or there are not three channels.

    Source: CIE 142-2001; Sharma, Wu and Dalal, Color Research and Application 30 (2005).

    Example:
        >>> import torch
        >>> grey = torch.full((1, 3, 8, 8), 0.5)
        >>> round(float(ciede2000(grey + 2 / 255, grey)), 2)
        0.76
    """
    if images.shape != reference.shape or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f"CIEDE2000 needs two (N, 3, H, W) of one shape, got {tuple(images.shape)} and {tuple(reference.shape)}"
        )
    pairs = zip(images.detach().cpu(), reference.detach().cpu(), strict=True)
    return torch.tensor([_mean(x.numpy(), y.numpy()) for x, y in pairs], dtype=torch.float64, device=images.device)


def _mean(image: np.ndarray, reference: np.ndarray) -> float:
    total = 0.0
    for top in range(0, image.shape[1], _ROWS):
        strips = (part[:, top : top + _ROWS].astype(np.float64) for part in (image, reference))
        total += float(deltaE_ciede2000(*(rgb2lab(strip, channel_axis=0) for strip in strips), channel_axis=0).sum())
    return total / (image.shape[1] * image.shape[2])
