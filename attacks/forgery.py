"""Tests F1 to F6 of the protocol: an attacker who wants a false positive, or somebody else's name.

Everything works on pictures and functions that the caller supplies; nothing here knows a scheme or a key. A mark
resists a test if the forged pictures are detected no more often than unmarked ones, or with the true owner's name.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.denoise import DctShrinkage

Embed = Callable[[Tensor], Tensor]
"""Marks a batch with one identity: ``(N, 3, H, W)`` in [0, 1] to the same."""
COLLUSIONS = ("mean", "median", "minimum", "maximum", "minmax", "mosaic")


def residual(marked: Tensor, sigma: float = 0.02) -> Tensor:
    """What a denoiser takes for noise in a marked picture: the attacker's guess of the mark, ``(N, 3, H, W)``."""
    return marked - DctShrinkage(sigma)(marked)


def average_residual(marked: Tensor, unmarked: Tensor | None = None) -> Tensor:
    """F1: the part that many marked pictures share (Yang et al., 2024).

    Args:
        marked: ``(n, 3, H, W)`` pictures with the same mark; the protocol takes n = 5, 20, 100, 500, 1000.
        unmarked: ``(m, 3, H, W)`` pictures without one, whose mean is subtracted; None subtracts denoised copies.

    Returns:
        ``(1, 3, H, W)``, to be added to clean pictures or subtracted from marked ones: see ``AddResidual``.
    """
    if unmarked is None:
        return residual(marked).mean(0, keepdim=True)
    return marked.mean(0, keepdim=True) - unmarked.mean(0, keepdim=True)


class AddResidual(Attack):
    """F1 and F2: add a guessed mark to pictures (forging), or subtract it (negative ``factor``: removal).

    Args:
        factor: times the residual; 0 changes nothing.
        pattern: ``(1, 3, H, W)`` or one per picture, from ``average_residual`` or ``residual``.
    """

    differentiable, geometric, harder = True, False, "away"
    unit, identity, together = "times the residual", 0.0, True  # there may be one pattern per picture
    reproduces = "averaging attack (Yang et al., 2024); copy attack (Kutter, Voloshynovskiy and Herrigel, 2000)"

    def __init__(self, factor: float, pattern: Tensor) -> None:
        super().__init__(factor)
        self.register_buffer("pattern", pattern)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:  # noqa: ARG002 - nothing random
        """A sum; sizes must agree."""
        pattern = self.get_buffer("pattern").to(images)
        if pattern.shape[1:] != images.shape[1:] or len(pattern) not in (1, len(images)):
            raise ValueError(f"expected a pattern for {tuple(images.shape)}, got {tuple(pattern.shape)}")
        return images + self.strength * pattern


def transplant(marked: Tensor, clean: Tensor, factor: float = 1.0) -> Tensor:
    """F2, copy attack: the guessed mark of ``marked`` on ``clean`` pictures of the same size."""
    return AddResidual(factor, residual(marked))(clean)


def overwrite(images: Tensor, embedders: Sequence[Embed]) -> Tensor:
    """F3: one provider after the other marks the same picture; saved with 8 bits in between. Run it in both orders."""
    for embed in embedders:
        images = (embed(images) * 255).round() / 255
    return images


def collude(copies: Tensor, how: str = "mean") -> Tensor:
    """F5: customers compare their copies of one picture.

    Args:
        copies: ``(k, N, 3, H, W)``: k differently marked copies of each of N pictures.
        how: ``mean``, ``median``, ``minimum``, ``maximum``, ``minmax`` (middle of both), ``mosaic`` (tiles in turn).

    Returns:
        ``(N, 3, H, W)``.
    """
    if how not in COLLUSIONS:
        raise ValueError(f"how must be one of {COLLUSIONS}, got {how!r}")
    if how == "mosaic":
        height, width = copies.shape[-2:]
        rows, columns = torch.arange(height) // 16, torch.arange(width) // 16
        turn = (rows[:, None] * -(-width // 16) + columns + rows[:, None]) % len(copies)
        return torch.gather(copies, 0, turn.to(copies.device).expand(1, *copies.shape[1:]))[0]
    low, high = copies.amin(0), copies.amax(0)
    middle = copies.median(0).values if how == "median" else copies.mean(0)
    return {"mean": middle, "median": middle, "minimum": low, "maximum": high, "minmax": (low + high) / 2}[how]


def random_ids(count: int, bits: int, generator: torch.Generator) -> list[int]:
    """F6: identities that nobody was given, to look up: ``count`` uniform integers of ``bits`` bits (at most 62)."""
    if not 1 <= bits <= 62:
        raise ValueError(f"bits must be in 1..62, got {bits}")
    return torch.randint(2**bits, (count,), generator=generator).tolist()


def near_ids(identity: int, bits: int) -> list[int]:
    """F6: the ``bits`` identities that differ from ``identity`` in one bit, lowest bit first."""
    if not 0 <= identity < 2**bits:
        raise ValueError(f"identity must fit into {bits} bits, got {identity}")
    return [identity ^ (1 << position) for position in range(bits)]
