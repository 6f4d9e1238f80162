"""The small convolutional auto-encoder behind ``Regeneration``: pictures in, an 8x smaller code, pictures out."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.functional import weights

STRIDE = 8
"""Pixels per code cell and side."""


class Autoencoder(nn.Module):
    """Encode ``(N, 3, H, W)`` in [0, 1] to ``(N, latent, H/8, W/8)`` with unit variance per channel, and back.

    Four-by-four pixel blocks are unshuffled first, so that nearly all arithmetic happens at a quarter of the size:
    about 30,000 multiplications per pixel at ``width=64``. Neither Stable Diffusion's auto-encoder nor derived from it.

    Args:
        width: channels at a quarter of the size; twice as many at an eighth.
        latent: channels of the code; 8 of them keep one number in 24.
    """

    def __init__(self, width: int = 64, latent: int = 8) -> None:
        super().__init__()
        self.width, self.latent = width, latent
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, width, 3, padding=1),
            ResidualBlock(width),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            ResidualBlock(2 * width),
            ResidualBlock(2 * width),
            nn.Conv2d(2 * width, latent, 1),
        )
        self.normalise = nn.BatchNorm2d(latent, affine=False, momentum=0.01)
        self.decoder = nn.Sequential(
            nn.Conv2d(latent, 2 * width, 3, padding=1),
            ResidualBlock(2 * width),
            ResidualBlock(2 * width),
            nn.Conv2d(2 * width, 4 * width, 1),
            nn.PixelShuffle(2),
            ResidualBlock(width),
            ResidualBlock(width),
            nn.Conv2d(width, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def encode(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to its code; sides that are no multiple of 8 are continued at the border first."""
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        return self.normalise(self.encoder(padded - 0.5))

    def decode(self, latents: Tensor) -> Tensor:
        """A code to pictures ``(N, 3, 8h, 8w)``; not clamped."""
        return self.decoder(latents) + 0.5

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """Round trip; ``noise`` of the code's shape is added in between. The output has the size of the input."""
        latents = self.encode(images)
        decoded = self.decode(latents if noise is None else latents + noise)
        return decoded[..., : images.shape[-2], : images.shape[-1]]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around one ReLU, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape out as in."""
        return features + self.second(torch.relu(self.first(features)))


def load_autoencoder(path: str | Path) -> Autoencoder:
    """Read weights written by ``attacks.training.autoencoder``; evaluation mode, float32, no gradients for weights.

    Raises:
        FileNotFoundError: if ``path`` is not a file.
    """
    sizes, state = weights.read(path, "auto-encoder")
    model = Autoencoder(sizes["width"], sizes["latent"])
    model.load_state_dict({**state, "normalise.num_batches_tracked": torch.tensor(0)})
    return model.eval().requires_grad_(False)
