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
    plane = 255 * luma(images)
    if min(size) > canonical:
        shrink = canonical / min(size)
        small = [round(n * shrink) for n in size]
        plane = F.interpolate(plane, small, mode="bilinear", antialias=True, align_corners=False)
    mask = (_deviation(plane, window) + floor).clamp(max=ceiling) ** exponent
    mask = F.avg_pool2d(_least(mask, erosion), 5, 1, 2, count_include_pad=False)
    if min(size) > canonical:
        mask = F.interpolate(mask, size, mode="bilinear", align_corners=False)
    return mask[:, 0]


def _deviation(plane: Tensor, window: int) -> Tensor:
    mean = F.avg_pool2d(plane, window, 1, window // 2, count_include_pad=False)
    square = F.avg_pool2d(plane.square(), window, 1, window // 2, count_include_pad=False)
    return (square - mean.square()).clamp_min(0).sqrt()


def _least(mask: Tensor, window: int) -> Tensor:
    """Erode, so that the flat side of an edge is judged as flat."""
    return -F.max_pool2d(-mask, window, 1, window // 2)
