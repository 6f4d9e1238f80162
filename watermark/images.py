"""The one picture format inside the toolkit: float ``(N, 3, H, W)``, RGB, ``[0, 1]``."""

import torch
from torch import Tensor


def check_images(images: Tensor, min_size: int = 1) -> None:
    """Refuse anything that is not a float ``(N, 3, H, W)`` batch in ``[0, 1]`` with both sides at least ``min_size``.

    Raises:
        ValueError: in one line, with what was expected and what was given.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or 0 in images.shape:
        raise ValueError(f"expected float images (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    if min(images.shape[-2:]) < min_size:
        raise ValueError(f"expected images of at least {min_size} px a side, got {images.shape[-1]}x{images.shape[-2]}")
    low, high = torch.aminmax(images.detach())
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(f"expected images in [0, 1], got values from {float(low):.4g} to {float(high):.4g}")


def to_8bit(images: Tensor) -> Tensor:
    """Round to the 256 levels of a file, as saving does; float in, float out, straight-through for gradients."""
    rounded = (images.detach() * 255).round() / 255
    return images + (rounded - images.detach()) if images.requires_grad else rounded.to(images.dtype)
