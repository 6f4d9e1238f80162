"""What happened to a picture, from where its mark lay before and where it lies now."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from watermark.synchronization.geometry import Alignment

GRID = 64
"""Points a side that stand for a picture where its share is counted."""


@dataclass(frozen=True)
class Change:
    """An affine change between two pictures of one mark.

    Attributes:
        degrees: turn of the picture, clockwise as seen, in (-180, 180]; of a mirrored one after the mirroring.
        scale: px now per px before, the geometric mean of both directions.
        aspect: stretch along the wider axis over that along the other, at least 1.
        along: degrees of the wider axis in the picture as it is now, 0 for its width and 90 for its height, in [0, 90].
        mirrored: left and right have changed places.
        covers: share of the area before that is still in the picture, 0 to 1.
    """

    degrees: float
    scale: float
    aspect: float
    along: float
    mirrored: bool
    covers: float

    def words(self) -> str:
        """What was undone, in a few words: ``turned 5.0 degrees left, scaled to 0.67``; empty where nothing moved."""
        said = ["mirrored"] * self.mirrored
        if abs(self.degrees) >= 0.25:
            said.append(f"turned {abs(self.degrees):.1f} degrees {'right' if self.degrees > 0 else 'left'}")
        if abs(math.log(self.scale)) >= 0.005:
            said.append(f"scaled to {self.scale:.2f}")
        if self.aspect >= 1.01:
            where = "in width" if self.along < 30 else "in height" if self.along > 60 else "on the slant"
            said.append(f"stretched {self.aspect:.2f} times {where}")
        if self.covers < 0.985:
            said.append(f"{self.covers:.2f} of the area kept")
        return ", ".join(said)


def change(before: Alignment, now: Alignment, size_before: tuple[int, int], size_now: tuple[int, int]) -> list[Change]:
    """What happened to each of N pictures.

    Args:
        before: ``(N,)`` alignments in px of the marked pictures, all of one size; ``(1,)`` stands for all.
        now: ``(N,)`` alignments in px of what became of them.
        size_before: height and width.
        size_now: height and width.
    """
    to_now = torch.linalg.solve(now.matrix.double(), before.matrix.double().expand_as(now.matrix))  # (N, 2, 2)
    moved = torch.linalg.solve(now.matrix.double(), (before.shift - now.shift).double()[..., None])[..., 0]  # (N, 2)
    return [_one(matrix, shift, size_before, size_now) for matrix, shift in zip(to_now, moved, strict=True)]


def _one(matrix: Tensor, shift: Tensor, size_before: tuple[int, int], size_now: tuple[int, int]) -> Change:
    """``x_now = matrix @ x_before + shift``, both measured from the middle of their picture."""
    mirrored = bool(torch.linalg.det(matrix) < 0)
    proper = matrix @ torch.diag(matrix.new_tensor([-1.0 if mirrored else 1.0, 1.0]))  # the mirroring comes first
    degrees = math.degrees(math.atan2(float(proper[1, 0] - proper[0, 1]), float(proper[0, 0] + proper[1, 1])))
    axes, stretch, _ = torch.linalg.svd(matrix)
    inside = (_grid(size_before) @ matrix.T + shift).abs() <= matrix.new_tensor([size_now[1] / 2, size_now[0] / 2])
    return Change(
        degrees=degrees,
        scale=float(stretch.prod().sqrt()),
        aspect=float(stretch[0] / stretch[1]),
        along=math.degrees(math.atan2(abs(float(axes[1, 0])), abs(float(axes[0, 0])))),
        mirrored=mirrored,
        covers=float(inside.all(1).double().mean()),
    )


def _grid(size: tuple[int, int]) -> Tensor:
    """Points ``(GRID^2, 2)`` all over a picture, x and y from its middle."""
    place = (torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID - 0.5
    return torch.cartesian_prod(place * size[1], place * size[0])
