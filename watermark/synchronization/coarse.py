"""Find rotation and scale, two scales, or shear and scale, before the shift: slide the lines over a resampled spectrum.

Rotating and scaling a picture moves every line by the same vector in (angle, log radius); stretching it moves every
line by the same vector in (log x, log y), shearing and scaling it in (log x, y / x). So the power on all lines, at
every cell of a dense raster of geometries, is one correlation of the resampled spectrum with a picture of the lines,
done by FFT. Power does not ask for phases, so lines that carry an unknown message help too, and no shift has to be
known.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor, nn

from watermark.synchronization.settings import OFF_AXIS, SearchSettings
from watermark.synchronization.spectrum import Spectrum, raster

STEEPEST = 1.2
"""Slope y / x of a line beyond which it has no place in a log-slope spectrum; more than half of the lines have one."""
BLOCK = 5
"""Cells a side of which one peak is taken, as wide as what ``_peaks`` calls local."""


@dataclass(frozen=True)
class WeightedLines:
    """Lines whose power is summed.

    Attributes:
        frequencies: ``(L, 2)`` float64, cycles per plane px.
        weights: ``(L,)`` float, proportional to the power that each line is embedded with.
    """

    frequencies: np.ndarray
    weights: np.ndarray

    def normalised(self) -> Tensor:
        """Weights that give a sum over unmarked lines unit variance."""
        return torch.from_numpy(self.weights / np.sqrt(np.square(self.weights).sum())).float()

    def off_axis(self, least: float) -> "WeightedLines":
        """Those of which both components are at least ``least`` cycles per px: others have no place in log-log."""
        kept = np.abs(self.frequencies).min(1) >= least
        return WeightedLines(self.frequencies[kept], self.weights[kept])


class PowerScore(nn.Module):
    """The same sum at any matrices, to climb on from a cell; a shift makes no difference to it.

    Args:
        lines: what is summed.
    """

    frequencies: Tensor
    weights: Tensor

    def __init__(self, lines: WeightedLines) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.from_numpy(lines.frequencies).float(), persistent=False)
        self.register_buffer("weights", lines.normalised(), persistent=False)

    def forward(self, spectrum: Spectrum, matrices: Tensor, shifts: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Scores ``(N, C)`` of matrices ``(N, C, 2, 2)``."""
        places = torch.einsum("ncji,lj->ncli", matrices, self.frequencies)
        return _excess(spectrum.power(places)) @ self.weights


class LogPolarSearch(nn.Module):
    """All rotations, mirrored or not, times all scales of a range.

    Args:
        lines: what to look for.
        settings: how far and how finely.
    """

    template: Tensor
    places: Tensor

    def __init__(self, lines: WeightedLines, settings: SearchSettings) -> None:
        super().__init__()
        scales = settings.scales
        self.turns = round(180 / settings.angle_step)
        self.step = math.log1p(settings.scale_step)
        numbers = torch.from_numpy(lines.frequencies).double()
        radius, angle = numbers.norm(dim=1).log(), torch.atan2(numbers[:, 1], numbers[:, 0])
        weight = lines.normalised()
        self.first = math.log(scales[0])
        self.count = math.ceil((math.log(scales[1]) - self.first) / self.step) + 1
        # at scale s a line lies at log radius - log s; the raster starts at the smallest that occurs
        start = float(radius.min()) - self.first - self.step * (self.count - 1)
        width = self.count + math.ceil(float(radius.max() - radius.min()) / self.step) + 1
        self.columns = next_fast_len(width, real=True)
        column = ((radius - radius.min()) / self.step).round().long()
        template = torch.zeros(2, self.turns, self.columns)
        for mirrored, sign in enumerate((1, -1)):
            row = (sign * angle * self.turns / math.pi).round().long() % self.turns
            template[mirrored].index_put_((row, column), weight, accumulate=True)
        self.register_buffer("template", _conjugate(template), persistent=False)
        rows = torch.arange(self.turns) * math.pi / self.turns
        radii = torch.exp(start + self.step * torch.arange(self.columns, dtype=torch.float64))
        direction = torch.stack([rows.cos(), rows.sin()], -1)  # (turns, 2)
        self.register_buffer("places", raster(direction[:, None] * radii[:, None]), persistent=False)

    def forward(self, spectrum: Spectrum, keep: int, rough: bool = False) -> tuple[Tensor, Tensor]:
        """The ``keep`` best cells of each map: incoherent scores ``(N, keep)`` and matrices ``(N, keep, 2, 2)``.

        ``rough`` takes the best of blocks of cells in the place of local maxima: faster, and two may share a peak.
        """
        power = _excess(spectrum.power_on(self.places))  # (N, turns, columns)
        product = torch.fft.rfft2(power)[:, None] * self.template
        scores = torch.fft.irfft2(product, s=(self.turns, self.columns))[..., : self.count]  # (N, 2, turns, count)
        values, (mirrored, turn, cell) = (_of_blocks if rough else _peaks)(scores, keep)
        angle = -turn * (math.pi / self.turns)  # angle of the plane = picture angle - turn
        # the column offset counts from the largest scale down
        scale = torch.exp(self.first + self.step * (self.count - 1 - cell))
        cosine, sine = angle.cos() / scale, angle.sin() / scale
        sign = 1 - 2 * mirrored.to(angle.dtype)
        rows = [torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1) * sign[..., None]]
        return values, torch.stack(rows, -2)


class LogLogSearch(nn.Module):
    """All pairs of horizontal and vertical scale with a bounded ratio, for the eight flips and quarter turns.

    Args:
        lines: what to look for; those close to an axis are left out.
        settings: how far and how finely.
    """

    template: Tensor
    places: Tensor
    allowed: Tensor
    poses: Tensor

    def __init__(self, lines: WeightedLines, settings: SearchSettings) -> None:
        super().__init__()
        lines, scales = lines.off_axis(OFF_AXIS), settings.scales
        self.step = math.log1p(settings.stretch_step)
        numbers = torch.from_numpy(lines.frequencies).double()
        logs = numbers.abs().log()  # (M, 2)
        self.first = math.log(scales[0])
        self.count = math.ceil((math.log(scales[1]) - self.first) / self.step) + 1
        low = float(logs.min())
        width = self.count + math.ceil(float(logs.max() - low) / self.step) + 1
        self.side = next_fast_len(width, real=True)
        cells = ((logs - low) / self.step).round().long()
        quadrant = (numbers[:, 0] * numbers[:, 1] < 0).long()
        # order: as embedded, mirrored, turned a quarter, turned and mirrored
        template = torch.zeros(4, 2, self.side, self.side)  # (pose, quadrant, y, x)
        weight = lines.normalised()
        for pose in range(4):
            row, column = (cells[:, 0], cells[:, 1]) if pose >= 2 else (cells[:, 1], cells[:, 0])
            template[pose].index_put_((quadrant ^ (pose % 2), row, column), weight, accumulate=True)
        self.register_buffer("template", _conjugate(template), persistent=False)
        start = low - self.first - self.step * (self.count - 1)
        axis = torch.exp(start + self.step * torch.arange(self.side, dtype=torch.float64))
        x, y = axis[None, :].expand(self.side, -1), axis[:, None].expand(-1, self.side)
        places = torch.cat([torch.stack([x, y], -1), torch.stack([x, -y], -1)])  # (2 side, side, 2)
        self.register_buffer("places", raster(places), persistent=False)
        cell = torch.arange(self.count)
        allowed = (cell[:, None] - cell).abs() * self.step <= math.log(settings.aspect) + 1e-9
        self.register_buffer("allowed", allowed, persistent=False)
        poses = torch.tensor([[[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, 1], [-1, 0]]])
        self.register_buffer("poses", poses.float(), persistent=False)

    def forward(self, spectrum: Spectrum, keep: int, rough: bool = False) -> tuple[Tensor, Tensor]:
        """The ``keep`` best cells of each map: incoherent scores ``(N, keep)`` and matrices ``(N, keep, 2, 2)``.

        ``rough`` takes the best of blocks of cells in the place of local maxima: faster, and two may share a peak.
        """
        power = _excess(spectrum.power_on(self.places).unflatten(1, (2, self.side)))  # (N, 2, side, side)
        one, other = torch.fft.rfft2(power).unbind(1)  # (N, side, side / 2 + 1) of each quadrant
        scores = power.new_empty(len(power), len(self.template), self.count, self.count)
        for number, (upright, mirrored) in enumerate(self.template):  # one at a time stays in the cache
            product = torch.addcmul(one * upright, other, mirrored)
            wanted = torch.fft.ifft(product, dim=-2)[:, : self.count]  # of the others nothing is asked
            scores[:, number] = torch.fft.irfft(wanted, n=self.side, dim=-1)[..., : self.count]
        scores.masked_fill_(~self.allowed, -math.inf)
        values, (pose, row, column) = (_of_blocks if rough else _peaks)(scores, keep)
        scale = torch.exp(self.first + self.step * (self.count - 1 - torch.stack([column, row], -1)))
        return values, self.poses[pose] / scale[..., None, :]


class LogSlopeSearch(nn.Module):
    """All shears along x or along y times all scales of a range, for the eight flips and quarter turns.

    Args:
        lines: what to look for; those steeper than ``STEEPEST`` are left out.
        settings: how far and how finely.
    """

    template: Tensor
    places: Tensor
    poses: Tensor

    def __init__(self, lines: WeightedLines, settings: SearchSettings) -> None:
        super().__init__()
        self.step, self.least = settings.shear_step, -settings.shear
        self.first = math.log(settings.sheared_scales[0])
        self.shears = math.ceil(2 * settings.shear / self.step) + 1
        self.scales = math.ceil((math.log(settings.sheared_scales[1]) - self.first) / self.step) + 1
        poses = torch.tensor([[[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, 1], [-1, 0]]]).double()
        turned = torch.einsum("pji,lj->pli", poses, torch.from_numpy(lines.frequencies).double())  # (4, L, 2)
        slopes, logs = turned[..., 1] / turned[..., 0], turned[..., 0].abs().log()
        kept = slopes.abs() <= STEEPEST
        low, high = float(logs[kept].min()), float(logs[kept].max())
        self.rows = next_fast_len(self.shears + math.ceil(2 * STEEPEST / self.step), real=True)
        self.columns = next_fast_len(self.scales + math.ceil((high - low) / self.step), real=True)
        template = torch.zeros(4, self.rows, self.columns)
        for pose in range(4):
            own = kept[pose]
            row = ((slopes[pose, own] + STEEPEST) / self.step).round().long()
            column = ((logs[pose, own] - low) / self.step).round().long()
            weights = WeightedLines(lines.frequencies[own.numpy()], lines.weights[own.numpy()]).normalised()
            template[pose].index_put_((row, column), weights, accumulate=True)
        self.register_buffer("template", _conjugate(template), persistent=False)
        start = low - self.first - self.step * (self.scales - 1)
        x = torch.exp(start + self.step * torch.arange(self.columns, dtype=torch.float64))
        slope = self.least - STEEPEST + self.step * torch.arange(self.rows, dtype=torch.float64)
        along_x = torch.stack([x.expand(self.rows, -1), x * slope[:, None]], -1)  # (rows, columns, 2)
        self.register_buffer("places", raster(torch.cat([along_x, along_x.flip(-1)])), persistent=False)
        self.register_buffer("poses", poses.float(), persistent=False)

    def forward(self, spectrum: Spectrum, keep: int, rough: bool = False) -> tuple[Tensor, Tensor]:
        """The ``keep`` best cells of each map: incoherent scores ``(N, keep)`` and matrices ``(N, keep, 2, 2)``.

        ``rough`` takes the best of blocks of cells in the place of local maxima: faster, and two may share a peak.
        """
        power = _excess(spectrum.power_on(self.places).unflatten(1, (2, self.rows)))  # (N, 2, rows, columns)
        product = torch.fft.rfft2(power)[:, :, None] * self.template  # (N, 2, 4, rows, columns / 2 + 1)
        rows = torch.fft.ifft(product, dim=-2)[..., : self.shears, :]  # of the others nothing is asked
        scores = torch.fft.irfft(rows, n=self.columns, dim=-1)[..., : self.scales].flatten(1, 2)
        values, (which, row, column) = (_of_blocks if rough else _peaks)(scores, keep)
        shear = self.least + self.step * row
        ones, none = torch.ones_like(shear), torch.zeros_like(shear)
        sheared = torch.stack([torch.stack([ones, shear], -1), torch.stack([none, ones], -1)], -2)
        scale = torch.exp(self.first + self.step * (self.scales - 1 - column))
        matrices = self.poses[which % 4] @ sheared / scale[..., None, None]
        return values, torch.where((which >= 4)[..., None, None], matrices.flip(-1), matrices)  # x and y swapped


def _conjugate(template: Tensor) -> Tensor:
    """The conjugate transform of a template, at once: taken along with every product it would cost more than these."""
    return torch.fft.rfft2(template).conj().resolve_conj()


def _excess(power: Tensor) -> Tensor:
    """Power above its expectation of 1; places beyond Nyquist, which read 0, say nothing."""
    return torch.where(power > 0, power - 1, 0)


def _peaks(scores: Tensor, keep: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The largest local maxima of ``(N, P, R, C)``: values ``(N, keep)`` and their three indices."""
    highest = _highest_around(_highest_around(scores, 2), 3)
    peaks = torch.where(scores == highest, scores, -math.inf).flatten(1)
    values, index = peaks.topk(keep, dim=1)
    rows, columns = scores.shape[-2:]
    return values, (index // (rows * columns), index // columns % rows, index % columns)


def _highest_around(scores: Tensor, dim: int) -> Tensor:
    """The largest of ``BLOCK`` neighbours along a dimension, itself in the middle: pooling of one line is slower."""
    count, reach = scores.shape[dim], BLOCK // 2
    border = scores.new_full(scores.narrow(dim, 0, 1).shape, -math.inf).repeat_interleave(reach, dim)
    padded = torch.cat([border, scores, border], dim)
    return reduce(torch.maximum, (padded.narrow(dim, start, count) for start in range(BLOCK)))


def _of_blocks(scores: Tensor, keep: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The largest of ``(N, P, R, C)``, at most one of each block of cells: as ``_peaks`` answers."""
    rows, columns = scores.shape[-2:]
    padded = F.pad(scores, (0, -columns % BLOCK, 0, -rows % BLOCK), value=-math.inf)
    blocks = reduce(torch.maximum, (padded[..., first::BLOCK, :] for first in range(BLOCK)))
    blocks = reduce(torch.maximum, (blocks[..., first::BLOCK] for first in range(BLOCK)))  # (N, P, R / B, C / B)
    _, index = blocks.flatten(1).topk(keep, dim=1)
    high, wide = blocks.shape[-2:]
    plane, top, left = index // (high * wide), index // wide % high * BLOCK, index % wide * BLOCK
    step = torch.arange(BLOCK, device=scores.device)
    image = torch.arange(len(scores), device=scores.device)[:, None, None, None]
    cells = padded[
        image, plane[..., None, None], top[..., None, None] + step[:, None], left[..., None, None] + step
    ]  # (N, keep, B, B)
    values, inside = cells.flatten(2).max(2)
    return values, (plane, top + inside // BLOCK, left + inside % BLOCK)
