"""Random disturbances of single pixels; each image has its own draw."""

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw


class GaussianNoise(Attack):
    """Add independent normal noise to every channel, in floating point (nothing wraps around).

    Args:
        sigma: standard deviation on the [0, 1] scale.
    """

    differentiable, geometric, harder = True, False, "higher"
    unit, identity = "standard deviation on 0..1", 0.0
    reproduces = "WAVES and W-Bench noise"

    def __init__(self, sigma: float) -> None:
        if not 0 <= sigma <= 1:
            raise ValueError(f"sigma must be in 0..1, got {sigma}")
        super().__init__(sigma)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images + self.strength * draw.normal(generators, images)


class SpeckleNoise(GaussianNoise):
    """Multiply by one plus normal noise of standard deviation ``sigma``."""

    unit = "relative standard deviation"
    reproduces = "JPEG Trust watermarking benchmark, speckle"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images * (1 + self.strength * draw.normal(generators, images))


class SaltPepper(Attack):
    """Set a ``share`` of the pixels to black or white, half each.

    Args:
        share: of the pixels, 0 to 1.
    """

    differentiable, geometric, harder = True, False, "higher"
    unit, identity = "share of pixels", 0.0
    reproduces = "salt-and-pepper noise of the classical benchmarks"

    def __init__(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in 0..1, got {share}")
        super().__init__(share)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Replace whole pixels, all three channels."""
        dice = draw.uniform(generators, images, 1, *images.shape[-2:])
        return torch.where(dice < self.strength, (dice < self.strength / 2).to(images.dtype), images)
