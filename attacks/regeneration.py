"""Regeneration: pass the picture through a network that keeps what it shows and forgets its exact pixels."""

from functools import cache
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from attacks.autoencoder import load_autoencoder
from attacks.base import Attack, Generators
from attacks.functional import draw

WEIGHTS = Path(__file__).with_name("weights")
OWN = {"main": "autoencoder.safetensors", "heldout": "autoencoder_heldout.safetensors"}


class ImageCoder(Protocol):
    """Anything that turns pictures in [0, 1] into a spatial code of about unit variance, and back."""

    def encode(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, C, ~H/s, ~W/s)``."""

    def decode(self, latents: Tensor) -> Tensor:
        """A code to ``(N, 3, >=H, >=W)``; cut to size by the caller."""


class Regeneration(Attack):
    """Encode, disturb the code with normal noise, decode; once, or again and again (rinse).

    Args:
        noise: standard deviation added to the code, whose own is about 1; 0 is the bare round trip, not the identity.
        model: ``main`` or ``heldout`` (auto-encoders of this project, shipped; NOT Stable Diffusion's), the path of
            weights written by ``attacks.training.autoencoder``, or any object with ``encode`` and ``decode``: see
            ``attacks.pretrained`` for TAESD, diffusers and CompressAI models.
        passes: round trips in a row; WAVES rinses 2 and 4 times.
    """

    differentiable, geometric, harder = True, False, "higher"
    family, card = "removal", "README"
    unit = "standard deviation added to the code"
    reproduces = "regeneration by an auto-encoder (Zhao et al., 2023; WAVES Regen-VAE and Rinse), own network"

    def __init__(self, noise: float, model: str | ImageCoder = "main", passes: int = 1) -> None:
        if noise < 0:
            raise ValueError(f"noise must be at least 0, got {noise}")
        if passes < 1:
            raise ValueError(f"passes must be at least 1, got {passes}")
        super().__init__(noise)
        self.passes = passes
        self.model = own_coder(model) if isinstance(model, str) else model

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """``passes`` round trips, each with its own noise and rounded to [0, 1]."""
        height, width = images.shape[-2:]
        if isinstance(self.model, nn.Module):
            self.model.to(images.device)
        for _ in range(self.passes):
            latents = self.model.encode(images)
            disturbed = latents + self.strength * draw.normal(generators, latents)
            images = self.model.decode(disturbed)[..., :height, :width].clamp(0, 1).to(images.dtype)
        return images


def own_coder(model: str) -> ImageCoder:
    """One of the shipped auto-encoders by name, or one by the path of its weights.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    return _load(WEIGHTS / OWN[model] if model in OWN else Path(model))


@cache
def _load(path: Path) -> ImageCoder:
    return load_autoencoder(path)
