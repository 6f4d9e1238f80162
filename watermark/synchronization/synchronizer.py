"""Blind synchronisation: which affine map took the lattice into this picture? The pilot alone answers."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from watermark.synchronization.coarse import LogLogSearch, LogPolarSearch, WeightedLines
from watermark.synchronization.coherent import CoherentScore, polish
from watermark.synchronization.geometry import Alignment, Pilot, dihedral
from watermark.synchronization.message import MessageSync
from watermark.synchronization.spectrum import Spectrum

MARGIN = 0.8
"""By how much a search must beat what was found by trying fewer alignments: the best of more is higher by chance."""

MESSAGE_CELLS = 4
"""Cells of each coarse search at which the message is asked to align itself."""


class Synchronizer(nn.Module):
    """Find the pilot in spectra: first where it lies if nothing happened, then everywhere.

    1. Fast path: the eight flips and quarter turns at the likely scales, all shifts by FFT.
    2. Where that stays below ``accept``: all rotations x scales, and all pairs of scales, by incoherent pilot power;
       the best cells scored with phases at all shifts.
    3. The best few polished in six parameters.
    4. Where the pilot is gone but the message is not: the alignments that the data lines themselves allow. A pilot
       that they plainly contradict is not believed at any stage.

    Of data lines only the power is looked at, and the fourth power, which is the same for every message, so the message
    cannot steer the alignment: however many alignments are tried here, a p-value pays only for those at which the
    message is then read. Any scheme can use it: it needs a ``Pilot`` in its mark and a ``Spectrum`` of its whitened
    picture.

    Args:
        pilot: the keyed lines.
        scales: least and greatest picture px per lattice px that is searched.
        aspect: greatest ratio of the two scales that is searched.
        accept: pilot score (standard deviations) from which the fast path is believed.
        candidates: cells of each coarse search that are scored coherently.
        finalists: candidates that are polished.
        data_lines: ``(L, 2)`` lines that carry a message, two signs each; their power helps the coarse
            searches, their fourth power aligns a message without a pilot and contradicts a pilot that lies elsewhere.
        data_power: power of a data line relative to a pilot line.
    """

    poses: Tensor
    nudges: Tensor

    def __init__(
        self,
        pilot: Pilot,
        scales: tuple[float, float] = (0.35, 2.6),
        aspect: float = 1.5,
        accept: float = 12.0,
        candidates: int = 20,
        finalists: int = 4,
        data_lines: np.ndarray | None = None,
        data_power: float = 0.0,
    ) -> None:
        super().__init__()
        self.pilot, self.accept, self.candidates, self.finalists = pilot, accept, candidates, finalists
        self.score = CoherentScore(pilot.lines, pilot.symbols, pilot.tile)
        self.message: MessageSync | None = None
        lines, weights = pilot.lines, np.ones(len(pilot.lines))
        if data_lines is not None and data_power > 0:
            clear = data_lines[np.abs(data_lines).min(1) >= 2]  # a line on an axis has no place in log-log
            lines = np.concatenate([lines, clear])
            weights = np.concatenate([weights, np.full(len(clear), data_power)])
            self.message = MessageSync(clear, pilot.tile)
        known = WeightedLines(lines, weights, pilot.tile)
        self.coarse = nn.ModuleList([LogPolarSearch(known, scales), LogLogSearch(known, scales, aspect)])
        self.grid = self.score.smallest_grid()
        self.register_buffer("poses", torch.from_numpy(dihedral()).float(), persistent=False)
        turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        nudges = [
            sign * (torch.eye(2) * (1 + scale) + turn * angle)
            for sign in (1, -1)  # the power spectrum does not tell a picture from its half turn
            for scale in (-0.003, 0.0, 0.003)
            for angle in (-0.003, 0.0, 0.003)
        ]
        self.register_buffer("nudges", torch.stack(nudges), persistent=False)

    def forward(self, spectrum: Spectrum, likely_scales: Sequence[float] = (1.0,)) -> Alignment:
        """Align every map of a batch by the pilot (steps 1 to 3): the best of each, however low its score.

        A scheme that reads several spectra, or a message without a pilot, calls the steps itself and ``deepen``.

        Args:
            spectrum: of N maps.
            likely_scales: px per lattice px to try first.
        """
        return self.deepen(self.fast(spectrum, likely_scales), ((spectrum, self.search),))[0]

    def deepen(
        self, first: Alignment, stages: Sequence[tuple[Spectrum, Callable[[Spectrum], Alignment]]]
    ) -> tuple[Alignment, Tensor, Alignment]:
        """Try one search after another on the maps whose best score is below ``accept``.

        A later search must beat what fewer trials found by ``MARGIN``. Where even the last leaves doubt, the candidates
        of all searches are handed on: the message can tell which of them is right when the pilot cannot.

        Args:
            first: candidates ``(N, C)`` of the first search.
            stages: spectra of N maps each, and the search to do in them.

        Returns:
            The best alignment of each map; the indices ``(D,)`` of the maps that are still in doubt; all their
            candidates ``(D, C)``, of which those of a score of minus infinity are none.
        """
        found = first.best()
        doubtful = (found.score < self.accept).nonzero()[:, 0]
        kept = first.select(doubtful)
        for spectrum, search in stages:
            if not len(doubtful):
                break
            before, new = found.select(doubtful), search(spectrum.select(doubtful))
            better = new.best().score > before.score + MARGIN
            best = before.replaced(better, new.best().select(better))
            found = found.replaced(doubtful, best)
            still = best.score < self.accept
            doubtful, kept = doubtful[still], kept.joined(new).select(still)
        return found, doubtful, kept

    def fast(self, spectrum: Spectrum, likely_scales: Sequence[float]) -> Alignment:
        """Try the eight flips and quarter turns at given scales, all shifts; candidates ``(N, C)``.

        The best few count twice: polished in six parameters, and as they stand, with nothing but the shift polished.
        """
        scales = self.poses.new_tensor(list(likely_scales))
        matrices = (self.poses / scales[:, None, None, None]).flatten(0, 1)
        matrices = matrices.expand(len(spectrum), -1, -1, -1)
        return self._settle(spectrum, matrices, keep=2, step=1.0, rounds=8, alone=True)

    def search(self, spectrum: Spectrum) -> Alignment:
        """Try every rotation and scale, every pair of scales, and the shifts of the best; candidates ``(N, C)``."""
        return self._search(spectrum, self._cells(spectrum))

    def search_unaided(self, spectrum: Spectrum, likely_scales: Sequence[float]) -> Alignment:
        """``search``, also for a message that lost its pilot: alignments that it alone speaks for come last."""
        cells = self._cells(spectrum)
        found = self._search(spectrum, cells)
        if self.message is None:
            return found
        likely = cells[:, :, :MESSAGE_CELLS].flatten(1, 2)
        nudges = self.nudges[: len(self.nudges) // 2]  # the fourth power does not tell half a turn either
        plain = torch.stack([torch.eye(2).to(cells) / scale for scale in likely_scales]).expand(len(cells), -1, 2, 2)
        more = self.message(spectrum, torch.cat([plain, (nudges @ likely[:, :, None]).flatten(1, 2)], 1))
        return found if more is None else found.joined(more)

    def _cells(self, spectrum: Spectrum) -> Tensor:
        """The best matrices of each coarse search, ``(N, 2, C, 2, 2)``."""
        return torch.stack([coarse(spectrum, self.candidates)[1] for coarse in self.coarse], 1)

    def _search(self, spectrum: Spectrum, cells: Tensor) -> Alignment:
        matrices = (self.nudges @ cells.flatten(1, 2)[:, :, None]).flatten(1, 2)
        return self._settle(spectrum, matrices, keep=self.finalists, step=1.5, rounds=10)

    def _settle(
        self,
        spectrum: Spectrum,
        matrices: Tensor,
        keep: int,
        step: float,
        rounds: int,
        alone: bool = False,
    ) -> Alignment:
        """Score all shifts of candidate matrices ``(N, C, 2, 2)`` and polish the best ``keep``; the best come first.

        With ``alone`` these count twice, the second time with their shift alone polished.
        """
        scores, shifts = self.score.best_shift(self.score.products(spectrum, matrices), self.grid)
        keep = min(keep, scores.shape[1])
        which = scores.topk(keep, dim=1).indices
        matrices = matrices.gather(1, which[..., None, None].expand(-1, -1, 2, 2))
        shifts = shifts.gather(1, which[..., None].expand(-1, -1, 2))
        ends = [polish(self.score, spectrum, matrices, shifts, step, rounds)]
        if alone:
            ends.append(polish(self.score, spectrum, matrices, shifts, step, rounds, shift_only=True))
        scores, matrices, shifts = (torch.cat(parts, 1) for parts in zip(*ends, strict=True))
        order = scores.argsort(1, descending=True)
        matrices = matrices.gather(1, order[..., None, None].expand(-1, -1, 2, 2))
        shifts = shifts.gather(1, order[..., None].expand(-1, -1, 2))
        return Alignment(matrices, shifts, self._doubted(spectrum, matrices, shifts, scores.gather(1, order)))

    def _doubted(self, spectrum: Spectrum, matrices: Tensor, shifts: Tensor, scores: Tensor) -> Tensor:
        """Scores ``(N, C)``, just below ``accept`` where the message says that the lattice lies elsewhere.

        So it is where somebody took out the pilot and what he left of it adds up at a wrong place.
        """
        if self.message is None or not (scores >= self.accept).any():
            return scores
        wrong = self.message.contradicts(spectrum, matrices, shifts)
        return torch.where(wrong, scores.clamp(max=self.accept - MARGIN), scores)
