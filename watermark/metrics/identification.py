"""Whose mark is it? Right, wrong or no answer when the detector looks a reading up among M issued ids.

The registry is simulated, the readings are real: a random other id scores as a random sign vector against the soft
decisions of this very picture, and the tail of that sum is computed, not drawn, so that ten million ids cost nothing.
"""

import numpy as np
from scipy import special, stats

BENTKUS = 3.178
"""P(sum of weighted signs >= s) <= 3.178 Q(s) for unit weights: Bentkus and Dzindzalieta (2015, Bernoulli 21)."""


def log10_tail_bound(score: np.ndarray) -> np.ndarray:
    """log10 of ``min(1, exp(-s^2 / 2), 3.178 Q(s))``, what a detector may promise for any picture; ``(n,)`` float64."""
    s = np.asarray(score, dtype=float)
    gaussian = (np.log(BENTKUS) + stats.norm.logsf(s)) / np.log(10)
    return np.where(s > 0, np.minimum(-(s**2) / (2 * np.log(10)), gaussian), 0.0)


def score_from_log10(log10_p: np.ndarray) -> np.ndarray:
    """The score that ``log10_tail_bound`` turned into this p-value; 0 for p = 1, where nothing is left of it."""
    p = np.minimum(np.asarray(log10_p, dtype=float), 0.0) * np.log(10)
    hoeffding = np.sqrt(-2 * p)
    gaussian = -special.ndtri_exp(np.minimum(p - np.log(BENTKUS), -1e-300))
    return np.where(p < 0, np.minimum(hoeffding, gaussian), 0.0)


def random_id_tail(logits: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Chance that one random other id scores at least ``score`` on each reading.

    Args:
        logits: ``(n, K)`` soft decisions, any scale.
        score: ``(n,)`` normalised correlations ``sum(l s) / ||l||``.

    Returns:
        ``(n,)`` by the Lugannani-Rice saddlepoint formula for a weighted sum of random signs; accurate to a few
        per cent far into the tail (pinned against Monte Carlo by a test).
    """
    weights = np.abs(np.asarray(logits, dtype=float))
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    s = np.minimum(np.asarray(score, dtype=float), 0.999 * weights.sum(axis=1))
    t = _saddle(weights, s)[:, None]
    cumulant = (np.logaddexp(t * weights, -t * weights) - np.log(2)).sum(axis=1)
    curvature = (weights**2 / np.cosh(np.minimum(t * weights, 300)) ** 2).sum(axis=1)
    root = np.sqrt(np.maximum(2 * (t[:, 0] * s - cumulant), 0))
    stretch = t[:, 0] * np.sqrt(curvature)
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = stats.norm.sf(root) + stats.norm.pdf(root) * (1 / stretch - 1 / root)
    return np.clip(np.where(s < 0.05, stats.norm.sf(s), tail), 0, 1)


def _saddle(weights: np.ndarray, score: np.ndarray, rounds: int = 40) -> np.ndarray:
    """Solve ``sum w tanh(t w) = score`` for ``t >= 0`` by bisection; ``(n,)``."""
    low, high = np.zeros(len(weights)), np.full(len(weights), 1.0)
    while np.any(short := (weights * np.tanh(high[:, None] * weights)).sum(axis=1) < score):
        high = np.where(short, 2 * high, high)
    for _ in range(rounds):
        middle = (low + high) / 2
        under = (weights * np.tanh(middle[:, None] * weights)).sum(axis=1) < score
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return (low + high) / 2


def look_up(
    logits: np.ndarray, score: np.ndarray, hypotheses: np.ndarray, registry_size: int, false_positive_rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances that each reading is attributed rightly, wrongly or not at all among ``registry_size`` ids.

    The look-up answers with the best-scoring id if its p-value, after paying for every id and every synchronisation
    hypothesis, is at or below ``false_positive_rate``.

    Args:
        logits: ``(n, K)`` real soft decisions.
        score: ``(n,)`` score of the true id.
        hypotheses: ``(n,)`` alignments tried.
        registry_size: M, ids in the registry.
        false_positive_rate: promised for the whole look-up.

    Returns:
        Three ``(n,)`` arrays: right, wrong, none.
    """
    log_price = np.log10(registry_size) + np.log10(np.maximum(hypotheses, 1))
    needed = score_from_log10(np.log10(false_positive_rate) - log_price)
    tail = random_id_tail(logits, np.maximum(score, needed))  # one other id beats both the true one and the threshold
    wrong = -np.expm1((registry_size - 1) * np.log1p(-np.minimum(tail, 1 - 1e-12)))
    right = np.where(score >= needed, 1 - wrong, 0.0)
    return right, wrong, np.clip(1 - right - wrong, 0, 1)


def colliding_pairs(images: float, bits: int) -> float:
    """Expected pairs of images that share an id when ``bits``-bit ids are drawn at random (a counter has none)."""
    return images * (images - 1) / 2.0 / 2.0**bits
