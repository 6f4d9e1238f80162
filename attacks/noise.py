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
    family = "filter"
    unit, neutral = "standard deviation on 0..1", 0.0
    reproduces = "WAVES and W-Bench noise"

    def __init__(self, sigma: float) -> None:
        if not 0 <= sigma <= 1:
            raise ValueError(f"sigma must be in 0..1, got {sigma}")
        super().__init__(sigma)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images + self.strength * draw.normal(generators, images)


class SpeckleNoise(GaussianNoise):
    """Multiply the distance from a level by one plus normal noise of standard deviation ``sigma``.

    Args:
        sigma: standard deviation, 0 to 1.
        about: the level on 0..1 where there is no noise: 0, black, for speckle as it is; JPEG Trust's code has .5.
    """

    unit = "relative standard deviation"
    reproduces = "speckle of coherent light; JPEG Trust watermarking benchmark (about .5)"

    def __init__(self, sigma: float, about: float = 0.0) -> None:
        if not 0 <= about <= 1:
            raise ValueError(f"about must be in 0..1, got {about}")
        super().__init__(sigma)
        self.about = about

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images + (images - self.about) * (self.strength * draw.normal(generators, images))


class SaltPepper(Attack):
    """Set a ``share`` of the pixels to black or white, half each.

    Args:
        share: of the pixels, 0 to 1.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "share of pixels", 0.0
    reproduces = "salt-and-pepper noise of the classical benchmarks"

    def __init__(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in 0..1, got {share}")
        super().__init__(share)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Replace whole pixels, all three channels."""
        dice = draw.uniform(generators, images, 1, *images.shape[-2:])
        return torch.where(dice < self.strength, (dice < self.strength / 2).to(images.dtype), images)


class ImpulseNoise(SaltPepper):
    """The same for every channel by itself: dead cells of a sensor instead of dust."""

    unit = "share of the values"
    reproduces = "ImageNet-C impulse noise (.03 to .27)"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Replace single values."""
        dice = draw.uniform(generators, images, *images.shape[1:])
        return torch.where(dice < self.strength, (dice < self.strength / 2).to(images.dtype), images)


class ShotNoise(Attack):
    """Count photons: a Poisson draw for every value, whose mean is the value times ``photons``.

    Args:
        photons: at white; the fewer, the noisier. 1 to 100,000.
    """

    differentiable, geometric, harder = False, False, "lower"
    family = "filter"
    unit = "photons at white"
    reproduces = "ImageNet-C shot noise (60 to 3 photons)"

    def __init__(self, photons: float) -> None:
        if not 1 <= photons <= 100_000:
            raise ValueError(f"photons must be in 1..100000, got {photons}")
        super().__init__(photons)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        means = (images.detach() * self.strength).cpu()
        counts = [torch.poisson(mean, own) for mean, own in zip(means, generators, strict=True)]
        return torch.stack(counts).to(images) / self.strength
