"""Blur, median, sharpening: what a filter menu offers."""

from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import codec, filters, opencv


class GaussianBlur(Attack):
    """Gaussian blur; borders are continued.

    Args:
        sigma: standard deviation in pixels (what Pillow calls radius).
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "sigma, pixels", 0.0
    reproduces = "WAVES Dist-Blur (Pillow radius = sigma), W-Bench blur"

    def __init__(self, sigma: float) -> None:
        if not 0 <= sigma <= 100:
            raise ValueError(f"sigma must be in 0..100, got {sigma}")
        super().__init__(sigma)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return filters.gaussian_blur(images, self.strength)


class Median(Attack):
    """Median of every channel over a square, on 8-bit values.

    Args:
        size: side of the square, odd; 1 changes nothing.
    """

    differentiable, geometric, harder = False, False, "higher"
    family = "filter"
    unit, neutral, together = "side of the window, pixels", 1.0, True  # a thread per picture
    reproduces = "OmniSealBench and StirMark median"

    def __init__(self, size: int) -> None:
        if size < 1 or size % 2 == 0:
            raise ValueError(f"size must be odd and at least 1, got {size}")
        super().__init__(size)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """OpenCV's on the CPU; elsewhere exchange networks up to 5x5 and a trip to the CPU above."""
        size = int(self.strength)
        if images.device.type != "cpu" and size <= 5:
            return filters.small_median_8bit(images, size)
        return codec.edit_bytes(images, lambda levels: opencv.median(levels, size))


class Sharpen(Attack):
    """Unsharp mask: add ``amount`` times the difference to a Gaussian blur of ``sigma`` pixels.

    Args:
        amount: 0 (nothing) to 5.
        sigma: of the blur, pixels.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "share of the detail added", 0.0
    reproduces = "StirMark sharpening; the unsharp mask of photo editors"

    def __init__(self, amount: float, sigma: float = 1.0) -> None:
        if not 0 <= amount <= 5:
            raise ValueError(f"amount must be in 0..5, got {amount}")
        super().__init__(amount)
        self.sigma = sigma

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Boost what the blur takes away."""
        return images + self.strength * (images - filters.gaussian_blur(images, self.sigma))
