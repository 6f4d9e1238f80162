"""A threshold from measured negatives, and how low a false-positive rate that many negatives can speak for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest


@dataclass(frozen=True)
class Threshold:
    """A score bound fixed on a calibration split, to be used unchanged on another one.

    Attributes:
        log10_p: call a picture marked if its log10 p is at or below this.
        rate: the false-positive rate that was asked for.
        hits: calibration negatives at or below the threshold.
        negatives: how many calibration negatives there were.
        low: lower end of the 95 % Clopper-Pearson interval of the rate.
        high: its upper end.
    """

    log10_p: float
    rate: float
    hits: int
    negatives: int
    low: float
    high: float


def supported_rate(negatives: int, confidence: float = 0.95) -> float:
    """The smallest false-positive rate that ``negatives`` clean pictures without a hit vouch for (about 3 / n)."""
    if negatives < 1:
        raise ValueError(f"expected at least one negative, got {negatives}")
    return -math.expm1(math.log1p(-confidence) / negatives)


def calibrate(log10_p: Sequence[float] | np.ndarray, rate: float) -> Threshold:
    """The most permissive threshold that at most a share ``rate`` of the negatives passes.

    The promise of ``Detector`` needs no calibration; this one buys back what its union bounds leave unused, at the
    price of holding only for pictures like the negatives.

    Args:
        log10_p: ``(n,)`` scores of unmarked pictures, at most 0 (``Detection.log10_p`` or ``log10_p_expected``).
        rate: wanted false-positive rate, in ``(0, 1)``.

    Raises:
        ValueError: if a score is no log10 p, or if the negatives are too few for the rate.
    """
    scores = np.sort(np.asarray(log10_p, dtype=np.float64))
    if scores.ndim != 1 or len(scores) == 0 or not (scores <= 0).all():
        raise ValueError("expected a list of log10 p-values, each at most 0")
    if not 0 < rate < 1 or supported_rate(len(scores)) > rate:
        raise ValueError(f"{len(scores)} negatives support rates from {supported_rate(len(scores)):.2g}, got {rate:g}")
    allowed = int(rate * len(scores) + 1e-9)
    bound = float(np.nextafter(scores[allowed], -np.inf)) if allowed < len(scores) else 0.0
    hits = int((scores <= bound).sum())
    interval = binomtest(hits, len(scores)).proportion_ci(0.95, "exact")
    return Threshold(bound, rate, hits, len(scores), float(interval.low), float(interval.high))
