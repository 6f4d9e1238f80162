"""How a cost grows with size: the exponent of a power law, with the doubt that few sizes leave."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class PowerLaw:
    """``cost ~ size ** exponent``.

    Attributes:
        exponent: 1 is linear; less where a fixed part or a reduction to one size dominates.
        low: lower end of the 95 % (or ``confidence``) interval; None under three sizes.
        high: upper end.
        steepest: the largest exponent between two neighbouring sizes: where it grows fastest.
        n: sizes.
    """

    exponent: float
    low: float | None
    high: float | None
    steepest: float
    n: int


def power_law(sizes: ArrayLike, costs: ArrayLike, confidence: float = 0.95) -> PowerLaw | None:
    """Least squares in log-log coordinates, one cost per size, with the t interval of the slope.

    Args:
        sizes: ``(n,)`` above 0, for example pixels.
        costs: ``(n,)`` above 0, for example median seconds.
        confidence: coverage, two-sided.

    Returns:
        None under two different sizes. The interval is about how well one straight line describes these sizes; a cost
        that bends has a wide one.

    Raises:
        ValueError: if the lengths differ or a number is not above 0.

    Example:
        >>> found = power_law([1e5, 1e6, 1e7], [0.1, 1.0, 10.0])
        >>> round(found.exponent, 3)
        1.0
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(costs, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or not (x > 0).all() or not (y > 0).all():
        raise ValueError(f"expected as many costs as sizes, all above 0, got {x} and {y}")
    if len(np.unique(x)) < 2:
        return None
    order = np.argsort(x)
    x, y = np.log(x[order]), np.log(y[order])
    line = stats.linregress(x, y)
    steps = [(d - c) / (b - a) for (a, c), (b, d) in pairwise(zip(x, y, strict=True)) if b > a]
    if len(x) < 3:
        return PowerLaw(float(line.slope), None, None, float(max(steps)), len(x))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(x) - 2) * line.stderr)
    return PowerLaw(float(line.slope), float(line.slope - half), float(line.slope + half), float(max(steps)), len(x))
