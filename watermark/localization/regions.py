"""From the bits of tiles to scores of regions, each with its own null: what other keys would have given it."""

import math

import torch
import torch.nn.functional as F
from scipy.special import ndtri
from torch import Tensor

SIDES = (3, 5, 7, 9, 13, 17)
"""Of the regions that are looked at, in tiles: 24 to 136 px."""


def box_sum(values: Tensor, side: int) -> Tensor:
    """Sums ``(..., R, Q)`` over squares of ``side`` tiles, cut at the border."""
    summed = values
    for _ in range(2):  # along one side and then the other
        running = F.pad(summed, (side // 2 + 1, side // 2)).cumsum(-1)
        summed = (running[..., side:] - running[..., :-side]).transpose(-1, -2)
    return summed


def region_scores(bits: Tensor, signs: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """What the square around every tile says for a message.

    Args:
        bits: ``(K, R, Q)`` soft bits of tiles.
        signs: ``(K,)`` of -1 and 1, the message.
        side: of the squares, in tiles.

    Returns:
        Correlation and its standard deviation under random signs, ``(R, Q)`` each: their ratio is
        ``detection.null.correlation_score``, with the tail that is proven there for whatever the picture says.
    """
    told = box_sum(torch.einsum("krq,k->rq", bits, signs), side)
    return told, box_sum(bits, side).square().sum(0).sqrt().clamp_min(1e-9)


def threshold(rate: float) -> float:
    """The score that a sum of unit norm of independent random signs reaches with a chance of at most ``rate``.

    The smaller of Hoeffding's bound and that of Bentkus and Dzindzalieta; see ``detection.null``.
    """
    tail = rate * 4 * 0.5 * math.erfc(1.0)  # Q(sqrt 2) = erfc(1) / 2
    return min(math.sqrt(-2 * math.log(rate)), float(-ndtri(tail)))
