"""How much change a place hides: a masking map that keeps flat areas clean."""

import torch.nn.functional as F
from torch import Tensor

from watermark.transforms.color import luma


def texture_mask(
    images: Tensor,
    exponent: float = 0.75,
    floor: float = 2.0,
    ceiling: float = 12.0,
    window: int = 9,
    canonical: int = 512,
    erosion: int = 9,
) -> Tensor:
    """Relative amplitude that each pixel bears, from the local standard deviation of luma.

    Args:
        images: ``(N, 3, H, W)`` in ``[0, 1]``.
        exponent: 0 gives an even mask, 1 follows the texture fully.
        floor: added to the deviation, 8-bit levels, so that flat areas carry something.
        ceiling: the deviation beyond which nothing more is hidden.
        window: side of the neighbourhood, px at a short side of ``canonical``.
        canonical: pictures with a longer short side are judged at this one.
        erosion: px by which busy places are narrowed, so that a lone edge between flat areas counts as flat.

    Returns:
        ``(N, H, W)``, positive.
    """
    size = images.shape[-2:]
    mask = plane_mask(canonical_luma(images, canonical), exponent, floor, ceiling, window, erosion)
    if mask.shape[-2:] != size:
        mask = F.interpolate(mask, size, mode="bilinear", align_corners=False)
    return mask[:, 0]


def canonical_luma(images: Tensor, canonical: int = 512) -> Tensor:
    """Luma ``(N, 1, h, w)``, 0 to 255, of RGB images in ``[0, 1]``, no larger than a short side of ``canonical`` px."""
    size, plane = images.shape[-2:], 255 * luma(images)
    if min(size) <= canonical:
        return plane
    small = [round(n * canonical / min(size)) for n in size]
    return F.interpolate(plane, small, mode="bilinear", antialias=True, align_corners=False)


def plane_mask(
    plane: Tensor, exponent: float, floor: float = 2.0, ceiling: float = 12.0, window: int = 9, erosion: int = 9
) -> Tensor:
    """``texture_mask`` of a plane ``(N, 1, h, w)``, 0 to 255, as ``canonical_luma`` gives it; of the same shape."""
    mask = (_deviation(plane, window) + floor).clamp(max=ceiling) ** exponent
    return _mean(_least(mask, erosion), 5)


def _deviation(plane: Tensor, window: int) -> Tensor:
    return (_mean(plane.square(), window) - _mean(plane, window).square()).clamp_min(0).sqrt()


def _mean(plane: Tensor, window: int) -> Tensor:
    """Mean over a square, one side after the other."""
    along = F.avg_pool2d(plane, (1, window), 1, (0, window // 2), count_include_pad=False)
    return F.avg_pool2d(along, (window, 1), 1, (window // 2, 0), count_include_pad=False)


def _least(mask: Tensor, window: int) -> Tensor:
    """Erode, so that the flat side of an edge is judged as flat."""
    along = F.max_pool2d(-mask, (1, window), 1, (0, window // 2))
    return -F.max_pool2d(along, (window, 1), 1, (window // 2, 0))
