"""A small U-Net that takes Gaussian noise off pictures or latents, preconditioned as EDM does (Karras et al., 2022)."""

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from attacks.functional import weights

CONDITION = 64
"""Features that tell the blocks how much noise there is."""


class UNet(nn.Module):
    """``denoise(noisy, sigma)`` estimates the mean of what may lie under noise of standard deviation ``sigma``.

    No attention and no normalisation: any size goes, and a picture's result depends on nothing but the picture.

    Args:
        channels: of what is denoised: 3 for pictures on [-1, 1], more for latents.
        width: features at the finest level; each coarser level has twice as many.
        levels: of resolution, each half the one before.
        blocks: residual blocks a level, before the deepest and again after it.
        fold: side of the pixel squares folded into channels first; 2 saves three quarters of the arithmetic.
        deviation: standard deviation of the data, ``sigma_data`` of EDM.
    """

    deviation: Tensor

    def __init__(
        self, channels: int, width: int = 64, levels: int = 2, blocks: int = 2, fold: int = 1, deviation: float = 1.0
    ) -> None:
        super().__init__()
        self.sizes = {"channels": channels, "width": width, "levels": levels, "blocks": blocks, "fold": fold}
        self.register_buffer("deviation", torch.tensor(deviation))
        self.fold, self.multiple = fold, fold * 2 ** (levels - 1)
        widths = [width * 2**level for level in range(levels)]
        folded = channels * fold**2
        self.level = nn.Sequential(nn.Linear(1, CONDITION), nn.SiLU(), nn.Linear(CONDITION, CONDITION), nn.SiLU())
        self.first = nn.Conv2d(folded, width, 3, padding=1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_stage(fine, blocks) for fine in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.deepest = _stage(widths[-1], blocks + 1)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(_stage(fine, blocks) for fine in widths[:-1])
        self.last = nn.Conv2d(width, folded, 3, padding=1)

    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The posterior mean.

        Args:
            noisy: ``(N, channels, H, W)``: data plus noise, any size.
            sigma: ``(N,)`` standard deviations of the noise, above 0.
        """
        spread = sigma.view(-1, 1, 1, 1)
        total = (spread**2 + self.deviation**2).sqrt()
        guess = self._network(noisy / total, sigma.log()[:, None] / 4)
        return noisy * (self.deviation / total) ** 2 + guess.float() * spread * self.deviation / total

    def _network(self, scaled: Tensor, level: Tensor) -> Tensor:
        height, width = scaled.shape[-2:]
        padded = F.pad(scaled, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        condition = self.level(level)
        features = self.first(F.pixel_unshuffle(padded, self.fold))
        passed = []
        for stage, shrink in zip(self.down, self.shrink, strict=True):
            features = _run(stage, features, condition)
            passed.append(features)
            features = shrink(features)
        features = _run(self.deepest, features, condition)
        for stage, grow, skipped in zip(reversed(self.up), reversed(self.grow), reversed(passed), strict=True):
            features = _run(stage, grow(features) + skipped, condition)
        return F.pixel_shuffle(self.last(features), self.fold)[..., :height, :width]


class _Block(nn.Module):
    """Two convolutions around a ReLU, scaled and shifted by the noise level; begins as the identity."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1)
        self.condition = nn.Linear(CONDITION, 2 * features)
        self.second = nn.Conv2d(features, features, 3, padding=1)
        nn.init.zeros_(self.condition.weight)
        nn.init.zeros_(self.condition.bias)
        nn.init.zeros_(self.second.weight)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.condition(condition)[..., None, None].chunk(2, 1)
        return features + self.second(torch.relu(torch.addcmul(shift, self.first(features), 1 + scale)))


def _stage(features: int, blocks: int) -> nn.ModuleList:
    return nn.ModuleList(_Block(features) for _ in range(blocks))


def _run(stage: nn.Module, features: Tensor, condition: Tensor) -> Tensor:
    for block in stage.children():
        features = block(features, condition)
    return features


def save_unet(model: UNet, path: Path) -> None:
    """Write float16 safetensors with the sizes that rebuild the network."""
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, str(path), metadata={name: str(value) for name, value in model.sizes.items()})


def load_unet(path: str | Path) -> UNet:
    """Read weights written by ``save_unet``; evaluation mode, float32, no gradients for weights.

    Raises:
        FileNotFoundError: if ``path`` is not a file.
    """
    sizes, state = weights.read(path, "denoiser")
    model = UNet(**sizes)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)
