"""How surprising a soft correlation is when nothing was marked: a tail that holds for any image.

Under a secret key the signs ``s`` of a code word are independent fair coins, whatever the image and the scheme made of
the logits ``l``: biased, heavy-tailed, correlated with each other or constant. So ``S = sum(l s) / ||l||_2`` is a
weighted sum of Rademacher variables with unit norm, and for every ``l`` and every ``t``

    P(S >= t) <= min(1, exp(-t^2 / 2), Q(t) / (4 Q(sqrt 2)), C(u), C(u) F(u, q)),    any u, q > 0
    C(u) = prod_i cosh(u a_i) / exp(u t),    a = l / ||l||

The first bound is Hoeffding's (J. Am. Stat. Assoc. 58, 1963), the second, with constant 3.1786, that of Bentkus and
Dzindzalieta (Bernoulli 21, 2015), the third Chernoff's for exactly these weights: it knows that S cannot exceed
``sum |a|``, so that 100 right bits of 100 have probability ``2^-100`` and not ``exp(-50)``. The fourth takes back what
Chernoff gives away. Under the coins tilted by ``u`` the tail is ``C(u) E[exp(-u (S - t)); S >= t]``; that truncated
exponential has a majorant of exponential type ``2 pi q`` and integral ``1 / (q (1 - exp(-u / q)))`` (Graham and Vaaler,
Trans. Am. Math. Soc. 265, 1981), so with ``|phi|``, the modulus of the tilted characteristic function,

    F(u, q) = 1 / (q (1 - exp(-u / q))) * integral of |phi(w)| dw over |w| <= 2 pi q, divided by 2 pi

which is 1.1 to 1.3 decades near p = 1e-20. The promise is over keys: one key tried on many pictures may be luckier or
unluckier than another, and the average over keys is what is bounded.
"""

import math

import numpy as np
import torch
from scipy.special import log_ndtr
from torch import Tensor

_LOG_CONSTANT = -math.log(4) - float(log_ndtr(-(2**0.5)))


_NEWTON_STEPS = 12
_MAX_U = 1e6  # beyond, u t would lose the digits that the bound is made of
_TYPE = 16.0  # q: beyond, the integral gets longer and the bound hardly smaller
_STEP = 0.25  # of the integral; |phi| is about a bell of width 1.3, for which this is exact to rounding
_TILT_FROM, _SHARPEN_FROM = 1.0, 4.0  # scores below are not worth the search for u, or the integral
_NEAR, _COINS = 48, 96  # integral points that use all coins, and how many coins the others use


def correlation_score(logits: Tensor, expected: Tensor) -> Tensor:
    """Normalised soft correlation ``S``.

    Args:
        logits: ``(N, K)`` float, any scale, ``> 0`` means 1.
        expected: ``(N, K)`` or ``(K,)`` bool.

    Returns:
        ``(N,)`` float64 in ``[-sqrt K, sqrt K]``; 0 where the logits are all zero or not all finite (no evidence).

    Raises:
        ValueError: if the shapes do not fit.
    """
    if logits.ndim != 2 or expected.shape[-1] != logits.shape[1] or expected.dtype != torch.bool:
        raise ValueError(
            f"expected logits (N, K) and bool messages (N, K) or (K,), got {tuple(logits.shape)} and "
            f"{expected.dtype} {tuple(expected.shape)}"
        )
    signs = expected.to(logits.device).double() * 2 - 1
    return (unit_weights(logits) * signs).sum(1)


def unit_weights(logits: Tensor) -> Tensor:
    """``(N, K)`` float64 of norm 1 per row; all zero where a row is zero or not finite."""
    soft = logits.detach().double()
    size = soft.abs().amax(1, keepdim=True)  # before squaring, so that no scale overflows or vanishes
    usable = size.isfinite() & (size > 0)
    soft = torch.where(usable, soft, 0.0) / torch.where(usable, size, 1.0)
    return soft / soft.norm(dim=1, keepdim=True).clamp_min(0.5)  # a usable row has norm 1 or more here


def log10_tail(scores: Tensor, logits: Tensor) -> Tensor:
    """Upper bound of log10 P(S >= score) under random signs, for these logits.

    Args:
        scores: ``(N,)``.
        logits: ``(N, K)``; only their absolute values matter.

    Returns:
        ``(N,)`` float64, at most 0, finite for every finite score.
    """
    t, weights = scores.detach().double(), unit_weights(logits).abs()
    gauss = torch.from_numpy(np.minimum(log_ndtr(-t.cpu().numpy()) + _LOG_CONSTANT, 0.0)).to(t.device)
    log_p = torch.zeros_like(t)
    rows = torch.nonzero(t > _TILT_FROM)[:, 0]
    log_p[rows], u = _log_chernoff(t[rows], weights[rows])
    for i, tilt in zip(rows.tolist(), u, strict=True):
        if t[i] > _SHARPEN_FROM:
            log_p[i] += _log_factor(tilt, weights[i])
    rarest = -math.log(2) * (weights > 0).sum(1)  # no draw of K signs is rarer: rounding must not promise more
    hoeffding = -(t.clamp_min(0) ** 2) / 2
    return torch.minimum(torch.minimum(gauss, hoeffding), log_p).maximum(rarest) / math.log(10)


def _log_chernoff(t: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Natural logarithm of C(u), and the u; any u gives a bound, so the search for the best need not converge."""
    u = t.clone()
    for _ in range(_NEWTON_STEPS):
        slope = torch.tanh(u[:, None] * weights)
        excess = t - (weights * slope).sum(1)
        curvature = (weights**2 * (1 - slope**2)).sum(1).clamp_min(1e-12)
        u = torch.minimum(u + excess / curvature, 2 * u + 1).clamp(0, _MAX_U)
    x = u[:, None] * weights
    log_cosh = x + torch.log1p(torch.exp(-2 * x)) - math.log(2)
    return log_cosh.sum(1) - u * t, u


def _log_factor(u: Tensor, weights: Tensor) -> Tensor:
    """Natural logarithm of min(1, F(u, q)) for one row of ``K`` weights.

    Beyond the bell around 0 the modulus is practically 0 unless all weights are multiples of one number, so there some
    of the coins are enough: every factor that is left out is at most 1.
    """
    frequencies = torch.arange(0, 2 * math.pi * _TYPE + _STEP, _STEP, dtype=weights.dtype, device=weights.device)
    near, far = frequencies.split([_NEAR, len(frequencies) - _NEAR])
    some = weights.sort().values[:: max(1, len(weights) // _COINS)]
    half = _modulus(u, weights, near).sum() + _modulus(u, some, far).sum() - 0.5  # trapezoid from 0, where it is 1
    return (half * _STEP / math.pi / (_TYPE * -torch.expm1(-u / _TYPE))).log().clamp_max(0)


def _modulus(u: Tensor, weights: Tensor, frequencies: Tensor) -> Tensor:
    """``|phi|`` of the coins tilted by ``u``, at each frequency."""
    spread = 1 - torch.tanh(u * weights) ** 2  # (K,) variance of each tilted coin
    return (1 - spread * torch.sin(frequencies[:, None] * weights) ** 2).prod(1).sqrt()


def log10_p_value(logits: Tensor, expected: Tensor) -> Tensor:
    """p-value of one expected message: ``(N,)`` float64, log10, at most 0 and never -inf.

    Nothing else was tried; see ``pay_for`` for searches. Arguments and errors as in ``correlation_score``.
    """
    return log10_tail(correlation_score(logits, expected), logits)


def pay_for(log10_p: Tensor, log10_tries: Tensor | float) -> Tensor:
    """Union bound: the p-value of the best of ``10 ** log10_tries`` tries, at most 1."""
    return (log10_p + log10_tries).clamp(max=0.0)
