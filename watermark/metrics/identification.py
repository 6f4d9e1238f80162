"""Whose mark is it? Right, wrong or no answer when the detector looks a reading up among M issued ids.

The registry is simulated, the readings are real. A reading's p-value against its own ids bounds the chance that one
random other id scores as high on the same soft decisions, so ten million simulated ids cost nothing.
"""

import numpy as np
from numpy.typing import ArrayLike


def attribution_chances(
    log10_p_expected: ArrayLike, readings: ArrayLike, registry_size: int, false_positive_rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances that each reading is attributed rightly, wrongly or not at all among ``registry_size`` ids.

    The look-up answers with the best-scoring id if its p-value, after paying for every id and every synchronisation
    hypothesis, is at or below ``false_positive_rate``: the rule of ``Detector.detect(registry=...)``.

    Args:
        log10_p_expected: ``(n,)`` p-value of the true ids, readings paid; NaN where a cell failed.
        readings: ``(n,)`` readings paid for.
        registry_size: M, ids in the registry, the true one among them.
        false_positive_rate: promised for the whole look-up.

    Returns:
        Three ``(n,)`` arrays that add to 1: right (a lower bound), wrong (an upper bound: some other id beats both the
        true one and the threshold), none.

    Raises:
        ValueError: if the registry is empty or the rate not in (0, 1).
    """
    if registry_size < 1 or not 0 < false_positive_rate < 1:
        raise ValueError(f"expected an id and a rate in (0, 1), got {registry_size} ids and {false_positive_rate}")
    paid = np.nan_to_num(np.asarray(log10_p_expected, dtype=float), nan=0.0)
    tries = np.log10(np.maximum(np.nan_to_num(np.asarray(readings, dtype=float), nan=1.0), 1))
    needed = np.log10(false_positive_rate) - np.log10(registry_size)
    beats = np.minimum(paid, needed) - tries  # log10 chance of one other id
    wrong = -np.expm1((registry_size - 1) * np.log1p(-np.minimum(10.0**beats, 1 - 1e-12)))
    right = np.where(paid <= needed, 1 - wrong, 0.0)
    return right, wrong, 1 - right - wrong


def colliding_pairs(images: float, bits: int) -> float:
    """Expected pairs of images that share an id when ``bits``-bit ids are drawn at random (a counter has none).

    Example:
        >>> round(colliding_pairs(1_000_000, bits=40), 2)
        0.45
    """
    return images * (images - 1) / 2.0 / 2.0**bits
