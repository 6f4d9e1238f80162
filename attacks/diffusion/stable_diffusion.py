"""Stable Diffusion 1.x and 2.x of the user's, through diffusers, for ``DiffusionRegeneration(model=...)``."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attacks.diffusion.schedule import NoiseChain, latent_chain, noise_levels
from attacks.pretrained import DiffusersVae, fetch, library


class LatentDiffusion(DiffusersVae):
    """A diffusers auto-encoder, U-Net and noise schedule as a ``LatentModel``; the prompt is empty.

    The published attacks guide with weight 7.5; with an empty prompt both branches are equal, so there is none here.
    They denoise with the folder's scheduler (PNDM for 1.4), this one always by DDIM on the same noise levels.

    Args:
        vae: auto-encoder.
        unet: ``UNet2DConditionModel``.
        schedule: a diffusers scheduler, of which only the noise levels, the offset, the end and what the network
            predicts (``epsilon`` or ``v_prediction``) are used.
        prompt: embedding of the empty prompt ``(1, tokens, features)``.

    Raises:
        ValueError: if the network predicts something else.
    """

    def __init__(self, vae: nn.Module, unet: nn.Module, schedule: Any, prompt: Tensor) -> None:
        super().__init__(vae)
        self.unet = unet
        self.register_buffer("prompt", prompt)
        facts = schedule.config
        self.abar = schedule.alphas_cumprod.double().numpy()
        self.predicts = getattr(facts, "prediction_type", "epsilon")
        if self.predicts not in ("epsilon", "v_prediction"):
            raise ValueError(f"prediction_type must be epsilon or v_prediction, got {self.predicts!r}")
        self.offset = int(getattr(facts, "steps_offset", 0))
        self.end_at_one = bool(getattr(facts, "set_alpha_to_one", False))

    def chain(self, step: int) -> NoiseChain:
        """Noise levels of the attack at a training step, on this model's own schedule."""
        return latent_chain(step, self.abar, self.offset, self.end_at_one)

    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The data that the network's guess of the noise implies.

        Args:
            noisy: ``(N, C, h, w)`` latents plus noise.
            sigma: ``(N,)`` ratio of noise to signal, the same for all: the training step nearest to it is told.
        """
        level = float(sigma[0])
        told = int(np.abs(noise_levels(self.abar) - level).argmin())
        signal = 1 / (1 + level**2) ** 0.5
        prompt = self.prompt.expand(len(noisy), -1, -1)  # type: ignore[operator]
        guess = self.unet(noisy * signal, told, encoder_hidden_states=prompt).sample
        if self.predicts == "epsilon":
            return noisy - level * guess
        return signal * (signal * noisy - level * guess)


def load_latent_diffusion(model: str) -> LatentDiffusion:
    """Stable Diffusion 1.x or 2.x from a local folder, or from the hub by name; needs transformers for the text.

    Raises:
        ImportError: without diffusers or transformers, saying what to install.
        FileNotFoundError: if the model is neither here nor to be had.
    """
    library("transformers")
    pipeline = fetch(library("diffusers").StableDiffusionPipeline, model, safety_checker=None)
    with torch.no_grad():
        prompt = pipeline.encode_prompt("", "cpu", 1, False)[0]
    vae, unet = (part.eval().requires_grad_(False) for part in (pipeline.vae, pipeline.unet))
    return LatentDiffusion(vae, unet, pipeline.scheduler, prompt.detach())
