"""Follow a mark that bends: align overlapping windows on their own, starting from the alignment of the whole."""

import torch
from torch import Tensor

from watermark.synchronization.climbing import polish
from watermark.synchronization.coherent import Score
from watermark.synchronization.geometry import Alignment
from watermark.synchronization.settings import Pace
from watermark.synchronization.spectrum import Spectrum


def windows(maps: Tensor, parts: int = 3) -> tuple[Tensor, Tensor]:
    """Cut maps ``(N, H, W)`` into ``parts`` x ``parts`` windows of half their sides, faded out towards their borders.

    Returns:
        The windows ``(N, parts * parts, h, w)``, and where the middle of each lies relative to the middle of
        the map, ``(parts * parts, 2)`` px along x and y.
    """
    height, width = maps.shape[-2:]
    size = ((height + 1) // 2, (width + 1) // 2)
    stride = tuple((full - part) // (parts - 1) for full, part in zip((height, width), size, strict=True))
    cut = maps.unfold(1, size[0], stride[0]).unfold(2, size[1], stride[1])[:, :parts, :parts].flatten(1, 2)
    fade = [torch.hann_window(n + 2, periodic=False, device=maps.device)[1:-1].to(maps) for n in size]
    step = torch.arange(parts, device=maps.device)
    y, x = (step * stride[i] + (size[i] - full) / 2 for i, full in enumerate((height, width)))
    centres = torch.stack([x.expand(parts, -1), y[:, None].expand(-1, parts)], -1).flatten(0, 1)
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
