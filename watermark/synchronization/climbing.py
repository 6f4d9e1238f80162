"""Pace from a rough alignment to the best affine map nearby, to a fraction of a pixel."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from watermark.synchronization.settings import Pace


class Sized(Protocol):
    """What is climbed on: a spectrum of maps, or those of their windows; ``size`` is the height and width of a map."""

    size: tuple[int, int]


Maps = TypeVar("Maps", bound=Sized)

MODES = ((1, 0), (0, 1)), ((0, -1), (1, 0)), ((1, 0), (0, -1)), ((0, 1), (1, 0))
"""What the first four parameters add to a matrix: scale, rotation, aspect, shear. The others are the shift."""
WORTH = 0.02
"""A round that adds less than this share to a score halves the step; by hand."""


def polish(
    score: Callable[[Maps, Tensor, Tensor], Tensor],
    spectrum: Maps,
    matrices: Tensor,
    shifts: Tensor,
    climb: Pace,
    free: slice = slice(0, 6),
) -> tuple[Tensor, Tensor, Tensor]:
    """Pace in scale, rotation, aspect, shear and shift together.

    Each round scores a step to both sides of every parameter and the vertex of the parabolas through them, goes to the
    best of these, and halves the step where that gained little.

    Args:
        score: the objective.
        spectrum: of N maps.
        matrices: ``(N, C, 2, 2)`` starting points.
        shifts: ``(N, C, 2)``.
        climb: the first step, and how many rounds.
        free: which of the six parameters may change: 0 to 3 are those of the matrix, 4 and 5 the shift. A faint pilot
            would follow the noise with its matrix, and power alone does not know a shift.

    Returns:
        Scores ``(N, C)``, matrices and shifts.
    """
    height, width = spectrum.size
    corner = matrices.new_tensor([width / 2, height / 2])
    radius = (matrices.abs() @ corner).amax(-1)  # (N, C) plane px from centre to border
    axes = torch.eye(6).to(matrices)[free]  # (F, 6)
    around = torch.cat([axes, -axes])  # (2 F, 6) one step to both sides of every parameter
    sizes = matrices.new_full(matrices.shape[:2], climb.step)  # (N, C) plane px
    best = score(spectrum, matrices, shifts)
    for _ in range(climb.rounds):
        sides = sizes[..., None, None] * around  # (N, C, 2 F, 6)
        heights = score(spectrum, *_moved(matrices, shifts, sides, radius)).view(sides.shape[:3])
        vertex = _vertex(best, heights, sizes) @ axes  # (N, C, 6)
        tip = score(spectrum, *_moved(matrices, shifts, vertex[..., None, :], radius)).view(*best.shape, 1)
        stay = torch.zeros_like(vertex)
        steps = torch.cat([sides, vertex[..., None, :], stay[..., None, :]], 2)  # (N, C, 2 F + 2, 6)
        highest, which = torch.cat([heights, tip, best[..., None]], -1).max(-1)
        taken = steps.gather(2, which[..., None, None].expand(-1, -1, 1, 6))
        new_matrices, new_shifts = _moved(matrices, shifts, taken, radius)
        matrices, shifts = new_matrices.view_as(matrices), new_shifts.view_as(shifts)
        sizes = torch.where(highest > best + WORTH * best.abs(), sizes, sizes / 2)
        best = highest
    return best, matrices, shifts


def _moved(matrices: Tensor, shifts: Tensor, steps: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices ``(N, C K, 2, 2)`` and shifts ``(N, C K, 2)`` after K steps ``(N, C, K, 6)`` from each of C places.

    A step is in plane px at the border for the matrix, and half of that for the shift, which moves all of the picture.
    """
    change = torch.einsum("nckm,mij->nckij", steps[..., :4] / radius[..., None, None], matrices.new_tensor(MODES))
    turned = matrices[:, :, None] + change @ matrices[:, :, None]
    return turned.flatten(1, 2), (shifts[:, :, None] + 0.5 * steps[..., 4:]).flatten(1, 2)


def _vertex(best: Tensor, heights: Tensor, sizes: Tensor) -> Tensor:
    """Where the parabolas through three heights have their tops ``(N, C, F)``, at most one and a half steps away."""
    plus, minus = heights.chunk(2, -1)
    bend = (2 * best[..., None] - plus - minus).clamp_min(1e-6)
    return ((plus - minus) / (2 * bend)).clamp(-1.5, 1.5) * sizes[..., None]
