"""Blind synchronisation: which affine map took the mark into this picture? The pilot alone answers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce

import numpy as np
import torch
from torch import Tensor, nn

from watermark.synchronization.climbing import polish
from watermark.synchronization.coarse import LogLogSearch, LogPolarSearch, LogSlopeSearch, PowerScore, WeightedLines
from watermark.synchronization.coherent import AllShifts, CoherentScore, half_turned
from watermark.synchronization.geometry import Alignment, Lines, Poses, dihedral
from watermark.synchronization.message import MessageSync
from watermark.synchronization.search import Search
from watermark.synchronization.settings import Pace, SearchSettings
from watermark.synchronization.slant import Slants, SlantSearch
from watermark.synchronization.spectrum import Spectrum


class Synchronizer(nn.Module):
    """Find the pilot in spectra: first where it lies if nothing happened, then everywhere.

    1. ``fast``: the keyed poses under the eight flips and quarter turns, at the likely scales.
    2. ``shifted``: the same scales and turns at any shift, as after a crop.
    3. ``search``: all rotations x scales, all pairs of scales, and all shears x scales. Power alone ranks them, for it
       asks for no shift; at the best cells all shifts are tried, and the best of these polished in six parameters.
    4. Where the pilot is gone but its message is loud: the shifts that the data lines themselves speak for.

    Of lines that carry a message only the power is looked at, and the fourth power, which is the same for every
    message, so the message cannot steer the alignment: however many alignments are tried here, a p-value pays only for
    those at which the message is then read.

    Args:
        pilot: the keyed lines.
        poses: how the plane may lie under a picture that nothing happened to.
        data: lines that carry a message, two signs each: their power helps to find the geometry, and their fourth
            power aligns a message without a pilot.
        data_power: power of one of them relative to a pilot line.
        settings: how far and how finely is searched.
    """

    turns: Tensor
    pose_matrices: Tensor
    pose_phases: Tensor
    pose_shifts: Tensor

    def __init__(
        self,
        pilot: Lines,
        poses: Poses,
        data: Lines | None = None,
        data_power: float = 0.0,
        settings: SearchSettings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or SearchSettings()
        self.accept = self.settings.accept
        self.score = CoherentScore(pilot)
        self.shifts = AllShifts(self.score, self.settings.reach, self.settings.shift_step, self.settings.looked_at)
        self.message: MessageSync | None = None
        lines, weights = pilot.frequencies, np.ones(len(pilot))
        if data is not None and data_power > 0:
            lines = np.concatenate([lines, data.frequencies])
            weights = np.append(weights, np.full(len(data), data_power))
            self.message = MessageSync(data, self.settings)
        known = WeightedLines(lines, weights)
        self.power = PowerScore(known)
        self.log_polar, self.log_log = LogPolarSearch(known, self.settings), LogLogSearch(known, self.settings)
        self.log_slope = LogSlopeSearch(known, self.settings)
        rough = replace(self.settings, shear_step=self.settings.hopeful_shear_step)
        self.rough_slope = LogSlopeSearch(known, rough)
        self.seen_from_aside = SlantSearch(self.power, self.settings)
        self.register_buffer("turns", torch.from_numpy(dihedral()).float(), persistent=False)
        scales, shifts = torch.from_numpy(poses.scales), torch.from_numpy(poses.shifts)
        matrices = self.turns / scales[:, None, None, None].float()  # (S, 8, 2, 2)
        self.register_buffer("pose_matrices", matrices, persistent=False)
        self.register_buffer("pose_shifts", shifts.float(), persistent=False)  # (S, K, 2)
        angle = shifts @ torch.from_numpy(pilot.frequencies).T * (-2 * torch.pi)  # (S, K, M)
        phases = torch.polar(torch.ones_like(angle), angle).to(torch.complex64)
        self.register_buffer("pose_phases", phases.transpose(1, 2).contiguous(), persistent=False)  # (S, M, K)

    def forward(self, spectrum: Spectrum, likely_scales: Sequence[float] = (1.0,)) -> Alignment:
        """Align every map of a batch by the pilot: the best of each, however low its score.

        Args:
            spectrum: of N maps.
            likely_scales: px of the map per px of an unscaled picture, to try first.
        """
        search = Search.started(self.fast(spectrum, likely_scales), self.accept)
        search = self.deepen(search, partial(self.shifted, scale=likely_scales[-1]), spectrum)
        return self.deepen(search, self.search, spectrum).found

    def loudness(self, spectrum: Spectrum, matrices: Tensor, shifts: Tensor) -> Tensor:
        """The pilot's score ``(N, C)`` whichever way up it stands: it is upside down in a negative."""
        return self.score(spectrum, matrices, shifts).abs()

    def deepen(self, before: Search, way: Callable[[Spectrum], Alignment], *spectra: Spectrum) -> Search:
        """Search once more, another way, on the maps that are still in doubt.

        It must beat what fewer trials found by ``margin``, for the best of more is higher by chance.

        Args:
            before: what was found so far in N maps.
            way: the search to do.
            spectra: one or more of the N maps each, in all of which it is done.
        """
        if not len(before.doubtful):
            return before
        best, new = before.found.select(before.doubtful), _in_all(way, [one.select(before.doubtful) for one in spectra])
        better = new.best().score > best.score + self.settings.margin
        best = best.replaced(better, new.best().select(better))
        still = best.score < self.accept
        return Search(
            found=before.found.replaced(before.doubtful, best),
            doubtful=before.doubtful[still],
            candidates=before.candidates.joined(new).select(still),
        )

    def fast(self, spectrum: Spectrum, likely_scales: Sequence[float]) -> Alignment:
        """Try the keyed poses under the eight flips and quarter turns at given scales; candidates ``(N, C)``.

        An untouched picture lies exactly at its pose: where the best is plain, and no step from it adds much, it is
        taken as it stands. Elsewhere the best few count twice: with their shift polished, and, if that is plainly
        better than the pose itself, with all six parameters; a faint pilot follows the noise with them.
        """
        start, settings = self._at_poses(spectrum, likely_scales), self.settings
        best = start.score[:, 0]
        if (best < settings.faint).all():
            return start
        if (best >= settings.plain).all():
            near = self._climbed(spectrum, start.columns(slice(0, 1)), settings.sift_climb)
            if (near.score[:, 0] <= settings.plainly * best).all():
                return start
        whole = self._climbed(spectrum, start, settings.pose_climb)
        alone = self._climbed(spectrum, start, settings.pose_climb, free=slice(4, 6))
        better = whole.score > settings.plainly * start.score
        found = start.replaced(better, Alignment(whole.matrix[better], whole.shift[better], whole.score[better]))
        found = found.joined(alone).top(2 * start.score.shape[1])
        if (found.score[:, 0] < self.accept).all():
            return found
        # a climb may end on a slope beside the truth: it is believed only where no other shift is better, nor one of
        # the half turn, whose pilot has slopes of its own here
        elsewhere, _, _ = self.shifts(self._both_ways(spectrum, found.matrix[:, :1]), 1)
        beaten = (elsewhere > found.score + settings.margin) & (found.score >= self.accept)
        return replace(found, score=torch.where(beaten, self.accept - settings.margin, found.score))

    def _at_poses(self, spectrum: Spectrum, likely_scales: Sequence[float]) -> Alignment:
        """The two best of all poses, by look-ups alone."""
        matrices = self._posed(likely_scales)  # (F, S, 8, 2, 2)
        upright = matrices[:, :, :4].flatten(0, 2).expand(len(spectrum), -1, -1, -1)
        products = self.score.products(spectrum, upright).unflatten(1, (len(likely_scales), -1, 4))  # (N, F, S, 4, M)
        turned = half_turned(products, self.score.symbols)
        sums = (torch.cat([products, turned], 3) @ self.pose_phases).real.abs() * self.score.unit  # (N, F, S, 8, K)
        scores, which = sums.flatten(1).topk(2, dim=1)
        shape = sums.shape[1:]
        pose = which // shape[3]
        shifts = self.pose_shifts[pose // shape[2] % shape[1], which % shape[3]]
        return Alignment(matrices.flatten(0, 2)[pose], shifts, scores)

    def shifted(self, spectrum: Spectrum, scale: float) -> Alignment:
        """Try the poses at any shift, as after a crop of a picture at one scale; candidates ``(N, C)``.

        Poses that a small map does not tell apart are tried once; of a large one those where the lines are loudest.
        """
        posed = self._posed((scale,))[0, :, :4]  # (S, 4, 2, 2)
        spread = math.log(float(self.pose_matrices[0, 0, 0, 0] / self.pose_matrices[-1, 0, 0, 0]))
        width = 2 * self.settings.blur * scale / (max(spectrum.size) / 2)  # of the scales that one stands for
        count = math.ceil(spread / width)
        if count <= self.settings.posed:
            return self._settle(spectrum, _spread(posed, count).flatten(0, 1).expand(len(spectrum), -1, -1, -1))
        matrices = posed.flatten(0, 1).expand(len(spectrum), -1, -1, -1)
        which = self.power(spectrum, matrices).topk(self.settings.loudest, dim=1).indices
        return self._settle(spectrum, matrices.gather(1, which[..., None, None].expand(-1, -1, 2, 2)))

    def search(self, spectrum: Spectrum) -> Alignment:
        """Try rotations, shears and pairs of scales, and the shifts of the best of them; candidates ``(N, C)``."""
        cells, sharp = self._cells(spectrum)
        return self._settle(spectrum, torch.cat([cells, sharp.matrix], 1))

    def search_unaided(self, spectrum: Spectrum) -> Alignment:
        """``search``, also for a message that lost its pilot: what it alone speaks for comes last, at a score of 0."""
        cells, sharp = self._cells(spectrum)
        found = self._settle(spectrum, torch.cat([cells, sharp.matrix], 1))
        if self.message is None:
            return found
        likely = sharp.top(1)
        none = likely.joined(likely)
        none = replace(none, score=torch.full_like(none.score, -torch.inf))
        asked = (likely.score[:, 0] >= self.settings.loud) & (found.score[:, 0] < self.accept)
        if asked.any():
            none = none.replaced(asked, self.message(spectrum.select(asked), likely.matrix[asked]))
        return found.joined(none)

    def slanted(self, maps: Tensor, spectrum: Spectrum, scale: float, thorough: bool) -> Slants:
        """The slants of maps ``(N, 2, H, W)``, where there is hope to read one.

        Args:
            maps: both planes, whitened.
            spectrum: of their sum.
            scale: px of the maps per px of an unscaled picture, if nothing happened.
            thorough: see ``SlantSearch``.
        """
        flat, settings = spectrum.flattened(), self.settings
        searches = (self.rough_slope, *((self.log_polar, self.log_log) if thorough else ()))
        cells = [coarse(flat, settings.slanted_cells, rough=True)[1] for coarse in searches]
        scales = [part * scale for part in settings.slanted_scales]
        posed = _spread(self._posed(scales)[:, :, :4].transpose(0, 1), settings.slanted_poses).flatten(0, 2)
        return self.seen_from_aside(maps, torch.cat([*cells, posed.expand(len(maps), -1, -1, -1)], 1), thorough)

    def straight(self, spectrum: Spectrum, matrices: Tensor) -> Alignment:
        """Align straightened maps from matrices ``(N, 2, 2)``; candidates ``(N, C)``."""
        start = matrices[:, None]
        _, climbed, _ = polish(
            self.power, spectrum, start, torch.zeros_like(start[..., 0]), self.settings.power_climb, free=slice(0, 4)
        )
        return self._settle(spectrum, torch.cat([start, climbed], 1))

    def _cells(self, spectrum: Spectrum) -> tuple[Tensor, Alignment]:
        """The best cells ``(N, C, 2, 2)`` of the coarse searches, and the loudest of them after a climb on power.

        The climb ends at the mark where its lines are loud, and follows the noise where they are not: hence both. The
        score of what it finds is its power; no shift is known yet.
        """
        many, few = self.settings.cells, self.settings.sheared_cells
        searches = ((self.log_polar, many), (self.log_log, many), (self.log_slope, few))
        power, cells = zip(*(coarse(spectrum, keep) for coarse, keep in searches), strict=True)
        matrices = torch.cat(cells, 1)
        start = Alignment(matrices, matrices.new_zeros(*matrices.shape[:2], 2), torch.cat(power, 1))
        start = start.top(self.settings.sharpened)
        climbed = polish(self.power, spectrum, start.matrix, start.shift, self.settings.power_climb, free=slice(0, 4))
        return matrices, Alignment(climbed[1], climbed[2], climbed[0])

    def _posed(self, likely_scales: Sequence[float]) -> Tensor:
        """Matrices ``(F, S, 8, 2, 2)`` of all poses at F scales."""
        scales = self.pose_matrices.new_tensor(list(likely_scales))
        return self.pose_matrices / scales[:, None, None, None, None]

    def peaks(self, spectrum: Spectrum, matrices: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor]:
        """All shifts of matrices ``(N, C, 2, 2)``, and of their half turns: see ``AllShifts``."""
        reach = self._reach(spectrum, matrices).repeat(1, 2, 1)
        return self.shifts(self._both_ways(spectrum, matrices), keep, reach)

    def _settle(self, spectrum: Spectrum, matrices: Tensor) -> Alignment:
        """Try all shifts of matrices ``(N, C, 2, 2)``, and of their half turns, and polish the best."""
        scores, shifts, which = self.peaks(spectrum, matrices, self.settings.sifted)
        chosen = torch.cat([matrices, -matrices], 1).gather(1, which[..., None, None].expand(-1, -1, 2, 2))
        likely = self._climbed(spectrum, Alignment(chosen, shifts, scores), self.settings.sift_climb)
        likely = likely.distinct(spectrum.size, self.settings.apart).top(self.settings.polished)
        return self._climbed(spectrum, likely, self.settings.fine_climb).top(scores.shape[1])

    def _both_ways(self, spectrum: Spectrum, matrices: Tensor) -> Tensor:
        """Products ``(N, 2 C, M)`` at matrices ``(N, C, 2, 2)``, then at their half turns."""
        products = self.score.products(spectrum, matrices)
        return torch.cat([products, half_turned(products, self.score.symbols)], 1)

    def _reach(self, spectrum: Spectrum, matrices: Tensor) -> Tensor:
        """How far ``(N, C, 2)`` the middle of a map may lie from the middle of the plane, in plane px.

        Either the map is a part of a picture that is at most ``longest`` long, or such a picture is a part of the map.
        """
        height, width = spectrum.size
        half = matrices.abs() @ matrices.new_tensor([width / 2, height / 2])
        return self.settings.posed_reach + torch.maximum(self.settings.longest / 2 - half, half)

    def _climbed(self, spectrum: Spectrum, start: Alignment, climb: Pace, free: slice = slice(0, 6)) -> Alignment:
        """Candidates after a climb, in their order; see ``polish``."""
        score, matrix, shift = polish(self.loudness, spectrum, start.matrix, start.shift, climb, free)
        return Alignment(matrix, shift, score)


def _spread(posed: Tensor, count: int) -> Tensor:
    """``count`` of poses in the order of their scales, evenly spread."""
    return posed[torch.linspace(0, len(posed), count + 1)[:-1].add(0.5 * len(posed) / count).long()]


def _in_all(search: Callable[[Spectrum], Alignment], chosen: Sequence[Spectrum]) -> Alignment:
    """One search in several spectra of the same maps at once: their candidates together, the best first."""
    if len(chosen) == 1:
        return search(chosen[0])
    found = search(Spectrum.joined(chosen))
    parts = [found.select(part) for part in torch.arange(len(found.score)).chunk(len(chosen))]
    every = reduce(Alignment.joined, parts)
    return every.top(every.score.shape[1])
