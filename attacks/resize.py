"""Another size or another shape."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from attacks.base import Attack, Family, Generators
from attacks.functional import warp


class Resize(Attack):
    """Scale both sides by ``scale`` (bicubic, antialiased); the output has the new size.

    Args:
        scale: of each side, 0.05 to 4.
    """

    differentiable, geometric, harder = True, True, "away"
    family: ClassVar[Family] = "geometry"
    unit, neutral = "scale of a side", 1.0
    reproduces = "VideoSeal, OmniSealBench and StirMark resize"

    def __init__(self, scale: float) -> None:
        if not 0.05 <= scale <= 4:
            raise ValueError(f"scale must be in 0.05..4, got {scale}")
        super().__init__(scale)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return warp.resize(images, warp.scaled(images, self.strength)).clamp(0, 1).clone()


class ResizeBack(Resize):
    """Scale both sides by ``scale`` and back to the old size, so that only the loss of detail remains."""

    geometric = False
    reproduces = "WIBE resize and restore; thumbnail enlarged again"
    family = "filter"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return warp.resize(super().transform(images, generators), (images.shape[-2], images.shape[-1]))


class Pixelate(Attack):
    """Mean over blocks, drawn as squares: scaled down by area and up by nearest neighbour.

    Args:
        scale: of a side in between, 0.05 to 1.
    """

    differentiable, geometric, harder = True, False, "lower"
    family = "filter"
    unit, neutral = "scale of a side", 1.0
    reproduces = "ImageNet-C pixelate (.6 to .25)"

    def __init__(self, scale: float) -> None:
        if not 0.05 <= scale <= 1:
            raise ValueError(f"scale must be in 0.05..1, got {scale}")
        super().__init__(scale)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        small = F.interpolate(images, warp.scaled(images, self.strength), mode="area")
        return F.interpolate(small, images.shape[-2:], mode="nearest-exact")


class Aspect(Attack):
    """Stretch the width by ``ratio`` and leave the height (bicubic, antialiased).

    Args:
        ratio: new width over old width, 0.25 to 4.
    """

    differentiable, geometric, harder = True, True, "away"
    family = "geometry"
    unit, neutral = "width ratio", 1.0
    reproduces = "StirMark aspect ratio change"

    def __init__(self, ratio: float) -> None:
        if not 0.25 <= ratio <= 4:
            raise ValueError(f"ratio must be in 0.25..4, got {ratio}")
        super().__init__(ratio)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return warp.resize(images, (images.shape[-2], max(1, round(images.shape[-1] * self.strength)))).clone()
