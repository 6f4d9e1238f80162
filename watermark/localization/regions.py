"""From the bits of tiles to scores of regions, each with its own null: what other keys would have given it."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from scipy.special import ndtri
from torch import Tensor

SIDES = (3, 5, 7, 9, 13, 17)
"""Of the regions that are looked at, in tiles: 24 to 136 px."""
REACH = SIDES[-1] // 2
"""Of the largest, tiles to each side."""
LEAST = 1e-9
"""Standard deviation of what says nothing."""
CACHED = 1 << 18
"""Numbers that are worked on at a time, so that they stay near the processor."""


def box_sum(values: Tensor, side: int) -> Tensor:
    """Sums ``(..., R, Q)`` over squares of ``side`` tiles, cut at the border."""
    summed = values
    for _ in range(2):  # along one side and then the other
        running = F.pad(summed, (side // 2 + 1, side // 2)).cumsum(-1)
        summed = (running[..., side:] - running[..., :-side]).transpose(-1, -2)
    return summed


class Regions:
    """What the squares of tiles around every tile say for a message, of any size, from one table of running sums.

    Args:
        rows: the soft bits of tiles ``(K, Q)``, row by row from the top.
        signs: ``(K,)`` of -1 and 1, the message.
        grid: number of rows R and columns Q.

    Attributes:
        told: ``(R, Q)`` correlation of every tile with the message.
        alone: ``(R, Q)`` its standard deviation under random signs.
    """

    def __init__(self, rows: Iterable[Tensor], signs: Tensor, grid: tuple[int, int]) -> None:
        self.told, self.alone = (torch.zeros(grid, device=signs.device) for _ in range(2))
        # (R + 2 REACH + 1, Q + 2 REACH + 1, K): sums of all above and left; beyond the grid nothing is added
        self._sums = torch.zeros(grid[0] + 2 * REACH + 1, grid[1] + 2 * REACH + 1, len(signs), device=signs.device)
        first, last = REACH + 1, REACH + grid[1]
        for number, row in enumerate(rows):
            self.told[number], self.alone[number] = signs @ row, torch.linalg.vector_norm(row, dim=0)
            here, above = self._sums[first + number], self._sums[REACH + number]
            torch.add(above[first : last + 1], row.cumsum(1).T, out=here[first : last + 1])
            here[last + 1 :] = here[last]
        self._sums[first + grid[0] :] = self._sums[REACH + grid[0]]
        self.alone.clamp_min_(LEAST)

    def scores(self, side: int) -> tuple[Tensor, Tensor]:
        """Of the square of ``side`` tiles around every tile, cut at the border.

        Returns:
            Correlation and its standard deviation under random signs, ``(R, Q)`` each: their ratio is
            ``detection.null.correlation_score``, with the tail that is proven there for whatever the picture says.
        """
        if side == 1:
            return self.told, self.alone
        radius, (rows, columns) = side // 2, self.told.shape
        deviation = torch.empty_like(self.alone)
        step = max(1, CACHED // self._sums[0].numel()) if self.told.device.type == "cpu" else rows
        for top in range(0, rows, step):
            bottom = min(rows, top + step)
            high = self._sums[REACH - radius + top : REACH - radius + bottom]
            low = self._sums[REACH + 1 + radius + top : REACH + 1 + radius + bottom]
            strip = low - high  # (step, Q + 2 REACH + 1, K)
            square = (
                strip[:, REACH + 1 + radius : REACH + 1 + radius + columns]
                - strip[:, REACH - radius : REACH - radius + columns]
            )
            deviation[top:bottom] = torch.linalg.vector_norm(square, dim=-1)
        return box_sum(self.told, side), deviation.clamp_min_(LEAST)


def threshold(rate: float) -> float:
    """The score that a sum of unit norm of independent random signs reaches with a chance of at most ``rate``.

    The smaller of Hoeffding's bound and that of Bentkus and Dzindzalieta; see ``detection.null``.
    """
    tail = rate * 4 * 0.5 * math.erfc(1.0)  # Q(sqrt 2) = erfc(1) / 2
    return min(math.sqrt(-2 * math.log(rate)), float(-ndtri(tail)))
