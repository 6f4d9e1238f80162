"""How much change a place hides: a masking map that keeps flat areas clean."""

import torch.nn.functional as F
from torch import Tensor

from watermark.transforms.color import luma
from watermark.transforms.neighbours import local_mean

EVEN = 0.3
"""Levels by which the pixels around one deviate at most on the even ground of a drawing."""
PHOTOGRAPH, DRAWING = 0.35, 0.5
"""Share of even pixels up to which a picture is a photograph, and from which it is a drawing."""
FLAT = 1.5
"""Levels by which they deviate at most where an eye sees a change; a photograph has such places too."""


def texture_mask(
    images: Tensor,
    exponent: float = 0.75,
    floor: float = 2.0,
    ceiling: float = 12.0,
    window: int = 9,
    canonical: int = 512,
    erosion: int = 9,
) -> Tensor:
    """Relative amplitude that each pixel bears, from the local standard deviation of luma times ``texture_share``.

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
    mask = plane_mask(canonical_luma(images, canonical), exponent, floor, ceiling, window, erosion)
    return _as_large(mask, images)[:, 0]


def headroom(images: Tensor, canonical: int = 512) -> Tensor:
    """By what factor a pixel may change more than one on flat ground, ``(N, 1, H, W)``, 1 to 100.

    1 on flat ground, beside it, and between lines that it surrounds; amid texture so large that nothing is limited.
    """
    plane = canonical_luma(images, canonical)
    texture = (1 - 8 * local_mean(_flat(plane, FLAT), 25)).clamp(0, 0.99)
    apart = 1 - F.max_pool2d(_flat(plane, FLAT), 3, 1, 1)
    return _as_large((1 - texture * apart).reciprocal(), images)


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
    mask = (_deviation(plane, window) * texture_share(plane) + floor).clamp(max=ceiling) ** exponent
    return local_mean(_least(mask, erosion), 5)


def texture_share(plane: Tensor) -> Tensor:
    """How far what moves in a plane ``(N, 1, h, w)``, 0 to 255, is texture, 1, or lines on even ground, 0; same shape.

    A texture is busy everywhere, a drawing is even between its lines: a quarter of 15 x 15 px is enough. Only a picture
    that is even in half of its px, and so no photograph, is judged as a drawing.
    """
    even = _flat(plane, EVEN)
    drawing = ((even.mean((2, 3), keepdim=True) - PHOTOGRAPH) / (DRAWING - PHOTOGRAPH)).clamp(0, 1)
    return (1 - 4 * drawing * local_mean(even, 15)).clamp_min(0)


def _flat(plane: Tensor, levels: float) -> Tensor:
    """1 where a pixel and its eight neighbours are about equal, else 0."""
    return (_deviation(plane, 3) < levels).to(plane.dtype)


def _as_large(plane: Tensor, images: Tensor) -> Tensor:
    if plane.shape[-2:] == images.shape[-2:]:
        return plane
    return F.interpolate(plane, images.shape[-2:], mode="bilinear", align_corners=False)


def _deviation(plane: Tensor, window: int) -> Tensor:
    return (local_mean(plane.square(), window) - local_mean(plane, window).square()).clamp_min(0).sqrt()


def _least(mask: Tensor, window: int) -> Tensor:
    """Erode, so that the flat side of an edge is judged as flat."""
    along = F.max_pool2d(-mask, (1, window), 1, (0, window // 2))
    return -F.max_pool2d(along, (window, 1), 1, (window // 2, 0))
