"""How large the logits are in units of information: what turns a comparison of words into probabilities."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST = 30.0
_ROUNDS = 30  # of halving: finer than the standard error by far


def cautious_scale(agreement: Floats) -> Floats:
    """The factor that makes log-likelihood ratios of logits, one standard error smaller than fitted.

    A logistic fit: of all factors ``k``, the one under which the agreements ``a = l s`` are the least surprising,
    ``sum log(1 + exp(-k a))``. It needs no model of the noise. The word ``s`` was chosen for its agreement, so the fit
    is a little too sure of itself; one standard error less makes the probabilities right (``detection.measure``). One
    bit of average size more on either side keeps it finite where all bits agree.

    Args:
        agreement: ``(N, K)``, logits of unit root-mean-square times the signs of a word.

    Returns:
        ``(N,)``, not negative.
    """
    a = np.concatenate([agreement, np.ones((len(agreement), 1)), -np.ones((len(agreement), 1))], axis=1)
    low, high = np.zeros(len(a)), np.full(len(a), _LARGEST)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        rising = (a * _doubt(a, middle)).sum(1) > 0  # the likelihood still grows with the factor
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    doubt = _doubt(a, low)
    information = (a**2 * doubt * (1 - doubt)).sum(1)
    return np.maximum(low - information**-0.5, 0.0)


def _doubt(agreement: Floats, factor: Floats) -> Floats:
    """Probability that each bit is wrong."""
    return 1 / (1 + np.exp(factor[:, None] * agreement))
