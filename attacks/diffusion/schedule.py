"""How much noise the published attacks add, and which noise levels their denoisers are called with.

Noise levels are ratios of noise to signal, ``sigma = sqrt(1 - abar) / sqrt(abar)``: data ``z`` at level ``sigma`` is
``z + sigma e``, whatever a schedule's own scaling is (the "variance exploding" coordinates of Karras et al., 2022).
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

SPACING = 20
"""Training steps per scheduler step: 50 scheduler steps of 1000, as all the published attacks use."""


@cache
def stable_diffusion() -> np.ndarray:
    """``abar`` of Stable Diffusion 1.x, 2.x and XL, float64 ``(1000,)``: betas linear in their square roots."""
    return np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)


@cache
def guided_diffusion() -> np.ndarray:
    """``abar`` of ADM, which DiffPure and UnMarker call, float64 ``(1000,)``: betas linear from .0001 to .02."""
    return np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))


def variance_preserving(t: float) -> float:
    """``abar(t)`` of DiffPure's VP-SDE, beta from .1 to 20 over ``t`` in [0, 1] (Nie et al., 2022)."""
    return float(np.exp(-0.5 * (20 - 0.1) * t**2 - 0.1 * t))


def noise_levels(abar: np.ndarray) -> np.ndarray:
    """Ratios of noise to signal."""
    return np.sqrt((1 - abar) / abar)


def last_steps(step: int, spacing: int = SPACING, offset: int = 1) -> list[int]:
    """The last ``max(step // spacing, 1)`` scheduler steps, as training steps, noisy first.

    WatermarkAttacker and WAVES; the schedulers of Stable Diffusion put their steps at ``offset`` 1, 21, 41, ...
    """
    return [spacing * i + offset for i in reversed(range(max(step // spacing, 1)))]


@dataclass(frozen=True)
class NoiseChain:
    """A noising and the calls of a denoiser that undo it.

    Attributes:
        signal: what the data are multiplied with before the noise is added; 1 but for the published latent attack,
            which noises to one training step and denoises from the scheduler step below, without rescaling.
        noise: standard deviation that is added.
        told: noise levels that the denoiser is told, falling, one a call.
        end: noise level that is left after the last call; 0 is a clean result.
    """

    signal: float
    noise: float
    told: tuple[float, ...]
    end: float = 0.0

    def steps(self) -> list[tuple[float, float]]:
        """``(told, next)`` for every call."""
        return list(pairwise((*self.told, self.end)))


def latent_chain(step: int, abar: np.ndarray | None = None, offset: int = 1, end_at_one: bool = False) -> NoiseChain:
    """Noise to training step ``step``, then the last scheduler steps by DDIM, exactly as published.

    Args:
        step: 1 to 999.
        abar: the model's own; None for Stable Diffusion's.
        offset: the scheduler's ``steps_offset``.
        end_at_one: the scheduler's ``set_alpha_to_one``; the published models leave the noise of training step 0.
    """
    if not 1 <= step <= 999:
        raise ValueError(f"step must be in 1..999, got {step}")
    abar = stable_diffusion() if abar is None else abar
    levels, told = noise_levels(abar), last_steps(step, offset=offset)
    first = float(np.sqrt(abar[told[0]]))
    noised = float(np.sqrt(abar[step]) / first), float(np.sqrt(1 - abar[step]) / first)
    return NoiseChain(*noised, tuple(float(levels[t]) for t in told), 0.0 if end_at_one else float(levels[0]))


def pixel_chain(t: float, steps: int | None = None) -> NoiseChain:
    """DiffPure and UnMarker: noise to training step ``1000 t`` of ADM's schedule, then down to the clean picture.

    Args:
        t: 0.001 to 1.
        steps: calls of the denoiser, evenly spaced in training steps; None for every training step, as published.
    """
    top = round(1000 * t)
    if not 1 <= top <= 1000:
        raise ValueError(f"t must be in .001..1, got {t}")
    levels = noise_levels(guided_diffusion())
    count = top if steps is None else min(steps, top)
    at = [round(top * (i + 1) / count) - 1 for i in reversed(range(count))]
    return NoiseChain(1.0, float(levels[top - 1]), tuple(float(levels[i]) for i in at))
