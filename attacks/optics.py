"""What a lens does to a picture that was not held still, or not in focus."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw

FINE = 5
"""Points a side in which a pixel of a kernel is counted: a disk's edge is a share of a pixel, not a staircase."""


class DefocusBlur(Attack):
    """The mean over a disk: a lens out of focus; borders are continued.

    Its spectrum has zeros, and so takes more from a mark than a Gaussian of the same PSNR.

    Args:
        radius: of the disk, pixels, 0 to 20.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "radius of the disk, pixels", 0.0
    reproduces = "ImageNet-C defocus blur (radius 3 to 10), without its second smoothing"

    def __init__(self, radius: float) -> None:
        if not 0 <= radius <= 20:
            raise ValueError(f"radius must be in 0..20, got {radius}")
        super().__init__(radius)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return convolve(images, disk(self.strength).to(images))


class MotionBlur(Attack):
    """The mean along a line at a random angle: a camera that moved; borders are continued.

    Args:
        length: of the line, pixels, 1 to 40.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    unit, neutral = "length of the line, pixels", 1.0
    reproduces = "a hand that shakes; ImageNet-C motion blur, with even weights"

    def __init__(self, length: float) -> None:
        if not 1 <= length <= 40:
            raise ValueError(f"length must be in 1..40, got {length}")
        super().__init__(length)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        angles = draw.uniform(generators, images, high=math.pi).tolist()
        kernels = [line(self.strength, angle).to(images) for angle in angles]
        blurred = [convolve(image, own) for image, own in zip(images.split(1), kernels, strict=True)]
        return torch.cat(blurred)


def disk(radius: float) -> Tensor:
    """``(k, k)``, odd and normalised: the share of each pixel that a disk covers."""
    reach = math.ceil(radius)
    places = _places(reach)
    inside = (places.square()[:, None] + places.square()[None] <= radius**2).float()
    return _pooled(inside)


def line(length: float, angle: float) -> Tensor:
    """``(k, k)``, odd and normalised: a line of one pixel's width through the middle, ``angle`` in radians."""
    reach = math.ceil(length / 2)
    places = _places(reach)
    along = places[None] * math.cos(angle) + places[:, None] * math.sin(angle)
    across = places[:, None] * math.cos(angle) - places[None] * math.sin(angle)
    return _pooled(((along.abs() <= length / 2) & (across.abs() <= 0.5)).float())


def convolve(images: Tensor, kernel: Tensor) -> Tensor:
    """Each channel of ``(N, C, H, W)`` with one odd ``(k, k)`` kernel."""
    reach = kernel.shape[-1] // 2
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    single = padded.flatten(0, 1)[:, None]
    return F.conv2d(single, kernel.flip(0, 1)[None, None]).view_as(images)


def _places(reach: int) -> Tensor:
    return (torch.arange((2 * reach + 1) * FINE) + 0.5) / FINE - 0.5 - reach


def _pooled(fine: Tensor) -> Tensor:
    kernel = F.avg_pool2d(fine[None], FINE)[0]
    return kernel / kernel.sum()
