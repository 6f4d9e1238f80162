"""Peak signal-to-noise ratio, the one definition that the whole toolkit uses."""

import math

import numpy as np
from torch import Tensor


def psnr(images: Tensor, reference: Tensor) -> Tensor:
    """PSNR in dB per image over all three channels, peak 1; ``inf`` for equal images.

    Args:
        images: ``(N, 3, H, W)`` in ``[0, 1]``.
        reference: the same shape.

    Returns:
        ``(N,)`` float64.

    Raises:
        ValueError: if the shapes differ; a PSNR after a geometric change is not defined.

    Example:
        >>> import torch
        >>> black = torch.zeros(1, 3, 8, 8)
        >>> psnr(black + 1 / 255, black)
        tensor([48.1308], dtype=torch.float64)
    """
    if images.shape != reference.shape:
        raise ValueError(f"PSNR needs two images of one shape, got {tuple(images.shape)} and {tuple(reference.shape)}")
    error = (images.double() - reference.double()).square().mean(dim=(1, 2, 3))
    return -10 * error.log10()


def psnr_of_arrays(image: np.ndarray, reference: np.ndarray, levels: int) -> float:
    """The same number of one picture in whole numbers up to ``levels``, of 8 or 16 bits, without floats of the whole.

    Raises:
        ValueError: if the shapes differ.
    """
    if image.shape != reference.shape:
        raise ValueError(f"PSNR needs two pictures of one size, got {image.shape} and {reference.shape}")
    import cv2  # marking and reading do without it

    error = cv2.norm(image, reference, cv2.NORM_L2SQR) / image.size
    return 10 * math.log10(levels**2 / error) if error else math.inf
