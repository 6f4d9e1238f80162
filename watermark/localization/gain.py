"""How loud the mark should be in every tile, learnt from the picture itself: loud and faint tiles apart."""

import torch
from torch import Tensor

from watermark.localization.regions import box_sum

LEVELS = (0.3, 0.6, 1.0, 1.5, 2.2, 3.2, 4.5, 6.5, 10.0, 20.0)
"""Scores of single tiles, were nothing lost, that part them into classes. Quiet tiles should be the loudest;
compression takes the mark from them first."""
LOUDEST = 3.0
"""Such a score that is believed at first."""
STARTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3)
"""Gains that are tried first."""
SCATTER = 0.2
"""Of a marked region's score around what it should be, as a share of that, beside the noise of 1."""
SUPPORTED, FEW = 0.12, 20
"""Share of a class that must carry the mark, and tiles that must, before their absence in the rest says anything."""
UNTOUCHED = 0.45
"""Gain of the loudest supported class from which a tile that shows nothing at all speaks against the mark. Compression
empties flat places, and then loud tiles have lost most of the mark; where they have not, the place was drawn over. Of
three marked photographs the gain was .56 to .67, with a black box in them .48 to .54, after JPEG 75 .07 to .22."""
ROUNDS = 6


def tile_gain(
    told: Tensor, alone: Tensor, response: Tensor, empty: Tensor, region: tuple[Tensor, Tensor], side: int
) -> tuple[Tensor, Tensor]:
    """What to multiply the ``response`` of every tile by to get what a marked tile says.

    Regions are of two kinds, those with the mark, whose scores scatter around what their tiles should say together, and
    those without, around 0. Expectation and maximisation: how likely each region is marked follows from the gains, and
    the gain of every class of tiles from what those say that are likely marked. A class in which next to nothing is
    marked is taken to say what the loudest class does that is supported and should say less. So are empty tiles, but
    only where nothing was compressed (``UNTOUCHED``).

    Args:
        told: ``(R, Q)`` correlation of single tiles.
        alone: its standard deviation under random signs.
        response: correlation that a mark of some strength would add.
        empty: ``(R, Q)`` which tiles show nothing at all.
        region: correlation and deviation of the squares of ``side`` tiles around each.
        side: of these squares.

    Returns:
        The gains ``(R, Q)``, and which of them were learnt from tiles of their own class ``(R, Q)``.
    """
    score, predicted = told / alone, response / alone
    of_region, deviation = region[0] / region[1], region[1]
    capped = (LOUDEST / predicted.clamp_min(1e-6)).clamp(max=1)
    gain, share = _start(of_region, box_sum(response * capped, side) / deviation)
    gains = gain * capped
    level = torch.bucketize(predicted, torch.tensor(LEVELS, device=predicted.device))
    level = level.masked_fill(empty, len(LEVELS) + 1)  # a class of their own
    for _ in range(ROUNDS):
        likely, share = _marked(of_region, box_sum(response * gains, side) / deviation, share)
        gains, learnt = _of_levels(level, likely * ~empty, score, predicted)
    return gains, learnt


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


def _of_levels(level: Tensor, likely: Tensor, score: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """The gain of every tile: of its class where that is supported, else of the next one that should say less."""
    weight, classes = likely.flatten(), len(LEVELS) + 2

    def total(values: Tensor) -> Tensor:
        return torch.zeros(classes, device=level.device).index_add_(0, level.flatten(), values.flatten())

    marked, count = total(weight), total(torch.ones_like(weight))
    wanted = predicted.flatten()
    gain = (total(weight * score.flatten() * wanted) / total(weight * wanted.square()).clamp_min(1e-9)).clamp_min(0)
    says = gain * total(weight * wanted) / marked.clamp_min(1e-9)  # what a marked tile of the class scores
    supported = (marked >= FEW) & (marked >= SUPPORTED * count)
    known = supported.nonzero().flatten().tolist()
    if not known:
        return torch.zeros_like(predicted), supported[level]
    below = [max((k for k in known if k < n), default=None) for n in range(classes)]
    most = torch.tensor([0.0 if k is None else float(says[k]) for k in below], device=level.device)
    if float(gain[known[-1]]) < UNTOUCHED:
        most[-1] = 0.0
    quieter = torch.tensor([k is None for k in below], device=level.device)
    flat = torch.where(quieter[level], gain[known[0]], most[level] / predicted.clamp_min(1e-6))
    return torch.where(supported[level], gain[level], flat), supported[level]
