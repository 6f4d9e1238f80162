"""What an attacker pays: performance of the detector against the damage to the picture, as WAVES ranks attacks."""

from collections.abc import Sequence

import numpy as np

ETI_CONSTANTS = {"psnr": (-0.0022186, 43.5476), "ssim": (-0.113371, 0.984229)}
"""``c_k, o_k`` of "Erasing the Invisible" (NeurIPS 2024 challenge, utils.py), which fixed the WAVES scale for good."""

CONSTANT_SET = "eti-psnr-ssim-2"
"""Name of our Q: mean of the two ETI terms that need no network, scaled to one metric (times 8) and not below 0."""


def degradation(psnr: float, ssim: float) -> float:
    """Quality cost Q of an attack, 0 (no damage) to about 1 (ruin), in the constant set ``eti-psnr-ssim-2``.

    The published NQD averages eight metrics, six of which need networks; numbers of this set may be compared with
    each other and with nothing else.

    Args:
        psnr: attacked against not attacked, dB.
        ssim: the same pair.
    """
    terms = [8 * c * (value - o) for (c, o), value in zip(ETI_CONSTANTS.values(), (psnr, ssim), strict=True)]
    return max(0.0, float(np.mean(terms)))


def crossing(cost: Sequence[float], performance: Sequence[float], level: float) -> float:
    """Q@level: the cost at which performance first falls under ``level``, by linear interpolation over the ladder.

    Returns:
        ``inf`` if it never does, ``-inf`` if it is under ``level`` from the mildest rung on (WAVES' convention).
    """
    order = np.argsort(cost, kind="stable")
    q, p = np.asarray(cost, dtype=float)[order], np.asarray(performance, dtype=float)[order]
    below = np.flatnonzero(p < level)
    if len(below) == 0:
        return float("inf")
    first = int(below[0])
    if first == 0:
        return float("-inf")
    share = (p[first - 1] - level) / (p[first - 1] - p[first])
    return float(q[first - 1] + share * (q[first] - q[first - 1]))
