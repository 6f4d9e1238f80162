"""Generative fill: a part is taken out, and a diffusion model draws something else there."""

import torch
from torch import Tensor

from attacks.base import Generators
from attacks.diffusion.latent import DiffusionRegeneration
from attacks.diffusion.models import LatentModel
from attacks.erase import Edit
from attacks.functional.fill import pull_push


class GenerativeFill(Edit):
    """Take one rectangle out and let a diffusion model fill it in.

    The hole is filled smoothly from its border, the model regenerates that picture from noise, and only the rectangle
    of what it drew is kept, as photo editors do. So nothing of the rectangle survives, its mark neither.

    Args:
        area: share of the picture that is filled in, 0 to 1.
        step: where the model starts, in training steps of 1000; higher ones draw more that was not there.
        model: see ``DiffusionRegeneration``; ``main`` is our own small one, NOT Stable Diffusion.
    """

    differentiable = False
    unit = "area filled in, 0..1"
    reproduces = "generative fill of photo editors, no text guides it; model as configured"

    def __init__(self, area: float, step: int = 400, model: str | LatentModel = "main") -> None:
        super().__init__(area)
        self.regeneration = DiffusionRegeneration(step, model)

    @torch.no_grad()
    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """What the model draws."""
        known = (~covered).to(images.dtype)
        smooth = torch.where(covered, pull_push(images * known, known), images).clamp(0, 1)
        return torch.where(covered, self.regeneration.transform(smooth, generators).clamp(0, 1), images)
