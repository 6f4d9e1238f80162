"""Looks: what the filter row of a photo-sharing app does to a picture."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import color, warp

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Recipe:
    """A look: colour, contrast, tint and vignette, one after the other, on gamma-encoded values.

    Attributes:
        saturation: factor, 0 is grey.
        contrast: factor about middle grey.
        shadows: what black becomes.
        lights: what white becomes.
        vignette: share of the light that the corners lose.
    """

    saturation: float
    contrast: float
    shadows: Colour
    lights: Colour
    vignette: float


LOOKS = {
    "warm": Recipe(1.25, 1.1, (0.06, 0.02, 0.0), (1.0, 0.95, 0.82), 0.25),
    "faded": Recipe(0.7, 0.85, (0.14, 0.12, 0.18), (0.96, 0.95, 0.88), 0.0),
    "noir": Recipe(0.0, 1.4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.5),
}
"""Of our own making: the apps publish none of theirs."""


class Look(Attack):
    """Give the picture a look and mix it in.

    Args:
        amount: of the look, 0 to 1.
        look: ``warm``, ``faded`` or ``noir``.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "photometric"
    unit, neutral = "share of the look", 0.0
    reproduces = "preset filters of photo-sharing apps (Instagram's kind), recipes assumed; no published ladder"

    def __init__(self, amount: float, look: str = "warm") -> None:
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be in 0..1, got {amount}")
        if look not in LOOKS:
            raise ValueError(f"look must be one of {', '.join(LOOKS)}, got {look!r}")
        super().__init__(amount)
        self.recipe = LOOKS[look]

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Saturation, contrast, tint, vignette."""
        recipe = self.recipe
        toned = torch.lerp(color.luma(images).expand_as(images), images, recipe.saturation)
        toned = (0.5 + recipe.contrast * (toned - 0.5)).clamp(0, 1)
        shadows, lights = (images.new_tensor(ends).view(1, 3, 1, 1) for ends in (recipe.shadows, recipe.lights))
        toned = shadows + (lights - shadows) * toned
        x, y = warp.axes(images.shape[-2], images.shape[-1], images)
        far = (x.square() + y.square()) / max(1e-6, float(x.amax() ** 2 + y.amax() ** 2))  # 1 in the corners
        return torch.lerp(images, toned * (1 - recipe.vignette * far), self.strength)
