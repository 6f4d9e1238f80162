"""Score alignments by the phases of known lines: all shifts at once, then six parameters to sub-pixel accuracy."""

import math

import numpy as np
import torch
from scipy.special import gammainc
from torch import Tensor, nn

from watermark.synchronization.spectrum import Spectrum

LIMIT = 3.5
"""No single line of a pilot counts for more than this many times the local RMS."""


class CoherentScore(nn.Module):
    """Correlation with known lines at given matrices: ``u = matrix @ x + shift``.

    A score is the sum over the lines divided by its standard deviation on an unmarked picture.

    Args:
        lines: ``(M, 2)`` int64.
        symbols: ``(M,)`` complex of modulus 1, the phases as embedded, raised to ``order``.
        tile: side of the tile, lattice px.
        order: 1 where the phases are known, as those of a pilot are. 4 where they are known up to quarter turns, as
            those of lines that carry two signs: the fourth power does not depend on the signs, and tells a shift up to
            a quarter of the tile (Viterbi and Viterbi, IEEE Trans. Inf. Theory 29, 1983).
        limit: no single line counts for more than this many times the local RMS, before it is raised to ``order``.
    """

    lines: Tensor
    symbols: Tensor

    def __init__(self, lines: np.ndarray, symbols: np.ndarray, tile: int, order: int = 1, limit: float = LIMIT) -> None:
        super().__init__()
        self.tile, self.order, self.limit = tile, order, limit
        self.register_buffer("lines", torch.from_numpy(lines).float(), persistent=False)
        self.register_buffer("symbols", torch.from_numpy(symbols).to(torch.complex64), persistent=False)
        least = limit**2  # the power of a line without a mark is exponential; of its limited order-th power the mean is
        power = math.factorial(order) * gammainc(order + 1, least) + least**order * math.exp(-least)
        self._scale = math.sqrt(2 / (len(lines) * power))

    def products(self, spectrum: Spectrum, matrices: Tensor) -> Tensor:
        """Limited lines with their embedded phase taken off, ``(N, C, M)`` for matrices ``(N, C, 2, 2)``."""
        found = spectrum.at(torch.einsum("ncji,lj->ncli", matrices, self.lines) / self.tile)
        size = found.abs().clamp_min(1e-12)
        limited = found * (self.limit / size).clamp(max=1)
        return (limited if self.order == 1 else math.prod([limited] * self.order)) * self.symbols.conj()

    def best_shift(self, products: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """Try all shifts of a ``grid`` x ``grid`` raster of ``tile / order`` by one inverse transform each.

        Returns:
            Scores ``(N, C)`` and shifts ``(N, C, 2)`` in lattice px.
        """
        raster = products.new_zeros(*products.shape[:2], grid, grid // 2 + 1)
        column, row = self.lines[:, 0].long(), self.lines[:, 1].long() % grid
        raster[..., row, column] = products.conj()
        sums = torch.fft.irfft2(raster, s=(grid, grid), norm="forward") / 2
        best, where = sums.flatten(2).max(-1)
        shift = torch.stack([where % grid, where // grid], -1) * (self.tile / self.order / grid)
        return best * self._scale, shift

    def smallest_grid(self) -> int:
        """The coarsest raster that the lines allow: a power of two above twice the highest line number."""
        return 2 ** math.ceil(math.log2(2 * float(self.lines.abs().max()) + 1))

    def forward(self, spectrum: Spectrum, matrices: Tensor, shifts: Tensor) -> Tensor:
        """Scores ``(N, C)`` of matrices ``(N, C, 2, 2)`` with shifts ``(N, C, 2)``."""
        angle = shifts @ self.lines.T * (2 * math.pi * self.order / self.tile)  # (N, C, M)
        products = self.products(spectrum, matrices)
        return (products.real * angle.cos() + products.imag * angle.sin()).sum(-1) * self._scale


def polish(
    score: CoherentScore,
    spectrum: Spectrum,
    matrices: Tensor,
    shifts: Tensor,
    step: float,
    rounds: int = 10,
    shift_only: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Climb to the best affine map nearby: scale, rotation, aspect, shear and shift together.

    Each round scores a step to both sides of every parameter and the vertex of the parabolas through them, goes to the
    best of these, and halves the step where nothing was better.

    Args:
        score: the objective.
        spectrum: of N maps.
        matrices: ``(N, C, 2, 2)`` starting points.
        shifts: ``(N, C, 2)``.
        step: first step: how far the border of the picture may move, lattice px.
        rounds: how often.
        shift_only: leave the matrices as they are: a faint pilot would follow the noise with its other four parameters.

    Returns:
        Scores ``(N, C)``, matrices and shifts.
    """
    height, width = spectrum.size
    reach = matrices.new_tensor([width / 2, height / 2])
    modes = matrices.new_tensor([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]])
    radius = (matrices.abs() @ reach).amax(-1)  # (N, C) lattice px from centre to border
    unit = matrices.new_zeros(6, 6)
    unit.diagonal()[:] = 1
    around = torch.cat([unit, -unit])  # (12, 6)
    sizes = matrices.new_full((*matrices.shape[:2], 6), step)
    if shift_only:
        sizes[..., :4] = 0
    best = score(spectrum, matrices, shifts)

    def moved(parameters: Tensor) -> tuple[Tensor, Tensor]:  # (N, C, K, 6)
        change = torch.einsum("nckm,mij->nckij", parameters[..., :4] / radius[..., None, None], modes)
        turned = matrices[:, :, None] + change @ matrices[:, :, None]
        return turned.flatten(1, 2), (shifts[:, :, None] + 0.5 * parameters[..., 4:]).flatten(1, 2)

    for _ in range(rounds):
        trial = sizes[..., None, :] * around  # (N, C, 12, 6)
        sides = score(spectrum, *moved(trial)).view(trial.shape[:3])
        plus, minus = sides[..., :6], sides[..., 6:]
        bend = (2 * best[..., None] - plus - minus).clamp_min(1e-6)
        vertex = ((plus - minus) / (2 * bend)).clamp(-1.5, 1.5) * sizes
        trial = torch.cat([trial, vertex[..., None, :], torch.zeros_like(vertex)[..., None, :]], 2)
        tip = score(spectrum, *moved(vertex[..., None, :])).view(*best.shape, 1)
        value, which = torch.cat([sides, tip, best[..., None]], -1).max(-1)
        step_taken = trial.gather(2, which[..., None, None].expand(-1, -1, 1, 6))
        new_matrices, new_shifts = moved(step_taken)
        matrices, shifts = new_matrices.view_as(matrices), new_shifts.view_as(shifts)
        better = value > best + 0.02 * best.abs()
        sizes = torch.where(better[..., None], sizes, sizes / 2)
        best = value
    return best, matrices, shifts
