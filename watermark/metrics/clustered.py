"""Intervals for rates where one picture was counted more than once.

A photo that was attacked in forty ways is not forty photos. The Korn-Graubard interval measures how much the repeats
agree (the design effect), shrinks n to what the repeats are worth, and takes Clopper-Pearson there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special


@dataclass(frozen=True)
class ClusteredRate:
    """A share of yes answers, with the interval that its pictures (not only its rows) support.

    Attributes:
        successes: rows that say yes.
        n: rows.
        clusters: distinct pictures among them.
        rate: ``successes / n``; NaN where ``n`` is 0.
        low: lower end of the 95 % (or ``confidence``) interval.
        high: upper end.
    """

    successes: int
    n: int
    clusters: int
    rate: float
    low: float
    high: float


def clustered_rate(hits: ArrayLike, clusters: ArrayLike, confidence: float = 0.95) -> ClusteredRate:
    """The rate of ``hits`` with an interval that respects ``clusters``.

    Args:
        hits: ``(n,)`` bool.
        clusters: ``(n,)`` labels, for example the image of each row.
        confidence: coverage, two-sided.

    Returns:
        Korn and Graubard (1998, Survey Methodology 24): Clopper-Pearson at
        ``n_eff = n / deff * (t_{n-1} / t_{c-1})^2``, at most n. Rates of exactly 0 or 1 have no visible design effect,
        so each picture counts once. One row per picture: Clopper-Pearson itself.

    Example:
        >>> found = clustered_rate([1, 1, 1, 0, 0, 0], clusters=[0, 0, 0, 1, 1, 1])  # two pictures, three attacks each
        >>> found.rate, found.clusters
        (0.5, 2)
    """
    hit = np.asarray(hits, dtype=bool)
    _, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    n, count, yes = len(hit), int(inverse.max(initial=-1)) + 1, int(hit.sum())
    if n == 0:
        return ClusteredRate(0, 0, 0, float("nan"), 0.0, 1.0)
    effective = float(n) if count == n else _effective_n(hit, inverse, count, confidence)
    low, high = _beta_interval(yes / n * effective, effective, confidence)
    return ClusteredRate(yes, n, count, yes / n, low, high)


def _effective_n(hit: np.ndarray, inverse: np.ndarray, count: int, confidence: float) -> float:
    n, p = len(hit), hit.mean()
    if count < 2 or p in (0.0, 1.0):
        return float(count)
    totals = np.bincount(inverse, weights=hit - p, minlength=count)
    variance = count / (count - 1) * float(np.sum(totals**2)) / n**2  # linearised, between clusters
    if variance <= 0:
        return float(n)
    t = special.stdtrit([n - 1, count - 1], 0.5 + confidence / 2)
    return float(min(n, max(1.0, p * (1 - p) / variance * (t[0] / t[1]) ** 2)))


def _beta_interval(successes: float, n: float, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low = 0.0 if successes <= 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def supported_rate(n: int, confidence: float = 0.95) -> float:
    """The smallest false-positive rate that ``n`` independent negatives without one alarm can support.

    The upper end of the two-sided Clopper-Pearson interval of ``0 / n``; 1 for no negatives. About ``3.7 / n``.
    """
    return 1.0 if n < 1 else float(1 - ((1 - confidence) / 2) ** (1 / n))


def negatives_needed(rate: float, confidence: float = 0.95) -> int:
    """How many negatives without one alarm it takes to support ``rate``, the inverse of ``supported_rate``."""
    return int(np.ceil(np.log((1 - confidence) / 2) / np.log1p(-rate)))
