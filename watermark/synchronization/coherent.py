"""Score alignments by the phases of known lines, at given matrices and at all shifts."""

import math
from collections.abc import Callable

import torch
from scipy.special import gammainc
from torch import Tensor, nn

from watermark.synchronization.geometry import Lines
from watermark.synchronization.settings import LINE_LIMIT
from watermark.synchronization.spectrum import Spectrum

STRIP = 8
"""Places along x of which ``AllShifts`` keeps the loudest, for neighbours share a peak."""

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

    def __init__(self, known: Lines, order: int = 1, limit: float = LINE_LIMIT) -> None:
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

    The raster is as coarse as the lines allow, so a peak between its places loses up to a third of its height. Hence
    the loudest places of every matrix are looked at once more, at a third of the step.

    Args:
        score: whose sum is to be greatest.
        reach: shifts to this many plane px from the middle, along both axes.
        step: plane px.
        looked_at: places of each matrix that are looked at once more.
    """

    left: Tensor
    right: Tensor
    factors: Tensor
    nudges: Tensor

    def __init__(self, score: CoherentScore, reach: float, step: float, looked_at: int) -> None:
        super().__init__()
        self.score, self.step, self.looked_at = score, step, looked_at
        self.places = STRIP * math.ceil(reach / step / STRIP)
        """Places to each side of the middle."""
        waves = self._waves(torch.arange(-self.places, self.places + 1) * step)  # (S, M, 2)
        self.register_buffer("left", waves[..., 0].contiguous(), persistent=False)
        self.register_buffer("right", waves[..., 1].T.contiguous(), persistent=False)  # (M, S)
        factors = torch.view_as_real(self.right.conj().resolve_conj()).transpose(1, 2).flatten(0, 1)
        self.register_buffer("factors", factors.contiguous(), persistent=False)  # (2 M, S): Re(a b) = re re - im im
        nudges = self._waves(torch.arange(-1, 2) * (step / 3))
        self.register_buffer("nudges", nudges.permute(2, 0, 1).contiguous(), persistent=False)  # (2, 3, M)

    def _waves(self, places: Tensor) -> Tensor:
        """What a line's phase is turned by at shifts ``(S,)`` along x and along y, ``(S, M, 2)``."""
        turns = places[:, None, None].double() * self.score.lines.double() * self.score.order
        angle = (-2 * math.pi * (turns - turns.round())).float()
        return torch.polar(torch.ones_like(angle), angle)

    def forward(self, products: Tensor, keep: int, reach: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The best peaks of several matrices, whichever way up the mark stands.

        Args:
            products: ``(N, C, M)``, see ``CoherentScore.products``.
            keep: how many peaks are wanted.
            reach: ``(N, C, 2)`` plane px along x and y, where less than the whole reach will do.

        Returns:
            Scores ``(N, keep)``, the highest first, the shifts ``(N, keep, 2)`` of the peaks, and which of the C
            these belong to ``(N, keep)``.
        """
        half = torch.full((*products.shape[:2], 2), self.places, dtype=torch.long)
        if reach is not None:
            half = (reach / self.step / STRIP).ceil().long().mul(STRIP).clamp(STRIP, self.places).cpu()
        rows = [
            [self._loudest(one, *sides) for one, sides in zip(*pair, strict=True)]
            for pair in zip(products, half.tolist(), strict=True)
        ]
        places = torch.stack([torch.stack(row) for row in rows])  # (N, C, T, 2)
        scores, shifts = self._closer(products, places)
        scores = scores.masked_fill(self._beside_better(scores, shifts), -math.inf)
        best, which = scores.flatten(1).topk(min(keep, scores[0].numel()), dim=1)
        shifts = shifts.flatten(1, 2).gather(1, which[..., None].expand(-1, -1, 2))
        return best * self.score.unit, shifts, which // self.looked_at

    def _loudest(self, product: Tensor, half_x: int, half_y: int) -> Tensor:
        """Places ``(T, 2)`` of the largest sums for one product ``(M,)``, one of a strip: all in the cache."""
        first = self.places - half_x
        turned = torch.view_as_real(self.left[first : self.places + half_x] * product).flatten(1)
        near = slice(self.places - half_y, self.places + half_y + 1)
        sums = (turned @ self.factors[:, near]).abs_()
        strips = sums.unflatten(0, (-1, STRIP))
        which = strips.amax(1).flatten().topk(self.looked_at).indices
        strip, column = which // sums.shape[1], which % sums.shape[1]
        row = strips[strip, :, column].argmax(1)
        return torch.stack([first + strip * STRIP + row, column + near.start], -1)

    def _closer(self, products: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """The largest sums ``(N, C, T)`` around places ``(N, C, T, 2)``, and their shifts ``(N, C, T, 2)``."""
        turned = products[:, :, None] * self.left[places[..., 0]] * self.right.T[places[..., 1]]  # (N, C, T, M)
        sums = ((turned[..., None, :] * self.nudges[0]) @ self.nudges[1].T).real.abs()  # (N, C, T, 3, 3)
        scores, which = sums.flatten(-2).max(-1)
        nudge = torch.stack([which // 3, which % 3], -1) - 1
        return scores, (places - self.places + nudge / 3) * self.step

    def _beside_better(self, scores: Tensor, shifts: Tensor) -> Tensor:
        """Which peaks ``(N, C, T)`` lie on the slope of a higher one of the same matrix."""
        close = (shifts[..., :, None, :] - shifts[..., None, :, :]).abs().amax(-1) < 1.5 * self.step
        return (close & (scores[..., None, :] > scores[..., :, None])).any(-1)
