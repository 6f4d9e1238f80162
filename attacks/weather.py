"""Fog and snow between the camera and what it looks at."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw
from attacks.optics import convolve, line

OCTAVES = 7
"""Of the fog: cells a side from 2 to 128, so that a fog is the same at any size of the picture."""
FLAKES = 170
"""A flake is as wide as the shorter side over this: 3 pixels of 512."""
STREAK = 4
"""Flakes' widths that one falls while the shutter is open."""
SLANT = math.radians(30)


class Fog(Attack):
    """Lay a plasma cloud over the picture and take contrast away: ``(x + amount fog) / (1 + amount)``.

    The cloud is a sum of grids of random levels, each twice as fine and half as strong as the one before, from 0 to 1.

    Args:
        amount: fog over picture, 0 to 20.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "photometric"
    unit, neutral = "fog over picture", 0.0
    reproduces = "ImageNet-C fog (1.5 to 3), where its white is the picture's own"

    def __init__(self, amount: float) -> None:
        if not 0 <= amount <= 20:
            raise ValueError(f"amount must be in 0..20, got {amount}")
        super().__init__(amount)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return (images + self.strength * plasma(images, generators)) / (1 + self.strength)


class Snow(Attack):
    """White streaks that fall up to 30 degrees aslant; nothing under a flake is left.

    Args:
        area: share of the picture under flakes, were they not to overlap, 0 to 1.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "edit"
    unit, neutral = "area under flakes, 0..1", 0.0
    reproduces = "ImageNet-C snow, without its greying of the whole picture"

    def __init__(self, area: float) -> None:
        if not 0 <= area <= 1:
            raise ValueError(f"area must be in 0..1, got {area}")
        super().__init__(area)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Flakes on a coarse grid, drawn out along the fall, then enlarged."""
        height, width = images.shape[-2:]
        cell = max(1, round(min(height, width) / FLAKES))
        angles = draw.uniform(generators, images, low=math.pi / 2 - SLANT, high=math.pi / 2 + SLANT).tolist()
        dice = draw.uniform(generators, images, 1, -(-height // cell), -(-width // cell))
        flakes = (dice < self.strength / STREAK).to(images.dtype)
        fallen = [
            convolve(own, line(STREAK, angle).to(images)) for own, angle in zip(flakes.split(1), angles, strict=True)
        ]
        white = (STREAK * torch.cat(fallen)).clamp(max=1)
        return images + (1 - images) * F.interpolate(white, (height, width), mode="bilinear")


def plasma(images: Tensor, generators: Generators) -> Tensor:
    """A cloud for each image, ``(N, 1, H, W)`` from 0 to 1."""
    size = images.shape[-2:]
    cloud = images.new_zeros(len(images), 1, *size)
    for octave in range(OCTAVES):
        cells = 2 ** (octave + 1)
        levels = draw.uniform(generators, images, 1, cells + 1, cells + 1)
        cloud += F.interpolate(levels, size, mode="bilinear", align_corners=True) / 2**octave
    low, high = cloud.amin((1, 2, 3), keepdim=True), cloud.amax((1, 2, 3), keepdim=True)
    return (cloud - low) / (high - low).clamp(min=1e-6)
