"""Seen from aside: a picture in perspective has another affine map at every place; the power in windows tells which.

Any homography is an affine map after ``straight = x / (1 + slant . x)`` (Hartley and Zisserman, Multiple View Geometry,
2.4), so a slant is two numbers more than an affine map has. Over a whole picture they smear every line, and no search
of affine maps finds it. In a window a line stays a line, at the place that the map's derivative there says. The power
of all windows at these places is summed, and climbed in six numbers together. Power knows no phase, so no shift is
needed, and of a message nothing is asked.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.synchronization.climbing import polish
from watermark.synchronization.coarse import PowerScore
from watermark.synchronization.geometry import Alignment
from watermark.synchronization.settings import Pace, SearchSettings
from watermark.synchronization.spectrum import Spectrum
from watermark.synchronization.tracking import windows


@dataclass(frozen=True)
class Slants:
    """The likeliest slant of each of M maps.

    Attributes:
        maps: ``(M,)`` which maps of those that were searched: the hopeful ones.
        slant: ``(M, 2)`` per px from the middle.
        matrix: ``(M, 2, 2)`` plane px per px of the straightened map.
    """

    maps: Tensor
    slant: Tensor
    matrix: Tensor


class Windows:
    """The spectra of overlapping windows of maps, both planes of a map as one.

    Args:
        maps: ``(N, 2, H, W)`` whitened planes.
        parts: windows along each side, of half of it: 2 lie side by side, 3 overlap by half.
    """

    def __init__(self, maps: Tensor, parts: int) -> None:
        self.size = (maps.shape[-2], maps.shape[-1])
        loud = maps.square().mean((2, 3), keepdim=True).sqrt().clamp_min(1e-9)
        cut, self.centres = windows((maps / loud).sum(1), parts)  # (N, P, h, w)
        self.spectrum = Spectrum(cut.flatten(0, 1)).flattened()


class SlantSearch:
    """Find the slants of maps.

    Args:
        power: of the known lines.
        settings: how far and how finely.
    """

    def __init__(self, power: PowerScore, settings: SearchSettings) -> None:
        self.power, self.settings = power, settings

    def __call__(self, maps: Tensor, matrices: Tensor, thorough: bool) -> Slants:
        """Climb from affine maps, with no slant and with one to every side.

        Args:
            maps: ``(N, 2, H, W)`` whitened planes.
            matrices: ``(N, C, 2, 2)`` cells of coarse searches.
            thorough: False: in few windows first, and in more only where these are hopeful.
        """
        settings, which = self.settings, torch.arange(len(maps), device=maps.device)
        cut = Windows(maps, 3 if thorough else 2)
        found = self._climbed(
            cut, self._started(cut, matrices), settings.slant_climb if thorough else settings.few_climb
        )
        if not thorough:
            hopeful = found.score[:, 0] >= settings.worth_more_windows
            which, found = which[hopeful], found.select(hopeful)
            if len(which):
                found = self._climbed(Windows(maps[which], 3), found, settings.slant_climb)
        hopeful = found.score[:, 0] >= settings.hopeful_slant
        best = found.select(hopeful).best()
        return Slants(which[hopeful], slants(best.matrix, best.shift, cut.size), best.matrix)

    def score(self, cut: Windows, matrices: Tensor, bends: Tensor) -> Tensor:
        """Power ``(N, C)`` in all windows at matrices ``(N, C, 2, 2)`` and bends ``(N, C, 2)``, see ``slants``.

        In standard deviations of a map without lines, if windows did not overlap.
        """
        local = matrices[:, :, None] @ derivatives(slants(matrices, bends, cut.size), cut.centres)  # (N, C, P, 2, 2)
        scores = self.power(cut.spectrum, local.transpose(1, 2).flatten(0, 1))  # (N P, C)
        return scores.unflatten(0, (-1, len(cut.centres))).sum(1) / math.sqrt(len(cut.centres))

    def _started(self, cut: Windows, matrices: Tensor) -> Alignment:
        """The best of matrices ``(N, C, 2, 2)`` times slants; what stands for a shift here is a bend."""
        count = self.settings.slant_sides
        angle = torch.arange(count, device=matrices.device) * (2 * math.pi / count)
        around = self.settings.slant * torch.stack([angle.cos(), angle.sin()], -1)
        sides = torch.cat([torch.zeros_like(around[:1]), around])  # (S, 2) times half the longer side
        bends = sides * (max(cut.size) / 2 * matrices.det().abs().sqrt())[..., None, None]  # (N, C, S, 2)
        matrices, bends = matrices[:, :, None].expand(-1, -1, len(sides), -1, -1).flatten(1, 2), bends.flatten(1, 2)
        return Alignment(matrices, bends, self.score(cut, matrices, bends)).top(self.settings.slants_climbed)

    def _climbed(self, cut: Windows, start: Alignment, climb: Pace) -> Alignment:
        score, matrix, bend = polish(self.score, cut, start.matrix, start.shift, climb)
        return Alignment(matrix, bend, score).top(score.shape[1])


def slants(matrices: Tensor, bends: Tensor, size: tuple[int, int]) -> Tensor:
    """Slants ``(..., 2)`` that move the border of a map by ``bends`` ``(..., 2)`` plane px, under ``matrices``."""
    return bends / ((max(size) / 2) ** 2 * matrices.det().abs().sqrt()[..., None])


def derivatives(slant: Tensor, places: Tensor) -> Tensor:
    """Of ``x / (1 + slant . x)`` for slants ``(..., 2)`` at places ``(P, 2)``: ``(..., P, 2, 2)``."""
    depth = (1 + slant @ places.T)[..., None, None]
    return (torch.eye(2).to(slant) * depth - places[:, :, None] * slant[..., None, None, :]) / depth.square()


def straightened(maps: Tensor, slant: Tensor, mode: str = "bicubic") -> Tensor:
    """Maps ``(N, C, H, W)`` as if seen straight on, for slants ``(N, 2)``; zero where nothing was seen.

    The slant's negative undoes it. ``mode`` is that of ``grid_sample``.
    """
    height, width = maps.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=maps.device) - (height - 1) / 2,
        torch.arange(width, device=maps.device) - (width - 1) / 2,
        indexing="ij",
    )
    places = torch.stack([x, y], -1).to(maps)  # (H, W, 2)
    depth = 1 - torch.einsum("hwi,ni->nhw", places, slant.to(maps))
    seen = depth[..., None] > 0
    places = torch.where(seen, places / depth[..., None], 2.0 * max(height, width))
    return F.grid_sample(maps, places / places.new_tensor([width / 2, height / 2]), mode, align_corners=False)
