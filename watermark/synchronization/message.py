"""Align by the message itself where the pilot is gone: somebody averaged it out of many pictures, or notched it.

A line that carries two signs has its phase at one of four quarter turns, so its fourth power is the same for every
message. Summed over all lines it tells where the lattice lies, up to what maps the lattice onto itself: flips, quarter
turns, and shifts by quarters of the tile. Which of these 128 is right only the message can tell, so all are read.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from watermark.synchronization.coherent import CoherentScore, polish
from watermark.synchronization.geometry import Alignment, dihedral
from watermark.synchronization.spectrum import Spectrum

ORDER = 4
"""The power of a line that is the same for every message."""
LIMIT = 2.0
"""No single line counts for more than this many times the local RMS to that power: a regular texture has a few such."""


class MessageSync(nn.Module):
    """Find lines that carry two signs each, as their real and their imaginary part.

    Args:
        lines: ``(L, 2)`` int64.
        tile: side of the tile, lattice px.
        believe: score (standard deviations) from which it is worth reading: few pictures without lines reach it.
    """

    quarters: Tensor
    poses: Tensor

    def __init__(self, lines: np.ndarray, tile: int, believe: float = 7.0) -> None:
        super().__init__()
        self.score = CoherentScore(lines, np.full(len(lines), -1.0), tile, ORDER, LIMIT)  # (+-1 +- i) ** 4 = -4
        self.grid, self.believe = self.score.smallest_grid(), believe
        steps = torch.cartesian_prod(torch.arange(ORDER), torch.arange(ORDER)) * (tile / ORDER)
        self.register_buffer("quarters", steps, persistent=False)
        self.register_buffer("poses", torch.from_numpy(dihedral()).float(), persistent=False)

    def contradicts(self, spectrum: Spectrum, matrices: Tensor, shifts: Tensor) -> Tensor:
        """Where ``(N, C)`` the lines of alignments ``(N, C, 2, 2)`` with ``(N, C, 2)`` plainly lie at another shift."""
        best, _ = self.score.best_shift(self.score.products(spectrum, matrices), self.grid)
        return (best >= self.believe) & (self.score(spectrum, matrices, shifts) < best / 2)

    def forward(self, spectrum: Spectrum, matrices: Tensor) -> Alignment | None:
        """Try matrices ``(N, C, 2, 2)`` at all shifts.

        Returns:
            The 128 possible alignments ``(N, 128)`` of maps in which the lines stand out, with a score of 0, for the
            pilot speaks for none of them, and of minus infinity for all other maps; None where there are only such.
        """
        scores, shifts = self.score.best_shift(self.score.products(spectrum, matrices), self.grid)
        best, which = scores.max(1)
        seen = (best >= self.believe).nonzero()[:, 0]
        if not len(seen):
            return None
        where = which[seen]
        start = (matrices[seen, where][:, None], shifts[seen, where][:, None])
        _, turned, moved = polish(self.score, spectrum.select(seen), *start, step=0.5)
        found = self._all_of(turned[:, 0], moved[:, 0])
        nothing = Alignment(
            matrix=torch.eye(2).to(matrices).expand(len(spectrum), found.score.shape[1], 2, 2),
            shift=shifts.new_zeros(len(spectrum), *found.shift.shape[1:]),
            score=scores.new_full((len(spectrum), found.score.shape[1]), -math.inf),
        )
        return nothing.replaced(seen, found)

    def _all_of(self, matrix: Tensor, shift: Tensor) -> Alignment:
        """What the fourth power cannot tell apart of one alignment for each picture."""
        shifts = shift[:, None] + self.quarters.to(shift)  # (D, 16, 2)
        turned = torch.einsum("pij,dqj->dpqi", self.poses, shifts).flatten(1, 2)
        matrices = (self.poses @ matrix[:, None]).repeat_interleave(len(self.quarters), 1)
        return Alignment(matrices, turned, turned.new_zeros(turned.shape[:2]))
