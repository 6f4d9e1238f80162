"""How loud the mark should be in every tile, learnt from the picture itself."""

import math

import torch
from torch import Tensor

from watermark.localization.regions import box_sum

LOUDEST = 3.0
"""Score of a single tile, were nothing lost, that is believed at first."""
STARTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3)
"""Gains that are tried first."""
SCATTER = 0.2
"""Of a marked region's score around what it should be, as a share of that, beside the noise of 1."""
USUAL = (-0.3, 0.6, 0.25, -1.5)
"""What the logarithm of the gain gets with each of ``_features`` but the first: after JPEG 75, in 40 photographs."""
BUSY = 12.0
"""Grey levels that the luma swings in a tile from which on it is not emptied, whatever there is beside the mark."""
TRUST = 10.0
"""Squared scores of marked tiles that weigh as much as what is usual."""
GAINS = (-6.0, 0.5)
"""Logarithms of the least gain and the most."""
UNTOUCHED, FEW = 0.45, 0.1
"""Gain of the loudest tiles, and the share of tiles that they are, from which a tile that shows nothing at all speaks
against the mark. Compression empties flat places, and then loud tiles have lost most of the mark; where they have not,
the place was drawn over. In 40 photographs it was .34 to .80, after JPEG 75 .02 to .41."""
ROUNDS, STEPS = 8, 3


def tile_gain(
    told: Tensor,
    alone: Tensor,
    response: Tensor,
    swing: Tensor,
    empty: Tensor,
    region: tuple[Tensor, Tensor],
    side: int,
) -> Tensor:
    """What to multiply the ``response`` of every tile by to get what a marked tile says.

    Compression takes the mark from quiet tiles first, where it should be loudest, and most of all from those that it
    leaves flat. So the logarithm of the gain is linear in a few features of the picture as it is: a tile that can hold
    nothing any more should say nothing. An edited part has no features of its own, and cannot teach its tiles to be
    silent.

    Regions are of two kinds, those with the mark, whose scores scatter around what their tiles should say together, and
    those without, around 0. Expectation and maximisation: how likely each region is marked follows from the gains, and
    the gains from what those say that are likely marked. Empty tiles say nothing, or where nothing was compressed
    (``UNTOUCHED``) what the loudest others do.

    Args:
        told: ``(R, Q)`` correlation of single tiles.
        alone: its standard deviation under random signs.
        response: correlation that a mark of some strength would add.
        swing: ``(R, Q)`` standard deviation of the luma in each tile, grey levels.
        empty: ``(R, Q)`` which tiles show nothing at all.
        region: correlation and deviation of the squares of ``side`` tiles around each.
        side: of these squares.

    Returns:
        The gains ``(R, Q)``.
    """
    score, predicted = told / alone, response / alone
    of_region, deviation = region[0] / region[1], region[1]
    capped = (LOUDEST / predicted.clamp_min(1e-6)).clamp(max=1)
    gain, share = _start(of_region, box_sum(response * capped, side) / deviation)
    gains = gain * capped
    features = _features(predicted, alone / alone[~empty].median(), swing)  # (R, Q, F)
    usual = features.new_tensor([0.0, *USUAL])
    usual[0] = math.log(gain) - (features @ usual).mean()
    slopes = usual
    for _ in range(ROUNDS):
        likely, share = _marked(of_region, box_sum(response * gains, side) / deviation, share)
        weight = likely * ~empty
        for _ in range(STEPS):
            slopes = _nearer(slopes, usual, features, weight, score, predicted)
        gains = _gains(features, slopes).masked_fill(empty, 0)
    if empty.any() and not empty.all():
        loud = ~empty & (predicted >= torch.quantile(predicted[~empty], 1 - FEW))
        if float(gains[loud].median()) >= UNTOUCHED:
            gains[empty] = (gains * predicted)[loud].mean() / predicted[empty].clamp_min(1e-6)
    return gains


def _features(predicted: Tensor, alone: Tensor, swing: Tensor) -> Tensor:
    """Of every tile ``(R, Q, 5)``: 1, how loud the mark should be, what is beside it, both, how flat it is."""
    loud, beside = predicted.clamp(0.1, 30).log(), alone.clamp(0.05, 4).log()
    beside = beside / (1 + (swing / BUSY).square())
    return torch.stack([torch.ones_like(loud), loud, beside, loud * beside, 1 / (1 + 2 * swing)], -1)


def _gains(features: Tensor, slopes: Tensor) -> Tensor:
    return (features @ slopes).clamp(*GAINS).exp()


def _nearer(
    slopes: Tensor, usual: Tensor, features: Tensor, weight: Tensor, score: Tensor, predicted: Tensor
) -> Tensor:
    """One step of Gauss and Newton to the slopes whose scores fit best; all but the first are pulled to the usual."""
    wanted = predicted * _gains(features, slopes)
    change = (features * wanted[..., None]).flatten(0, 1)  # (R Q, F)
    pull = torch.full_like(slopes, TRUST)
    pull[0] = 0.1
    bend = (change * weight.flatten()[:, None]).T @ change + torch.diag(pull)
    pull[0] = 0
    off = (weight * (score - wanted)).flatten()
    step = torch.linalg.solve(bend, off @ change - pull * (slopes - usual))
    return slopes + step / step.abs().amax().clamp_min(1)


def _start(score: Tensor, predicted: Tensor) -> tuple[float, float]:
    """The likeliest gain for all tiles alike, and the share of regions that are marked."""
    found = []
    for gain in STARTS:
        wanted = gain * predicted
        _, share = _marked(score, wanted, 0.7, rounds=5)
        found.append((float((share * _odds(score, wanted) + 1 - share).log().sum()), gain, share))
    _, gain, share = max(found)
    return gain, share


def _marked(score: Tensor, wanted: Tensor, share: float, rounds: int = 3) -> tuple[Tensor, float]:
    """How likely each region is marked, and the share of them that is."""
    odds, likely = _odds(score, wanted), torch.zeros_like(score)
    for _ in range(rounds):
        likely = share * odds / (share * odds + 1 - share)
        share = min(0.99, max(0.02, float(likely.mean())))
    return likely, share


def _odds(score: Tensor, wanted: Tensor) -> Tensor:
    """How much likelier a score is with the mark than without."""
    variance = 1 + (SCATTER * wanted).square()
    log = score.square() / 2 - (score - wanted).square() / (2 * variance) - variance.log() / 2
    return log.clamp(-30, 30).exp()
