"""Score alignments by the phases of known lines, and climb to sub-pixel accuracy."""

import math
from collections.abc import Callable

import torch
from scipy.special import gammainc
from torch import Tensor, nn

from watermark.synchronization.geometry import Lines
from watermark.synchronization.spectrum import Spectrum

LIMIT = 3.5
"""No single line of a pilot counts for more than this many times the local RMS."""

Score = Callable[[Spectrum, Tensor, Tensor], Tensor]
"""Scores ``(N, C)`` of matrices ``(N, C, 2, 2)`` with shifts ``(N, C, 2)`` in spectra of N maps."""


class CoherentScore(nn.Module):
    """Correlation with known lines at given matrices: ``u = matrix @ x + shift``.

    A score is the sum over the lines divided by its standard deviation on an unmarked picture.

    Args:
        known: the lines.
        order: 1 where the phases are known, as those of a pilot are. 4 where they are known up to quarter turns, as
            those of lines that carry two signs: the fourth power does not depend on the signs (Viterbi and Viterbi,
            IEEE Trans. Inf. Theory 29, 1983).
        limit: no single line counts for more than this many times the local RMS, before it is raised to ``order``.
    """

    lines: Tensor
    symbols: Tensor

    def __init__(self, known: Lines, order: int = 1, limit: float = LIMIT) -> None:
        super().__init__()
        self.order, self.limit = order, limit
        self.register_buffer("lines", torch.from_numpy(known.frequencies).float(), persistent=False)
        symbols = torch.from_numpy(known.symbols**order).to(torch.complex64)
        self.register_buffer("symbols", symbols, persistent=False)
        least = limit**2  # the power of a line without a mark is exponential; of its limited order-th power the mean is
        power = math.factorial(order) * gammainc(order + 1, least) + least**order * math.exp(-least)
        self.unit = math.sqrt(2 / (len(known) * power))

    def products(self, spectrum: Spectrum, matrices: Tensor) -> Tensor:
        """Limited lines with their embedded phase taken off, ``(N, C, M)`` for matrices ``(N, C, 2, 2)``."""
        found = spectrum.at(torch.einsum("ncji,lj->ncli", matrices, self.lines))
        size = found.abs().clamp_min(1e-12)
        limited = found * (self.limit / size).clamp(max=1)
        return (limited if self.order == 1 else math.prod([limited] * self.order)) * self.symbols.conj()

    def forward(self, spectrum: Spectrum, matrices: Tensor, shifts: Tensor) -> Tensor:
        """Scores ``(N, C)`` of matrices ``(N, C, 2, 2)`` with shifts ``(N, C, 2)``."""
        angle = shifts @ self.lines.T * (2 * math.pi * self.order)  # (N, C, M)
        products = self.products(spectrum, matrices)
        return (products.real * angle.cos() + products.imag * angle.sin()).sum(-1) * self.unit


def half_turned(products: Tensor, symbols: Tensor) -> Tensor:
    """``CoherentScore.products`` ``(..., M)`` at the half turns of the same matrices: every line is its conjugate."""
    return (products * symbols).conj() * symbols.conj()


class AllShifts(nn.Module):
    """Try every shift of the plane at given matrices: two factors that know the lines, one matrix product each.

    Args:
        score: whose sum is to be greatest.
        reach: shifts to this many plane px from the middle, along both axes.
        step: plane px.
    """

    left: Tensor
    right: Tensor

    def __init__(self, score: CoherentScore, reach: float, step: float) -> None:
        super().__init__()
        self.score, self.step, self.count = score, step, 2 * math.ceil(reach / step) + 1
        places = torch.arange(self.count) * step - (self.count - 1) / 2 * step
        turns = places[:, None, None].double() * score.lines.double() * score.order  # (S, M, 2)
        angle = (2 * math.pi * (turns - turns.round())).float()
        waves = torch.polar(torch.ones_like(angle), -angle)
        self.register_buffer("left", waves[..., 0].contiguous(), persistent=False)  # (S, M)
        right = torch.cat([waves[..., 1].real, -waves[..., 1].imag], 1)
        self.register_buffer("right", right.T.contiguous(), persistent=False)  # (2 M, S)

    def forward(self, products: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor]:
        """The best of several matrices, whichever way up the mark stands.

        Args:
            products: ``(N, C, M)``, see ``CoherentScore.products``.
            keep: how many of the C are wanted.

        Returns:
            Scores ``(N, keep)``, the highest first, the shifts ``(N, keep, 2)`` of their maxima, and which of the C
            these are ``(N, keep)``.
        """
        loudest = torch.stack([torch.stack([self._sums(one).aminmax().max for one in row]) for row in products])
        scores, which = loudest.topk(min(keep, loudest.shape[1]), dim=1)
        places = [[self._sums(row[c]).argmax() for c in chosen] for row, chosen in zip(products, which, strict=True)]
        place = torch.stack([torch.stack(row) for row in places])
        shift = torch.stack([place // self.count, place % self.count], -1)
        return scores * self.score.unit, (shift - (self.count - 1) / 2) * self.step, which

    def _sums(self, product: Tensor) -> Tensor:
        """Sizes ``(S, S)`` of the sum at all shifts along x and y, for one product ``(M,)``: it stays in the cache."""
        turned = self.left * product
        return (torch.cat([turned.real, turned.imag], 1) @ self.right).abs_()


def polish(
    score: Score,
    spectrum: Spectrum,
    matrices: Tensor,
    shifts: Tensor,
    step: float,
    rounds: int = 10,
    free: slice = slice(0, 6),
) -> tuple[Tensor, Tensor, Tensor]:
    """Climb to the best affine map nearby: scale, rotation, aspect, shear and shift together.

    Each round scores a step to both sides of every parameter and the vertex of the parabolas through them, goes to the
    best of these, and halves the step where nothing was better.

    Args:
        score: the objective.
        spectrum: of N maps.
        matrices: ``(N, C, 2, 2)`` starting points.
        shifts: ``(N, C, 2)``.
        step: first step: how far the border of the picture may move, plane px.
        rounds: how often.
        free: which of the six parameters may change: 0 to 3 are those of the matrix, 4 and 5 the shift. A faint pilot
            would follow the noise with its matrix, and power alone does not know a shift.

    Returns:
        Scores ``(N, C)``, matrices and shifts.
    """
    height, width = spectrum.size
    reach = matrices.new_tensor([width / 2, height / 2])
    modes = matrices.new_tensor([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]])
    radius = (matrices.abs() @ reach).amax(-1)  # (N, C) plane px from centre to border
    chosen = torch.eye(6).to(matrices)[free]  # (F, 6)
    count = len(chosen)
    around = torch.cat([chosen, -chosen])
    sizes = matrices.new_full(matrices.shape[:2], step)
    best = score(spectrum, matrices, shifts)

    def moved(parameters: Tensor) -> tuple[Tensor, Tensor]:  # (N, C, K, 6)
        change = torch.einsum("nckm,mij->nckij", parameters[..., :4] / radius[..., None, None], modes)
        turned = matrices[:, :, None] + change @ matrices[:, :, None]
        return turned.flatten(1, 2), (shifts[:, :, None] + 0.5 * parameters[..., 4:]).flatten(1, 2)

    for _ in range(rounds):
        trial = sizes[..., None, None] * around  # (N, C, 2 F, 6)
        sides = score(spectrum, *moved(trial)).view(trial.shape[:3])
        plus, minus = sides[..., :count], sides[..., count:]
        bend = (2 * best[..., None] - plus - minus).clamp_min(1e-6)
        vertex = ((plus - minus) / (2 * bend)).clamp(-1.5, 1.5) * sizes[..., None] @ chosen  # (N, C, 6)
        trial = torch.cat([trial, vertex[..., None, :], torch.zeros_like(vertex)[..., None, :]], 2)
        tip = score(spectrum, *moved(vertex[..., None, :])).view(*best.shape, 1)
        value, which = torch.cat([sides, tip, best[..., None]], -1).max(-1)
        step_taken = trial.gather(2, which[..., None, None].expand(-1, -1, 1, 6))
        new_matrices, new_shifts = moved(step_taken)
        matrices, shifts = new_matrices.view_as(matrices), new_shifts.view_as(shifts)
        better = value > best + 0.02 * best.abs()
        sizes = torch.where(better, sizes, sizes / 2)
        best = value
    return best, matrices, shifts
