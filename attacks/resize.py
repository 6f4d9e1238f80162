"""Another size or another shape."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from attacks.base import Attack, Family, Generators
from attacks.functional import warp

RESAMPLING = ("bicubic", "bilinear")


def resampling(mode: str) -> str:
    """The mode, if it is one.

    Raises:
        ValueError: if it is none.
    """
    if mode not in RESAMPLING:
        raise ValueError(f"mode must be one of {RESAMPLING}, got {mode!r}")
    return mode


class Resize(Attack):
    """Scale both sides by ``scale``; the output has the new size.

    Args:
        scale: of each side, 0.05 to 4.
        mode: ``bicubic`` or ``bilinear``.
        antialias: the filter widens when shrinking.
        truncate: sizes are cut to whole pixels, not rounded.
    """

    differentiable, geometric, harder = True, True, "away"
    family: ClassVar[Family] = "geometry"
    unit, neutral = "scale of a side", 1.0
    reproduces = "VideoSeal, OmniSealBench and StirMark resize"

    def __init__(self, scale: float, mode: str = "bicubic", *, antialias: bool = True, truncate: bool = False) -> None:
        if not 0.05 <= scale <= 4:
            raise ValueError(f"scale must be in 0.05..4, got {scale}")
        super().__init__(scale)
        self.mode, self.antialias, self.truncate = resampling(mode), antialias, truncate

    def resample(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Resample to ``(height, width)``; values may overshoot [0, 1]."""
        return warp.resize(images, size, self.mode, self.antialias)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return self.resample(images, warp.scaled(images, self.strength, self.truncate)).clamp(0, 1).clone()


class ResizeBack(Resize):
    """Scale both sides by ``scale`` and back to the old size, so that only the loss of detail remains."""

    geometric = False
    reproduces = "WIBE resize and restore; thumbnail enlarged again"
    family = "filter"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return self.resample(super().transform(images, generators), (images.shape[-2], images.shape[-1]))


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
    """Stretch the width by ``ratio`` and leave the height (antialiased).

    Args:
        ratio: new width over old width, 0.25 to 4.
        mode: ``bicubic`` or ``bilinear``.
    """

    differentiable, geometric, harder = True, True, "away"
    family = "geometry"
    unit, neutral = "width ratio", 1.0
    reproduces = "StirMark aspect ratio change"

    def __init__(self, ratio: float, mode: str = "bicubic") -> None:
        if not 0.25 <= ratio <= 4:
            raise ValueError(f"ratio must be in 0.25..4, got {ratio}")
        super().__init__(ratio)
        self.mode = resampling(mode)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        size = images.shape[-2], max(1, round(images.shape[-1] * self.strength))
        return warp.resize(images, size, self.mode).clone()
