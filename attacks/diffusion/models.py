"""What the diffusion attacks run on: our own small models as shipped; anybody's behind the same few verbs."""

from functools import cache
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from attacks.diffusion.priors import PRIORS, Prior
from attacks.diffusion.unet import UNet, load_unet
from attacks.regeneration import ImageCoder, own_coder

WEIGHTS = Path(__file__).parents[1] / "weights"
LATENT, TAESD, PIXEL = (WEIGHTS / f"diffusion_{name}.safetensors" for name in ("latent", "taesd", "pixel"))


class Denoiser(Protocol):
    """Takes Gaussian noise off."""

    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """``(N, C, H, W)`` data plus noise of standard deviation ``sigma (N,)`` to the estimated data."""


class LatentModel(Denoiser, Protocol):
    """An image coder and a denoiser of its codes; ``attacks.diffusion.stable_diffusion`` wraps Stable Diffusion's."""

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Pictures in [0, 1] to the mean of their code and its standard deviation, None where the code is certain."""

    def decode(self, latents: Tensor) -> Tensor:
        """A code to pictures ``(N, 3, >=H, >=W)``; cut to size by the caller."""


class OwnLatentModel(nn.Module):
    """One of our denoisers on the coder whose codes it was trained on. NOT Stable Diffusion.

    Args:
        coder: of the codes.
        network: that denoises them.
    """

    def __init__(self, coder: ImageCoder, network: UNet) -> None:
        super().__init__()
        self.coder, self.network = coder, network

    def posterior(self, images: Tensor) -> tuple[Tensor, None]:
        """The code; our coders are certain of it."""
        return self.coder.encode(images), None

    def decode(self, latents: Tensor) -> Tensor:
        """A code to pictures; not clamped."""
        return self.coder.decode(latents)

    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The network's estimate."""
        return self.network.denoise(noisy, sigma)


@cache
def own_latent_model(file: str | None = None) -> OwnLatentModel:
    """The shipped denoiser on the shipped auto-encoder, or weights of yours that were trained on its codes.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    return OwnLatentModel(own_coder("main"), load_unet(file or LATENT))


def taesd_model(folder: str, name: str = "taesd", file: str | None = None) -> OwnLatentModel:
    """Our denoiser of TAESD's codes, which are Stable Diffusion 1.x's: the published noise in the published space.

    Args:
        folder: with ``taesd_encoder.safetensors`` and ``taesd_decoder.safetensors``.
        name: only ``taesd`` has a denoiser that ships.
        file: other weights of yours.

    Raises:
        FileNotFoundError: if a file is missing.
    """
    from attacks.pretrained import load_taesd

    return OwnLatentModel(load_taesd(folder, name), load_unet(file or TAESD))


@cache
def pixel_model(name: str) -> Denoiser:
    """A denoiser of pictures on [-1, 1]: ``main`` (our network, which ships), a prior's name, or a path of weights.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    return Prior(name) if name in PRIORS else load_unet(PIXEL if name == "main" else name)
