"""A picture on rubber."""

import math

from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw, filters, warp


class Elastic(Attack):
    """Move every pixel by a smooth random field (bicubic); the border is continued.

    Noise, smoothed by a Gaussian and scaled to a root mean square of ``reach``: finer than ``Bending``, whose drift has
    seven cells a side. Where ``reach`` comes near ``smoothness`` the picture folds.

    Args:
        reach: root mean square of the displacement (of x and y each) as a share of the shorter side, 0 to 0.1.
        smoothness: sigma of the Gaussian as a share of the shorter side.
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral = "displacement as share of the shorter side", 0.0
    reproduces = "elastic distortion (Simard, Steinkraus and Platt, 2003); ImageNet-C elastic, without its affine part"

    def __init__(self, reach: float, smoothness: float = 0.02) -> None:
        if not 0 <= reach <= 0.1:
            raise ValueError(f"reach must be in 0..0.1, got {reach}")
        if not 0 < smoothness <= 0.5:
            raise ValueError(f"smoothness must be in (0, 0.5], got {smoothness}")
        super().__init__(reach)
        self.smoothness = smoothness

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Draw the field, look up."""
        height, width = images.shape[-2:]
        side = min(height, width)
        sigma = self.smoothness * side
        room = math.ceil(3 * sigma)  # beyond it the blur would repeat its border and move that farther
        noise = draw.normal(generators, images, 2, height + 2 * room, width + 2 * room)
        field = filters.gaussian_blur(noise, sigma)[..., room : room + height, room : room + width]
        field = field * (self.strength * side / field.square().mean((1, 2, 3), keepdim=True).sqrt())
        return warp.sample(images, warp.pixel_grid(height, width, images) + field.permute(0, 2, 3, 1))
