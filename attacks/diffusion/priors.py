"""Denoisers that are no networks, for plug-and-play diffusion; no mark of ours is trained against them."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.base import Attack
from attacks.denoise import DctShrinkage, NonLocalMeans, TotalVariation

PRIORS: dict[str, Callable[[float], Attack]] = {
    "dct": lambda sigma: DctShrinkage(min(sigma, 1.0)),
    "nonlocal": lambda sigma: NonLocalMeans(min(sigma, 1.0)),
    "variation": lambda sigma: TotalVariation(min(1.1 * sigma, 1.0)),  # about the best weight on noisy photographs
}
"""By name, from the standard deviation of the noise on [0, 1]."""
BORDER = 8
"""Pixels."""


class Prior:
    """A classical denoiser where a diffusion's network would be (plug-and-play; Venkatakrishnan et al., 2013).

    BM3D would be the natural one; its package is free for non-commercial use only, so plain relatives stand here.

    Args:
        kind: ``dct`` (shrinkage of sliding cosine blocks), ``nonlocal`` (means) or
            ``variation`` (total).
    """

    def __init__(self, kind: str = "dct") -> None:
        if kind not in PRIORS:
            raise ValueError(f"kind must be one of {', '.join(PRIORS)}, got {kind!r}")
        self.kind = kind

    @torch.no_grad()
    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Pictures on [-1, 1] plus noise of standard deviation ``sigma (N,)``, image by image."""
        pictures = zip(noisy.split(1), sigma.tolist(), strict=True)
        return torch.cat([self._one(picture / 2 + 0.5, level / 2) for picture, level in pictures]) * 2 - 1

    def _one(self, picture: Tensor, level: float) -> Tensor:
        """Mirrored at the border, where repeated noise would look like detail; what lies outside of [0, 1] is kept."""
        frame = min(BORDER, min(picture.shape[-2:]) - 1)
        framed = F.pad(picture, (frame,) * 4, mode="reflect")
        height, width = picture.shape[-2:]
        found = PRIORS[self.kind](level).transform(framed, [])
        return found[..., frame : frame + height, frame : frame + width]
