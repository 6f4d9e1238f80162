"""Per-image randomness: drawn on the CPU from each image's own generator, then moved to where the images are."""

import torch
from torch import Tensor

from attacks.base import Generators


def normal(generators: Generators, like: Tensor, *shape: int) -> Tensor:
    """Standard normal ``(N, *shape)``; with no ``shape`` that of one image of ``like``. Device and type of ``like``."""
    size = shape or tuple(like.shape[1:])
    return torch.stack([torch.randn(size, generator=generator) for generator in generators]).to(like)


def uniform(generators: Generators, like: Tensor, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Uniform in ``[low, high)`` of shape ``(N, *shape)``; device and type of ``like``."""
    draws = torch.stack([torch.rand(shape, generator=generator) for generator in generators])
    return (low + (high - low) * draws).to(like)


def integers(generators: Generators, high: int) -> list[int]:
    """One integer in ``[0, high)`` per image."""
    return [int(torch.randint(high, (), generator=generator)) for generator in generators]
