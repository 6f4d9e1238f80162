"""Follow a mark that bends: align overlapping windows on their own, starting from the alignment of the whole."""

import torch
from torch import Tensor

from watermark.synchronization.climbing import polish
from watermark.synchronization.coherent import Score
from watermark.synchronization.geometry import Alignment
from watermark.synchronization.settings import Pace
from watermark.synchronization.spectrum import Spectrum


def windows(maps: Tensor, parts: tuple[int, int] = (3, 3), share: tuple[int, int] = (2, 2)) -> tuple[Tensor, Tensor]:
    """Cut maps ``(N, H, W)`` into ``parts`` windows down and across, faded out towards their borders.

    Args:
        maps: to be cut.
        parts: how many, at least 2 each way.
        share: how many times as high and as wide as a window a map is.

    Returns:
        The windows ``(N, P, h, w)``, row by row, and where the middle of each lies relative to the middle of the map,
        ``(P, 2)`` px along x and y.
    """
    full = maps.shape[-2:]
    size = tuple(-(-side // each) for side, each in zip(full, share, strict=True))
    stride = tuple((side - part) // (count - 1) for side, part, count in zip(full, size, parts, strict=True))
    cut = maps.unfold(1, size[0], stride[0]).unfold(2, size[1], stride[1])[:, : parts[0], : parts[1]].flatten(1, 2)
    fade = [torch.hann_window(n + 2, periodic=False, device=maps.device)[1:-1].to(maps) for n in size]
    y, x = (
        torch.arange(count, device=maps.device) * step + (part - side) / 2
        for count, step, part, side in zip(parts, stride, size, full, strict=True)
    )
    centres = torch.stack([x.expand(parts[0], -1), y[:, None].expand(-1, parts[1])], -1).flatten(0, 1)
    return cut * fade[0][:, None] * fade[1], centres.to(maps)


def spread_to(alignment: Alignment, centres: Tensor) -> Alignment:
    """The alignments of all windows ``(N * P)`` if the whole is rigid; ``centres`` ``(P, 2)`` come from ``windows``."""
    count = len(centres)
    moved = torch.einsum("nij,pj->npi", alignment.matrix, centres.to(alignment.matrix))
    return Alignment(
        matrix=alignment.matrix.repeat_interleave(count, 0),
        shift=(alignment.shift[:, None] + moved).flatten(0, 1),
        score=alignment.score.repeat_interleave(count, 0),
    )


def follow(score: Score, spectrum: Spectrum, start: Alignment, climb: Pace) -> Alignment:
    """Polish every window on its own.

    Args:
        score: the pilot's.
        spectrum: of ``N * P`` windows.
        start: what ``spread_to`` gives.
        climb: how far the border of a window may move at first, and how often.
    """
    best, matrices, shifts = polish(score, spectrum, start.matrix[:, None], start.shift[:, None], climb)
    return Alignment(matrices[:, 0], shifts[:, 0], best[:, 0])


def joint_score(scores: Tensor, parts: int) -> Tensor:
    """One number ``(N,)`` for windows' scores ``(N * P,)``, comparable with the score of a whole picture.

    Six is taken off each square, which is what polishing six parameters adds where there is no mark.
    """
    return (scores.view(-1, parts).clamp_min(0).square() - 6).clamp_min(0).sum(1).sqrt()
