"""Which bits of a polar code carry information, for any number of information and channel bits.

A polar code has ``2^m`` positions. To get exactly N channel bits we leave the first positions out (puncture: the
decoder knows nothing about them), fix the last ones at zero (shorten: it knows them for certain) or send some twice or
more (repeat). Which of its ``2^m`` inputs are then reliable follows from the mean log-likelihood ratio of every
position by density evolution under a Gaussian approximation, so the pattern needs no table of its own.

Source: Arikan 2009; Trifonov, IEEE Trans. Commun. 60 (2012) for the Gaussian approximation; 3GPP TS 38.212 section
5.4.1 for puncturing low rates, shortening high ones and repeating beyond the mother code.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Bools = NDArray[np.bool_]

MAX_MOTHER = 1024
"""Longest mother code; longer messages repeat it (at these rates a longer mother code gains less than 0.1 dB)."""
LONG_PAYLOAD, LONG_MOTHER = 256, 4096
"""Information bits beyond which repetition would cost whole decibels, and the longest mother code of those."""
SHORTEN_ABOVE = 7 / 16
"""Code rate from which shortening beats puncturing (3GPP TS 38.212)."""


@dataclass(frozen=True, eq=False)
class Construction:
    """A polar code for one pair of lengths.

    Attributes:
        information: ``(mother,)`` bool, True where an input carries information.
        sends: ``(N,)`` int64, the code position that each channel bit carries.
        certain: ``(mother,)`` bool, positions that are zero by construction (shortened).
        design_snr: Es/N0 (linear) at which the reliabilities were computed: where this code is about to fail.
    """

    information: Bools
    sends: NDArray[np.int64]
    certain: Bools
    design_snr: float


def threshold_snr(information_bits: int, channel_bits: int, error_rate: float = 1e-3) -> float:
    """Es/N0 (linear) where the best code of these lengths would fail with ``error_rate``: normal approximation.

    Source: Polyanskiy, Poor and Verdu, IEEE Trans. Inf. Theory 56 (2010), for the binary-input AWGN channel.
    """
    low, high = 1e-5, 1e3
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _log_words(middle, channel_bits, error_rate) > information_bits else (middle, high)
    return high


def _log_words(snr: float, n: int, error_rate: float) -> float:
    """Information bits that n uses of the channel carry at ``error_rate``."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    density = 1 - np.logaddexp(0, -(4 * snr + (8 * snr) ** 0.5 * nodes)) / np.log(2)  # bits per use
    capacity = weights @ density
    dispersion = weights @ (density - capacity) ** 2
    return float(n * capacity + (n * dispersion) ** 0.5 * ndtri(error_rate) + np.log2(n) / 2)


def transform(bits: Bools) -> Bools:
    """The polar transform of the last axis (a power of two), its own inverse."""
    shape, size = bits.shape, bits.shape[-1]
    x, half = bits.copy(), 1
    while half < size:
        pairs = x.reshape(*shape[:-1], size // (2 * half), 2, half)
        pairs[..., 0, :] ^= pairs[..., 1, :]
        half *= 2
    return x


@cache
def construct(information_bits: int, channel_bits: int, inverses: bool = True) -> Construction:
    """The code for ``information_bits`` (check bits included) in ``channel_bits``.

    Args:
        information_bits: K.
        channel_bits: N.
        inverses: whether the inverse of a code word is one too, as in a plain polar code. An attack that turns every
            channel bit over (two colours that change places) then makes one valid word of another. Only check bits
            notice; a code without them should have no inverses, which costs it one of its best inputs.

    Raises:
        ValueError: if there is no room: at least as many channel bits as information bits are needed, and one more
            without inverses.
    """
    if information_bits < 1 or channel_bits < information_bits + (not inverses):
        raise ValueError(f"{information_bits} information bits do not fit in {channel_bits} channel bits")
    longest = MAX_MOTHER if information_bits <= LONG_PAYLOAD else LONG_MOTHER
    mother = min(1 << (channel_bits - 1).bit_length(), longest)
    if mother < information_bits:
        mother = 1 << (information_bits - 1).bit_length()
    shorten = information_bits / channel_bits > SHORTEN_ABOVE
    copies, certain = np.zeros(mother, dtype=np.int64), np.zeros(mother, dtype=bool)
    if channel_bits >= mother:
        sends = np.arange(channel_bits) % mother
    elif shorten:
        sends, certain[channel_bits:] = np.arange(channel_bits), True
    else:
        sends = np.arange(mother - channel_bits, mother)
    np.add.at(copies, sends, 1)
    snr = threshold_snr(information_bits, channel_bits)
    means = np.where(certain, _MAX_MEAN, 4 * snr * copies)
    reliability = np.where(certain, 0, input_means(means))  # an input whose position is fixed at zero must be frozen
    information, order = np.zeros(mother, dtype=bool), _order(reliability)
    information[order[-information_bits:]] = True
    if not inverses:
        ones = np.flatnonzero(transform(~certain))  # the inputs of the word whose sent bits are all 1
        if information[ones].all():
            information[[ones[reliability[ones].argmin()], order[-information_bits - 1]]] = False, True
    return Construction(information, sends, certain, snr)


def _order(reliability: NDArray[np.float64]) -> NDArray[np.intp]:
    """Worst first. Rounded, ties by position: the last digits of another processor must not change the code."""
    rounded = np.round(np.log(np.maximum(reliability, 1e-9)), 6)
    return np.lexsort((np.arange(len(rounded)), rounded))


_MAX_MEAN = 2000.0


def input_means(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean log-likelihood ratio of every polar input, given that of every position: Gaussian approximation."""
    if len(means) == 1:
        return means
    first, second = means[: len(means) // 2], means[len(means) // 2 :]
    return np.concatenate([input_means(_check_mean(first, second)), input_means(np.minimum(first + second, _MAX_MEAN))])


def _check_mean(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean after a parity check; exact in E[tanh], whose two ends are kept apart for precision."""
    log_mean, log_certainty, log_doubt = _tanh_table()
    certainty = sum(np.interp(np.log(np.maximum(x, 1e-9)), log_mean, log_certainty) for x in (first, second))
    doubts = [np.exp(np.interp(np.log(np.maximum(x, 1e-9)), log_mean, log_doubt)) for x in (first, second)]
    doubt = np.log(np.maximum(doubts[0] + doubts[1] - doubts[0] * doubts[1], 1e-300))
    weak = np.exp(np.interp(certainty, log_certainty, log_mean))
    strong = np.exp(np.interp(-doubt, -log_doubt, log_mean))
    return np.where(certainty < np.log(0.5), weak, strong)


@cache
def _tanh_table() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """``log m``, ``log E[tanh(L/2)]`` and ``log(1 - E[tanh(L/2)])`` for L ~ N(m, 2m), both increasing in certainty."""
    mean = np.geomspace(1e-9, _MAX_MEAN, 600)
    z = np.linspace(-12, 12, 4001)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    llr = mean[:, None] + np.sqrt(2 * mean)[:, None] * z
    # E[tanh(L/2)] = E[tanh^2(L/2)] for consistent LLRs: no cancellation at small m
    certainty = (np.tanh(llr / 2) ** 2 * weight).sum(1)  # no threads of BLAS, which spin for seconds on a busy machine
    shifted = np.sqrt(2 * mean)[:, None] * z  # tilt by exp(-L/2) so that the integrand has its mass where we look
    doubt = np.exp(-mean / 4) * (weight * (1 / np.cosh(shifted / 2))).sum(1)
    return np.log(mean), np.log(certainty), np.log(np.maximum(doubt, 1e-300))
