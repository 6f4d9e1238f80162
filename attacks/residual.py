"""What an attacker takes for the mark in marked pictures, and puts on others or takes away: tests F1 and F2.

Everything works on pictures that the caller supplies; nothing here knows a scheme or a key. A mark resists a test if
the forged pictures are detected no more often than unmarked ones.
"""

from torch import Tensor

from attacks.base import Attack, Generators
from attacks.denoise import DctShrinkage


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
    family = "removal"
    unit, neutral, together = "times the residual", 0.0, True  # there may be one pattern per picture
    reproduces = "averaging attack (Yang et al., 2024); copy attack (Kutter, Voloshynovskiy and Herrigel, 2000)"

    def __init__(self, factor: float, pattern: Tensor) -> None:
        super().__init__(factor)
        self.register_buffer("pattern", pattern)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """A sum; sizes must agree."""
        pattern = self.get_buffer("pattern").to(images)
        if pattern.shape[1:] != images.shape[1:] or len(pattern) not in (1, len(images)):
            raise ValueError(f"expected a pattern for {tuple(images.shape)}, got {tuple(pattern.shape)}")
        return images + self.strength * pattern


def transplant(marked: Tensor, clean: Tensor, factor: float = 1.0) -> Tensor:
    """F2, copy attack: the guessed mark of ``marked`` on ``clean`` pictures of the same size."""
    return AddResidual(factor, residual(marked))(clean)
