"""Rates with the uncertainty that their sample size leaves: no percentage without an interval."""

from scipy.stats import binomtest


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a rate: close to its nominal coverage at any n, and never outside ``[0, 1]``.

    Args:
        successes: how often it happened, ``0 <= successes <= n``.
        n: how often it was tried, at least 1.
        confidence: two-sided coverage in ``(0, 1)``.

    Returns:
        ``(low, high)``, both in ``[0, 1]``.

    Raises:
        ValueError: if a count or the confidence is out of range.

    Source: Wilson, JASA 22 (1927), through ``scipy.stats.binomtest``.

    Example:
        >>> low, high = wilson(24, 24)
        >>> print(f"{low:.2f} to {high:.2f}")
        0.86 to 1.00
    """
    return _interval(successes, n, confidence, "wilson")


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact (conservative) interval of a rate: covers at least ``confidence`` for every true rate.

    Arguments, result and errors as in ``wilson``. Zero hits in n give a one-sided kind of bound near ``3.7 / n``.

    Source: Clopper and Pearson, Biometrika 26 (1934), through ``scipy.stats.binomtest``.

    Example:
        >>> low, high = clopper_pearson(0, 30)
        >>> print(f"{low:.2f} to {high:.2f}")
        0.00 to 0.12
    """
    return _interval(successes, n, confidence, "exact")


def _interval(successes: int, n: int, confidence: float, method: str) -> tuple[float, float]:
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1, got {successes} of {n}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    interval = binomtest(int(successes), int(n)).proportion_ci(confidence, method)
    return float(interval.low), float(interval.high)
