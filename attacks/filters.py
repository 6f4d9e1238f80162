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


class KernelBlur(Attack):
    """Gaussian blur that is cut off at a square, as libraries do that ask for a kernel's size.

    Args:
        size: side of the square in pixels, odd; 1 changes nothing.
        sigma: in pixels; None: .15 ``size`` + .35, which is torchvision's choice.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "side of the kernel, pixels", 1.0
    reproduces = "VideoSeal, OmniSealBench and WIBE blur (torchvision); JPEG Trust blur (sigma a sixth of the size)"

    def __init__(self, size: int, sigma: float | None = None) -> None:
        if not 1 <= size <= 255 or size % 2 == 0:
            raise ValueError(f"size must be odd and in 1..255, got {size}")
        if sigma is not None and not sigma > 0:
            raise ValueError(f"sigma must be above 0, got {sigma}")
        super().__init__(size)
        self.sigma = 0.15 * size + 0.35 if sigma is None else sigma

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Rows, then columns; borders are continued."""
        return filters.separable(images, filters.cut_gaussian(int(self.strength), self.sigma, images))


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
    """Unsharp mask: add ``amount`` times the difference to a blurred picture.

    Args:
        amount: 0 (nothing) to 5.
        sigma: of a Gaussian blur, pixels; None: the mean over 3x3 pixels.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "share of the detail added", 0.0
    reproduces = "StirMark sharpening; JPEG Trust sharpness (sigma None); the unsharp mask of photo editors"

    def __init__(self, amount: float, sigma: float | None = 1.0) -> None:
        if not 0 <= amount <= 5:
            raise ValueError(f"amount must be in 0..5, got {amount}")
        super().__init__(amount)
        self.sigma = sigma

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Boost what the blur takes away."""
        smooth = filters.box_blur(images, 1) if self.sigma is None else filters.gaussian_blur(images, self.sigma)
        return images + self.strength * (images - smooth)
