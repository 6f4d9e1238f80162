"""Detection rate at a false-positive rate that was measured, with the doubt of both samples in the interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class TprAtFpr:
    """What an empirical threshold gives.

    Attributes:
        threshold: a score above it counts as marked; None where the negatives are too few for the rate.
        tpr: share of positives above it.
        low: lower end of the bootstrap interval over negatives and positives.
        high: upper end.
        fpr: share of the negatives that set the threshold which lie above it; at most the rate asked for.
    """

    threshold: float | None
    tpr: float | None
    low: float | None
    high: float | None
    fpr: float | None


def threshold_at(negatives: ArrayLike, rate: float) -> float | None:
    """The lowest threshold that at most ``rate`` of the negatives exceed, or None where ``1 / rate`` > n.

    Args:
        negatives: ``(n,)`` scores of unmarked pictures, higher is more like a mark.
        rate: false-positive rate in (0, 1).
    """
    scores = np.sort(np.asarray(negatives, dtype=float))[::-1]
    if len(scores) * rate < 1:
        return None
    return float(scores[int(np.floor(len(scores) * rate))])


def tpr_at_fpr(
    positives: ArrayLike,
    negatives: ArrayLike,
    rate: float,
    positive_clusters: ArrayLike | None = None,
    negative_clusters: ArrayLike | None = None,
    draws: int = 500,
    seed: int = 0,
) -> TprAtFpr:
    """True-positive rate at a threshold that the given negatives set.

    Args:
        positives: ``(p,)`` scores of marked pictures, higher is more like a mark.
        negatives: ``(n,)`` scores of unmarked pictures.
        rate: false-positive rate asked for.
        positive_clusters: ``(p,)`` picture of each positive; None: each its own.
        negative_clusters: ``(n,)`` picture of each negative; None: each its own.
        draws: bootstrap draws; each resamples whole pictures of both samples and sets its own threshold.
        seed: of the draws.

    Returns:
        The rate with a 95 % percentile interval; all None where ``negatives`` cannot support ``rate``.
    """
    pos, neg = np.asarray(positives, dtype=float), np.asarray(negatives, dtype=float)
    threshold = threshold_at(neg, rate)
    if threshold is None or len(pos) == 0:
        return TprAtFpr(None, None, None, None, None)
    rng = np.random.default_rng(seed)
    pos_groups = _labels(positive_clusters, len(pos))
    neg_groups = _labels(negative_clusters, len(neg))
    order = np.argsort(-neg, kind="stable")
    neg, neg_groups = neg[order], neg_groups[order]
    rates = []
    for _ in range(draws):
        weight = _resample(rng, neg_groups)
        above = np.searchsorted(np.cumsum(weight), np.floor(weight.sum() * rate), side="right")
        if above < len(neg) and weight.sum() > 0:
            picked = _resample(rng, pos_groups)
            rates.append(float(np.average(pos > neg[above], weights=picked)))
    low, high = np.quantile(rates, [0.025, 0.975])
    tpr, fpr = float(np.mean(pos > threshold)), float(np.mean(neg > threshold))
    return TprAtFpr(threshold, tpr, float(low), float(high), fpr)


def _labels(clusters: ArrayLike | None, n: int) -> np.ndarray:
    return np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]


def _resample(rng: np.random.Generator, groups: np.ndarray) -> np.ndarray:
    """How often each row is drawn when whole pictures are drawn with replacement."""
    count = int(groups.max()) + 1
    return np.bincount(rng.integers(0, count, count), minlength=count)[groups]


def auc(positives: ArrayLike, negatives: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties counted half.

    Returns:
        NaN where one of the two samples is empty.

    Example:
        >>> float(auc(positives=[3.0, 4.0], negatives=[1.0, 3.5]))
        0.75
    """
    pos, neg = np.asarray(positives, dtype=float), np.asarray(negatives, dtype=float)
    if len(pos) == 0 or len(neg) == 0:
        return float("nan")
    return float(stats.mannwhitneyu(pos, neg).statistic) / (len(pos) * len(neg))
