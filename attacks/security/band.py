"""The yardsticks: noise in a mark's band, and the band taken out. No attack on a secret mark should be cheaper."""

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional.draw import normal

LOW, HIGH = 0.06, 0.2
"""Cycles per px: a band that invisible marks like, above what blurring shows and below what JPEG quantises away."""


def radius(height: int, width: int, like: Tensor) -> Tensor:
    """Radial frequency of each bin of ``rfft2``, ``(H, W // 2 + 1)``, cycles per px."""
    down = torch.fft.fftfreq(height, device=like.device, dtype=like.dtype)
    across = torch.fft.rfftfreq(width, device=like.device, dtype=like.dtype)
    return (down[:, None].square() + across.square()).sqrt()


def in_band(height: int, width: int, low: float, high: float, like: Tensor) -> Tensor:
    """Which bins of ``rfft2`` lie in a band, ``(H, W // 2 + 1)`` bool."""
    at = radius(height, width, like)
    return (at >= low) & (at <= high)


def check_band(low: float, high: float) -> None:
    """Refuse what is no band."""
    if not 0 <= low < high <= 0.75:
        raise ValueError(f"expected a band with 0 <= low < high <= 0.75 cycles per px, got {low} to {high}")


class BandNoise(Attack):
    """Add Gaussian noise of one radial band, the same in every colour.

    Args:
        sigma: standard deviation of the noise on 0..1; 0 changes nothing.
        low: least radial frequency, cycles per px.
        high: greatest.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "removal"
    unit, neutral = "standard deviation on 0..1", 0.0
    reproduces = "the yardstick of every removal attack: plain noise where the mark is"

    def __init__(self, sigma: float, low: float = LOW, high: float = HIGH) -> None:
        if not 0 <= sigma <= 1:
            raise ValueError(f"sigma must be in 0..1, got {sigma}")
        check_band(low, high)
        super().__init__(sigma)
        self.low, self.high = low, high

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """White noise, all but the band blanked, brought to ``sigma``."""
        height, width = images.shape[-2:]
        white = normal(generators, images, 1, height, width)
        band = torch.fft.rfft2(white) * in_band(height, width, self.low, self.high, images)
        noise = torch.fft.irfft2(band, s=(height, width))
        rms = noise.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        return images + noise * (self.strength / rms)


class Shrinking(Attack):
    """Take a share of something in one radial band away; a subclass says of what.

    Args:
        depth: the share, 0 to 1; 0 changes nothing.
        low: least radial frequency, cycles per px.
        high: greatest.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "removal"
    unit, neutral = "share taken away", 0.0

    def __init__(self, depth: float, low: float = LOW, high: float = HIGH) -> None:
        if not 0 <= depth <= 1:
            raise ValueError(f"depth must be in 0..1, got {depth}")
        check_band(low, high)
        super().__init__(depth)
        self.low, self.high = low, high


class BandStop(Shrinking):
    """Shrink everything in one radial band; arguments as in ``Shrinking``."""

    reproduces = "a comb whose teeth touch: the whole band of the mark"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        height, width = images.shape[-2:]
        keep = 1 - self.strength * in_band(height, width, self.low, self.high, images).to(images.dtype)
        return torch.fft.irfft2(torch.fft.rfft2(images) * keep, s=(height, width))
