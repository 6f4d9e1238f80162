"""How surprising a soft correlation is when nothing was marked: a tail that holds for any image.

Under a secret key the signs ``s`` of a code word are independent fair coins, whatever the image and the scheme made of
the logits ``l``: biased, heavy-tailed, correlated with each other or constant. So ``S = sum(l s) / ||l||_2`` is a
weighted sum of Rademacher variables with unit norm, and for every ``l`` and every ``t``

    P(S >= t) <= min(1, exp(-t^2 / 2), Q(t) / (4 Q(sqrt 2)), prod_i cosh(u a_i) / exp(u t)),    a = l / ||l||, any u > 0

The first bound is Hoeffding's (J. Am. Stat. Assoc. 58, 1963), the second, with constant 3.1786, that of Bentkus and
Dzindzalieta (Bernoulli 21, 2015), the third Chernoff's for exactly these weights: it knows that S cannot exceed
``sum |a|`` and matters for short messages, where 100 right bits of 100 have probability ``2^-100`` and not
``exp(-50)``. The promise is over keys: one key tried on many pictures may be luckier or unluckier than another, and
the average over keys is what is bounded.
"""

import math

import numpy as np
import torch
from scipy.special import log_ndtr
from torch import Tensor

_LOG_CONSTANT = -math.log(4) - float(log_ndtr(-(2**0.5)))


_NEWTON_STEPS = 12
_MAX_U = 1e6  # beyond, u t would lose the digits that the bound is made of


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
    t = scores.detach().double()
    gauss = torch.from_numpy(np.minimum(log_ndtr(-t.cpu().numpy()) + _LOG_CONSTANT, 0.0)).to(t.device)
    return torch.minimum(gauss, _log_chernoff(t, unit_weights(logits).abs())) / math.log(10)


def _log_chernoff(t: Tensor, weights: Tensor) -> Tensor:
    """Natural logarithm of Chernoff's bound; any ``u`` gives a bound, so the search for the best need not converge.

    No draw of K signs is rarer than ``2^-K``, so rounding in the last place cannot promise more than that.
    """
    t = t.clamp_min(0)
    u, best = t.clone(), -(t**2) / 2  # Hoeffding: log cosh x <= x^2 / 2
    for _ in range(_NEWTON_STEPS):
        x = u[:, None] * weights
        log_cosh = x + torch.log1p(torch.exp(-2 * x)) - math.log(2)
        best = torch.minimum(best, log_cosh.sum(1) - u * t)
        slope = torch.tanh(x)
        excess = t - (weights * slope).sum(1)
        curvature = (weights**2 * (1 - slope**2)).sum(1).clamp_min(1e-12)
        u = torch.minimum(u + excess / curvature, 2 * u + 1).clamp(0, _MAX_U)
    return torch.maximum(best, -math.log(2) * (weights > 0).sum(1))


def log10_p_value(logits: Tensor, expected: Tensor) -> Tensor:
    """p-value of one expected message: ``(N,)`` float64, log10, at most 0 and never -inf.

    Nothing else was tried; see ``pay_for`` for searches. Arguments and errors as in ``correlation_score``.
    """
    return log10_tail(correlation_score(logits, expected), logits)


def pay_for(log10_p: Tensor, log10_tries: Tensor | float) -> Tensor:
    """Union bound: the p-value of the best of ``10 ** log10_tries`` tries, at most 1."""
    return (log10_p + log10_tries).clamp(max=0.0)
