"""Down a chain of noise levels with any denoiser, and up one without noise."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from attacks.base import Generators
from attacks.diffusion.schedule import NoiseChain
from attacks.functional import draw

Denoise = Callable[[Tensor, Tensor], Tensor]
"""``denoise(noisy (N, C, H, W), sigma (N,))`` estimates the data under noise of standard deviation ``sigma``."""


def regenerate(
    denoise: Denoise, data: Tensor, chain: NoiseChain, generators: Generators, ancestral: bool = False
) -> Tensor:
    """Noise the data and denoise them again.

    Args:
        denoise: the denoiser.
        data: ``(N, C, H, W)``.
        chain: noise levels.
        generators: one per image.
        ancestral: draw from every posterior on the way (DDPM), instead of the deterministic DDIM.
    """
    noisy = chain.signal * data + chain.noise * draw.normal(generators, data)
    return descend(denoise, noisy, chain, generators, ancestral)


def descend(denoise: Denoise, noisy: Tensor, chain: NoiseChain, generators: Generators, ancestral: bool) -> Tensor:
    """Take the noise off, level by level; the result is scaled as the schedule scales its last step."""
    for told, after in chain.steps():
        clean = denoise(noisy, noisy.new_full((len(noisy),), told))
        kept = (after / told) ** 2 if ancestral else after / told
        noisy = clean + kept * (noisy - clean)
        if ancestral and after > 0:
            noisy = noisy + after * (1 - (after / told) ** 2) ** 0.5 * draw.normal(generators, noisy)
    return noisy / (1 + chain.end**2) ** 0.5


def invert(denoise: Denoise, data: Tensor, chain: NoiseChain) -> Tensor:
    """DDIM inversion: the noisy data that the deterministic way down leads back to (nearly) the data.

    Nothing random: a mark that the denoiser cannot explain stays in the noise, which is what W-Bench's row measures.
    """
    levels = [*([chain.end] if chain.end else []), *reversed(chain.told)]
    noisy = data
    for low, high in pairwise(levels):
        clean = denoise(noisy, noisy.new_full((len(noisy),), low))
        noisy = clean + high / low * (noisy - clean)
    return noisy


def round_trip(denoise: Denoise, data: Tensor, chain: NoiseChain, generators: Generators) -> Tensor:
    """Inversion, and down again."""
    return descend(denoise, invert(denoise, data, chain), chain, generators, ancestral=False)
