"""Regeneration by diffusion of the pixels themselves (DiffPure; UnMarker's baseline)."""

from torch import Tensor, nn

from attacks.base import Attack, Generators
from attacks.diffusion import sampler
from attacks.diffusion.models import Denoiser, pixel_model
from attacks.diffusion.schedule import pixel_chain


class PixelDiffusion(Attack):
    """Add noise to the picture on [-1, 1] up to time ``t`` of a diffusion and denoise it step by step.

    Args:
        t: of 1; .05 is noise of standard deviation .087 on [0, 1], .1 of .17, .15 of .26, .2 of .36.
        model: ``main``, our own small network, which ships; ``dct``, ``nonlocal`` or ``variation``, which are no
            networks (``attacks.diffusion.priors``); the path of weights that ``watermark train
            experiment=diffusion_pixel`` wrote; or any ``Denoiser`` of pictures on [-1, 1]. None is the published ADM.
        steps: calls of the denoiser a trip, evenly spaced; None for every training step, as published (200 at .2).
        ancestral: draw at every step (DDPM, as published) instead of DDIM.
        passes: times in a row.
    """

    differentiable, geometric, harder = False, False, "higher"
    family, card = "removal", "diffusion"
    unit, neutral = "time of the diffusion, of 1", 0.0
    reproduces = "DiffPure (Nie et al., 2022) and UnMarker's diffusion baseline; model as configured"

    def __init__(
        self,
        t: float,
        model: str | Denoiser = "main",
        steps: int | None = 3,
        ancestral: bool = True,
        passes: int = 1,
    ) -> None:
        if not 0 <= t <= 1:
            raise ValueError(f"t must be in 0..1, got {t}")
        if steps is not None and steps < 1:
            raise ValueError(f"steps must be at least 1, or None for every training step, got {steps}")
        if passes < 1:
            raise ValueError(f"passes must be at least 1, got {passes}")
        super().__init__(t)
        self.steps, self.ancestral, self.passes = steps, ancestral, passes
        self.model = pixel_model(model) if isinstance(model, str) else model
        self.differentiable = isinstance(self.model, nn.Module)  # a prior that is no network stops gradients

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """``passes`` trips, each clamped to [0, 1]."""
        if isinstance(self.model, nn.Module):
            self.model.to(images.device)
        images = images if self.differentiable else images.detach()
        chain = pixel_chain(self.strength, self.steps)
        for _ in range(self.passes):
            pixels = sampler.regenerate(self.model.denoise, images * 2 - 1, chain, generators, self.ancestral)
            images = (pixels / 2 + 0.5).clamp(0, 1).to(images.dtype)
        return images
