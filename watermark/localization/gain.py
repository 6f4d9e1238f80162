"""How loud the mark should be in every region, learnt from the picture itself: flat, middling and busy places apart."""

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.localization.tiles import TILE

STRENGTHS = (0.25, 0.5, 0.8, 1.5, 3.0, 6.0)
"""Grey levels of deviation around a tile that part flat from busy places: compression takes that of flat ones first."""
SUPPORTED = 0.12
"""Share of a class that must carry the mark before its absence in the rest of the class says anything."""
LOUD = 1.5
"""Score that a region should have, were it marked, to be counted for that share."""
LEAST = 0.8
"""Share of its class's gain that a marked region has at least, where nothing took it from flat places."""
ROUNDS = 25


def classes_of(plane: Tensor, grid: tuple[int, int]) -> Tensor:
    """``(R, Q)`` int64, the class of every tile of luma ``(h, w)`` in grey levels."""
    pads = (0, grid[1] * TILE - plane.shape[1], 0, grid[0] * TILE - plane.shape[0])
    padded = F.pad(plane[None, None], pads, mode="replicate")
    mean, square = (F.avg_pool2d(each, TILE) for each in (padded, padded.square()))
    deviation = (square - mean.square()).clamp_min(0)
    around = F.avg_pool2d(deviation, 3, 1, 1, count_include_pad=False)[0, 0].sqrt()
    return torch.bucketize(around, torch.tensor(STRENGTHS, device=plane.device))


def fitted_gain(scores: Tensor, predicted: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """What to multiply ``predicted`` scores by, and the least that it may be, ``(R, Q)``; 0 where a class says nothing.

    Regions are of two kinds, those with the mark, whose scores scatter around ``gain * predicted``, and those without,
    around 0. Gain and shares are fitted by expectation and maximisation, first for all tiles and then for each class.
    Compression takes the mark of one flat place and leaves it in the next. Where flat classes have a smaller gain than
    busier ones it was at work, and the absence of the mark says little there.

    Args:
        scores: ``(R, Q)`` of regions.
        predicted: ``(R, Q)`` of the same regions if they carry a mark of some strength.
        classes: ``(R, Q)``.
    """
    start = max(float((scores / predicted.clamp_min(1e-6)).flatten().quantile(0.75)), 1e-3)
    overall, _ = _fit(scores.flatten(), predicted.flatten(), start)
    gain, least, loudest = torch.zeros_like(scores), torch.zeros_like(scores), 0.0
    for number in reversed(range(len(STRENGTHS) + 1)):  # the busiest first
        chosen = classes == number
        if not chosen.any():
            continue
        own, share = _fit(scores[chosen], predicted[chosen], overall)
        if share >= SUPPORTED:
            loudest = max(loudest, own)
            gain[chosen], least[chosen] = own, LEAST * own * (own / loudest) ** 2
    return gain, least


def _fit(scores: Tensor, predicted: Tensor, gain: float) -> tuple[float, float]:
    """Gain of the marked regions, and the share of regions that are marked."""
    share, marked = 0.5, torch.zeros_like(scores)
    for _ in range(ROUNDS):
        wanted = gain * predicted
        odds = (wanted * scores - wanted.square() / 2).clamp(-30, 30).exp() * (share / (1 - share))
        marked = odds / (1 + odds)
        share = float(marked.mean().clamp(0.01, 0.99))
        heard = float((marked * predicted.square()).sum())
        if heard < 1e-9:
            return gain, 0.0
        gain = max(float((marked * predicted * scores).sum()) / heard, 1e-3)
    loud = gain * predicted > LOUD
    return gain, float(marked[loud].mean()) if bool(loud.any()) else 0.0
