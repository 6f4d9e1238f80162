"""Other people's pictures to paste from and into: free ones that scikit-image carries, so nothing is downloaded."""

from functools import cache

import skimage.data
import torch
from torch import Tensor

from attacks.base import Generators
from attacks.functional import draw, warp

NAMES = ("astronaut", "chelsea", "coffee", "rocket")
"""NASA (public domain), and CC0 photographs; see ``skimage.data``."""


@cache
def _host(name: str) -> Tensor:
    return torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float() / 255


def hosts(images: Tensor, generators: Generators) -> Tensor:
    """One host per image, scaled and cut to the size of ``images``: ``(N, 3, H, W)`` in [0, 1]."""
    names = [NAMES[i] for i in draw.integers(generators, len(NAMES))]
    return torch.cat([_cover(_host(name).to(images), images.shape[-2], images.shape[-1]) for name in names])


def _cover(picture: Tensor, height: int, width: int) -> Tensor:
    factor = max(height / picture.shape[-2], width / picture.shape[-1])
    size = max(height, round(picture.shape[-2] * factor)), max(width, round(picture.shape[-1] * factor))
    large = warp.resize(picture, size).clamp(0, 1)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return large[..., top : top + height, left : left + width]
