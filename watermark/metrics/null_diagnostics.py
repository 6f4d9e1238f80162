"""May the promised false-positive rate be believed? What unmarked pictures say about bits and p-values."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class BitDiagnostics:
    """How far the raw bits of unmarked pictures are from fair, independent coins.

    Attributes:
        n: pictures.
        bits: message bits K.
        share_of_ones: ``(K,)`` share of 1s per bit.
        bias_p: p-value that all bits are fair (chi-square over bits, independent pictures).
        mean_abs_correlation: mean ``|r|`` between two bits over pictures; None under 8 pictures.
        expected_abs_correlation: what independent bits would show with this n.
    """

    n: int
    bits: int
    share_of_ones: np.ndarray
    bias_p: float
    mean_abs_correlation: float | None
    expected_abs_correlation: float | None


def bit_diagnostics(logits: np.ndarray) -> BitDiagnostics:
    """Bias and correlation of raw bits over unmarked pictures, one row per picture.

    A detector that compares raw bits with a fixed message under a binomial needs both to be absent. One that signs
    the bits with a secret key does not; then these say how unsafe the binomial would have been.

    Args:
        logits: ``(n, K)`` soft decisions of unmarked pictures.
    """
    ones = np.asarray(logits) > 0
    n, bits = ones.shape
    share = ones.mean(axis=0)
    statistic = float(np.sum((share - 0.5) ** 2) * 4 * n)
    bias_p = float(stats.chi2.sf(statistic, bits))
    if n < 8:
        return BitDiagnostics(n, bits, share, bias_p, None, None)
    varying = ones[:, (share > 0) & (share < 1)].astype(float)
    mean_abs = None
    if varying.shape[1] > 1:
        r = np.corrcoef(varying, rowvar=False)
        mean_abs = float(np.abs(r[np.triu_indices_from(r, 1)]).mean())
    return BitDiagnostics(n, bits, share, bias_p, mean_abs, float(np.sqrt(2 / np.pi / (n - 1))))


@dataclass(frozen=True)
class UniformityCheck:
    """Are p-values of unmarked pictures at least as large as they promise?

    Attributes:
        n: p-values, one per picture.
        too_small_p: one-sided Kolmogorov-Smirnov p-value that they are not smaller than uniform. Large is good.
        at_or_below: promised rate -> share of p-values at or below it.
    """

    n: int
    too_small_p: float
    at_or_below: dict[float, float]


def uniformity(log10_p: np.ndarray, rates: tuple[float, ...] = (0.5, 0.2, 0.1, 0.05, 0.01, 0.001)) -> UniformityCheck:
    """One-sided check of p-values against the uniform law; a bound is conservative, so only "too small" is a fault.

    Args:
        log10_p: ``(n,)`` log10 p-values of unmarked pictures, independent of each other.
        rates: promised rates to tabulate.
    """
    p = 10.0 ** np.minimum(np.asarray(log10_p, dtype=float), 0.0)
    if len(p) == 0:
        return UniformityCheck(0, float("nan"), {})
    too_small = float(stats.kstest(p, "uniform", alternative="greater").pvalue)
    return UniformityCheck(len(p), too_small, {rate: float(np.mean(p <= rate)) for rate in rates})
