"""One picture read under many keys: what does not depend on the key is computed once.

Whitening, Fourier transforms and the resampled power maps of the coarse searches are the same for every key; pilots,
templates and message lines are not. The answers are those of ``TileSpread.read`` key by key (``check`` compares them);
the price of an unmarked picture per key falls to about a third.

    python results/published/tile-spread/many_keys.py --images DIR --count 3      # compares, and says what it costs
"""

import argparse
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.config import build_named
from watermark.schemes.base import Readout
from watermark.schemes.tile_spread import BENDABLE, CANONICAL, ENOUGH
from watermark.synchronization import Alignment, Spectrum, Synchronizer, follow, joint_score, spread_to, windows
from watermark.synchronization.coarse import LogPolarSearch, _excess
from watermark.synchronization.coherent import LIMIT


class KeyedSpectrum(Spectrum):
    """One spectrum seen by several keys: a batch whose rows share one grid, and which key each row belongs to."""

    def __init__(self, one: Spectrum, keys: Tensor) -> None:
        self.one, self.keys, self.size = one, keys, one.size
        self._rows, self._columns = one._rows, one._columns
        self._grid = one._grid.expand(len(keys), -1, -1)

    def select(self, keep: Tensor) -> "KeyedSpectrum":
        return KeyedSpectrum(self.one, self.keys[keep])


class ManyPilots(torch.nn.Module):
    """``CoherentScore`` with another pilot in every row."""

    def __init__(self, scores: list) -> None:
        super().__init__()
        self.scores, self.tile, self._scale = scores, scores[0].tile, scores[0]._scale
        self.lines = torch.stack([score.lines for score in scores])  # (K, M, 2)
        self.symbols = torch.stack([score.symbols for score in scores])

    def best_of(self, spectrum: KeyedSpectrum, matrices: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """Scores and shifts of candidate matrices, key by key (many candidates at once are a lot of memory)."""
        parts = []
        for key, row in zip(spectrum.keys.tolist(), matrices, strict=True):
            score = self.scores[key]
            parts.append(score.best_shift(score.products(spectrum.one, row[None]), grid))
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    def forward(self, spectrum: KeyedSpectrum, matrices: Tensor, shifts: Tensor) -> Tensor:
        lines = self.lines[spectrum.keys]
        found = spectrum.at(torch.einsum("ncji,nlj->ncli", matrices, lines) / self.tile)
        found = (
            found * (LIMIT / found.abs().clamp_min(1e-12)).clamp(max=1) * self.symbols[spectrum.keys].conj()[:, None]
        )
        angle = shifts @ lines.mT * (2 * math.pi / self.tile)
        return (found.real * angle.cos() + found.imag * angle.sin()).sum(-1) * self._scale


class ManySynchronizer(Synchronizer):
    """The blind search for many pilots in one picture."""

    def __init__(self, parts: list[Synchronizer]) -> None:
        torch.nn.Module.__init__(self)
        self.parts, first = parts, parts[0]
        for name in ("accept", "candidates", "finalists", "grid", "poses", "nudges"):
            setattr(self, name, getattr(first, name))
        self.score = ManyPilots([part.score for part in parts])

    def search(self, spectrum: KeyedSpectrum) -> Alignment:
        found = [self._cells(number, spectrum) for number in range(2)]
        matrices = torch.cat(found, 1)
        matrices = (self.nudges @ matrices[:, :, None]).flatten(1, 2)
        return self._settle(spectrum, matrices, keep=self.finalists, step=1.5, rounds=10)

    def _cells(self, number: int, spectrum: KeyedSpectrum) -> Tensor:
        """Matrices ``(N, keep, 2, 2)`` of the best cells of one coarse search; the power map is transformed once."""
        first = self.parts[0].coarse[number]
        power = _excess(spectrum.one.power(first.places))
        polar = isinstance(first, LogPolarSearch)
        look = torch.fft.rfft2(power if polar else power.unflatten(1, (2, first.side)))[:, None]
        side = (first.turns, first.columns) if polar else (first.side, first.side)
        cells = []
        for key in spectrum.keys.tolist():
            template = self.parts[key].coarse[number].template
            scores = torch.fft.irfft2(look * template if polar else (look * template).sum(2), s=side)
            scores = scores[..., : first.count] if polar else scores[..., : first.count, : first.count]
            scores = scores if polar else scores.masked_fill(~first.allowed, -math.inf)
            cells.append(_peaks(scores, self.candidates))
        pose, row, column = (torch.cat(part) for part in zip(*cells, strict=True))
        if polar:
            angle, scale = (
                -row * (math.pi / first.turns),
                torch.exp(first.first + first.step * (first.count - 1 - column)),
            )
            cosine, sine, sign = angle.cos() / scale, angle.sin() / scale, 1 - 2 * pose.to(angle.dtype)
            rows = [torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1) * sign[..., None]]
            return torch.stack(rows, -2)
        scale = torch.exp(first.first + first.step * (first.count - 1 - torch.stack([column, row], -1)))
        return first.poses[pose] / scale[..., None, :]

    def _settle(self, spectrum, matrices, keep, step, rounds, upright=False):
        self.score.products = lambda spectrum, matrices: (spectrum, matrices)
        self.score.best_shift = lambda pair, grid: self.score.best_of(*pair, grid)
        return super()._settle(spectrum, matrices, keep, step, rounds, upright)


def _peaks(scores: Tensor, keep: int, looked_at: int = 1500) -> tuple[Tensor, Tensor, Tensor]:
    """``coarse._peaks`` for one map ``(1, P, R, C)``, which looks for maxima among the highest cells only."""
    _, rows, columns = scores.shape[1:]
    padded = F.pad(scores[0], (2, 2, 2, 2), value=-math.inf)
    values, index = scores.flatten().topk(min(looked_at, scores.numel()))
    place, row, column = index // (rows * columns), index // columns % rows, index % columns
    near = torch.arange(5)
    around = padded[place[:, None, None], row[:, None, None] + near[:, None], column[:, None, None] + near]
    peak = values == around.amax((1, 2))
    if peak.sum() < keep and looked_at < scores.numel():
        return _peaks(scores, keep, 10 * looked_at)
    chosen = peak.nonzero()[:keep, 0]
    return place[chosen][None], row[chosen][None], column[chosen][None]


def _windows(maps: Tensor) -> tuple[list[Spectrum], Tensor]:
    """The overlapping windows in which ``TileSpread._read_bent`` looks, both planes, and their centres."""
    cut, centres = windows(maps.flatten(0, 1))
    return [Spectrum(plane) for plane in cut], centres


class ManyKeys:
    """``tile_spread`` under many keys.

    Args:
        keys: of the schemes.
        name: of the scheme's configuration.
    """

    def __init__(self, keys: list[str], name: str = "tile_spread") -> None:
        self.schemes = [build_named("scheme", name, key=key) for key in keys]
        self.synchronizer = ManySynchronizer([scheme.synchronizer for scheme in self.schemes])

    @torch.no_grad()
    def read(self, picture: Tensor) -> list[Readout]:
        """One picture ``(1, 3, H, W)``, one readout per key; follows ``TileSpread.read`` line by line."""
        first, sync, every = self.schemes[0], self.synchronizer, torch.arange(len(self.schemes))
        planes, shrink = first._planes(picture)
        maps = torch.stack([first.whiten(planes[:, 0]), first.whiten(planes[:, 1])])
        one, other = Spectrum(maps[0]), Spectrum(maps[1])
        short = min(one.size) / CANONICAL
        scales = (short,) if short >= 1 and shrink == 1 else (short, 1.0)
        candidates = sync.fast(KeyedSpectrum(one, every), scales)
        faint = candidates.best().score < ENOUGH
        clear = {key: candidates.best().select([key]) for key in (~faint).nonzero()[:, 0].tolist()}
        answers = {key: Readout.of(self.schemes[key]._soft_bits(one, found)) for key, found in clear.items()}
        if faint.any():
            luma, both = KeyedSpectrum(one, every[faint]), KeyedSpectrum(one.plus(other), every[faint])
            stages = ((both, lambda part: sync.fast(part, scales)), (luma, sync.search), (both, sync.search))
            found, doubtful, rest = sync.deepen(candidates.select(faint), stages)
            cut = None
            where = {row: place for place, row in enumerate(doubtful.tolist())}
            for row, key in enumerate(every[faint].tolist()):
                others = rest.select([where[row]]) if row in where else None
                bends = bool(BENDABLE < found.score[row] < ENOUGH)
                cut = _windows(maps) if bends and cut is None else cut
                answers[key] = self._faint(
                    self.schemes[key], (one, other), cut if bends else None, found.select([row]), others, rest
                )
        return [answers[key] for key in every.tolist()]

    def _faint(self, scheme, planes, cut, found: Alignment, rest: Alignment | None, like: Alignment) -> Readout:
        """The end of ``TileSpread._read_faint`` for one key."""
        logits = sum(scheme._soft_bits(plane, found) for plane in planes)
        others = logits.new_zeros(1, like.score.shape[1] + 1, logits.shape[1])
        if rest is not None:
            others[:, 1:] = sum(scheme._soft_bits(plane, rest) for plane in planes)
        if cut is not None:
            pair, centres = cut
            local = follow(scheme.synchronizer.score, pair[0], spread_to(found, centres))
            soft = sum(scheme._soft_bits(plane, local) for plane in pair).sum(0, keepdim=True)
            better = (joint_score(local.score, len(centres)) > 1.1 * found.score)[:, None]
            others[:, 0] = torch.where(better, logits, soft)
            logits = torch.where(better, soft, logits)
        return Readout.of(logits, others)


def check(folder: Path, count: int, keys: int = 8) -> None:
    """Compare with ``decode`` key by key."""
    from measure import attack_cells, attacked, load

    many = ManyKeys([f"check {number}" for number in range(keys)])
    cells = [cell for cell in attack_cells("tile_spread", []) if cell.name in {"identity", "jpeg", "crop", "rotation"}]
    same, seconds, trials = 0, [0.0, 0.0], 0
    for path in sorted(folder.glob("*.png"))[:count] or sorted(folder.glob("*.webp"))[:count]:
        for cell in cells[::2]:
            picture = attacked(cell, load(path), path.name)
            started = time.process_time()
            answers = many.read(picture)
            seconds[0] += time.process_time() - started
            for scheme, answer in zip(many.schemes, answers, strict=True):
                started = time.process_time()
                alone = scheme.decode(picture)
                seconds[1] += time.process_time() - started
                equal = torch.allclose(alone.logits, answer.logits, atol=1e-3, rtol=1e-3)
                same, trials = (
                    same + (equal and torch.allclose(alone.others, answer.others, atol=1e-3, rtol=1e-3)),
                    trials + 1,
                )
    print(
        f"{same} of {trials} readings equal; CPU s per key: {seconds[0] / trials:.3f} together, {seconds[1] / trials:.3f} alone"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3)
    torch.set_num_threads(1)
    arguments = parser.parse_args()
    check(arguments.images, arguments.count)
