"""Is one scheme better than another on the same pictures, or can nobody tell?"""

import itertools

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

EXACT_UP_TO = 14
"""Pictures with a difference up to which all ``2^n`` sign patterns are counted instead of drawn."""
LARGE = 500
"""Pictures from which the normal law gives the same answers as drawing, without the wait."""


def sign_flip(differences: ArrayLike, draws: int = 19_999, seed: int = 0) -> float:
    """Two-sided sign-flip test that paired differences are centred on zero.

    The clustered form of McNemar: one difference per picture, however many rungs went into it. For differences in
    {-1, 0, 1} it is McNemar's exact test. Exact up to 14 pictures with a difference, drawn up to 500, then normal.

    Args:
        differences: ``(n,)`` one number per picture.
        draws: random sign patterns where there are too many to count.
        seed: of those patterns.

    Example:
        >>> sign_flip([1, 1, 1, 1, 1, 1])  # six pictures, all better: two of the 2^6 sign patterns say as much
        0.03125
    """
    d = np.asarray(differences, dtype=float)
    d = d[d != 0]
    if len(d) == 0:
        return 1.0
    observed = abs(d.sum()) * (1 - 1e-12)  # equal sums must count as equal whatever the order of adding
    if len(d) <= EXACT_UP_TO:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(d))))
        return float(np.mean(np.abs(signs @ d) >= observed))
    if len(d) >= LARGE:
        return float(2 * stats.norm.sf(observed / np.sqrt(np.sum(d**2))))
    rng, extreme, left = np.random.default_rng(seed), 0, draws
    while left > 0:
        batch = min(left, max(1, 4_000_000 // len(d)))
        signs = rng.integers(0, 2, size=(batch, len(d)), dtype=np.int8) * 2.0 - 1
        extreme += int(np.sum(np.abs(signs @ d) >= observed))
        left -= batch
    return (1 + extreme) / (1 + draws)


def sign_flips(differences: ArrayLike, draws: int = 19_999, seed: int = 0) -> np.ndarray:
    """Sign-flip tests of many differences on the same pictures, corrected for their number (Westfall-Young, step-down).

    A picture changes its sign in all columns at once, and a column is held against the largest sum of those that are
    not yet told apart. So what the tests have in common is used, and the smallest p stays ``2^(1 - n)`` however many
    there are, where Holm would multiply it: six pictures can tell any number of schemes apart.

    Args:
        differences: ``(n, m)`` one row per picture, one column per test, all in one unit; NaN: not measured.
        draws: random sign patterns from 15 pictures on; up to there all are counted.
        seed: of those patterns.

    Returns:
        ``(m,)`` adjusted two-sided p-values.

    Example:
        >>> sign_flips([[1, 0.2], [1, -0.1], [1, 0.2], [1, 0.1], [1, 0.2], [1, 0.1]]).tolist()
        [0.03125, 0.125]
    """
    d = np.nan_to_num(np.asarray(differences, dtype=float))
    d = d[(d != 0).any(axis=1)]
    if not d.size:
        return np.ones(d.shape[1])
    exact = len(d) <= EXACT_UP_TO
    observed = np.abs(d.sum(axis=0))
    order = np.argsort(-observed, kind="stable")
    rng, extreme = np.random.default_rng(seed), np.zeros(d.shape[1])
    batch = max(1, 4_000_000 // max(d.shape))
    for start in range(0, 2 ** len(d) if exact else draws, batch):
        numbers = np.arange(start, min(start + batch, 2 ** len(d) if exact else draws))
        ups = numbers[:, None] >> np.arange(len(d)) & 1 if exact else rng.integers(0, 2, size=(len(numbers), len(d)))
        sums = np.abs((ups * 2.0 - 1) @ d[:, order])
        largest = np.maximum.accumulate(sums[:, ::-1], axis=1)[:, ::-1]  # of this column and all smaller ones
        extreme += (largest >= observed[order] * (1 - 1e-12)).sum(axis=0)
    p = extreme / 2 ** len(d) if exact else (1 + extreme) / (1 + draws)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p)
    return np.where(observed > 0, adjusted, 1.0)


def smallest_p(pictures: int) -> float:
    """The smallest two-sided p-value that this many pictures can ever give: all differ, all in one direction."""
    return min(1.0, 2.0 ** (1 - pictures))


def bootstrap_mean(
    values: ArrayLike, confidence: float = 0.95, draws: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Interval of a mean over pictures by the expanded percentile bootstrap.

    Args:
        values: ``(n,)`` one number per picture (for a comparison: one paired difference per picture).
        confidence: coverage, two-sided.
        draws: bootstrap resamples.
        seed: of the resamples.

    Returns:
        Low and high end, widened for small n as in Hesterberg (2015, The American Statistician 69, section 5.3); the
        t interval from 500 pictures on; ``(nan, nan)`` under two pictures, which say nothing about spread.
    """
    v = np.asarray(values, dtype=float)
    n = len(v)
    if n < 2:
        return float("nan"), float("nan")
    if n >= LARGE:
        half = float(stats.t.ppf(0.5 + confidence / 2, n - 1) * v.std(ddof=1) / np.sqrt(n))
        return float(v.mean()) - half, float(v.mean()) + half
    tail = stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - confidence) / 2, n - 1))
    rng = np.random.default_rng(seed)
    batch = max(1, 4_000_000 // n)
    means = np.concatenate(
        [v[rng.integers(0, n, size=(min(batch, draws - at), n))].mean(axis=1) for at in range(0, draws, batch)]
    )
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down adjustment: p-values that stay honest when many attacks are tested at once.

    Args:
        p_values: ``(m,)``.

    Returns:
        ``(m,)`` adjusted p-values in the given order, at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(scaled, 1.0)
    return adjusted
