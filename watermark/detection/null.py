"""How surprising a soft correlation is when nothing was marked: a tail that holds for any image.

Under a secret key the signs ``s`` of a code word are independent fair coins, whatever the image and the scheme made of
the logits ``l``: biased, heavy-tailed, correlated with each other or constant. So ``S = sum(l s) / ||l||_2`` is a
weighted sum of Rademacher variables with unit norm, and for every ``l`` and every ``t``

    P(S >= t) <= min(1, exp(-t^2 / 2), Q(t) / (4 Q(sqrt 2)))

The first bound is Hoeffding's (J. Am. Stat. Assoc. 58, 1963), the second, with constant 3.1786, that of Bentkus and
Dzindzalieta (Bernoulli 21, 2015). The promise is over keys: one key tried on many pictures may be luckier or unluckier
than another, and the average over keys is what is bounded.
"""

import math

import numpy as np
import torch
from scipy.special import log_ndtr
from torch import Tensor

_LOG_CONSTANT = -math.log(4) - float(log_ndtr(-(2**0.5)))


def correlation_score(logits: Tensor, expected: Tensor) -> Tensor:
    """Normalised soft correlation ``S``.

    Args:
        logits: ``(N, K)`` float, any scale, ``> 0`` means 1.
        expected: ``(N, K)`` or ``(K,)`` bool.

    Returns:
        ``(N,)`` float64 in ``[-sqrt K, sqrt K]``; 0 where the logits are all zero or not all finite (no evidence).
    """
    soft = logits.detach().double()
    if soft.ndim != 2 or expected.shape[-1] != soft.shape[1] or expected.dtype != torch.bool:
        raise ValueError(
            f"expected logits (N, K) and bool messages (N, K) or (K,), got {tuple(logits.shape)} and "
            f"{expected.dtype} {tuple(expected.shape)}"
        )
    size = soft.abs().amax(1, keepdim=True)  # before squaring, so that no scale overflows or vanishes
    usable = size.isfinite() & (size > 0)
    soft = torch.where(usable, soft, 0.0) / torch.where(usable, size, 1.0)
    signs = expected.to(soft.device).double() * 2 - 1
    return (soft * signs).sum(1) / soft.norm(dim=1).clamp_min(0.5)  # at least 1 where usable


def log10_tail(scores: Tensor) -> Tensor:
    """Upper bound of log10 P(S >= score) under random signs; float64, at most 0, finite for every finite score."""
    t = scores.detach().double().cpu().numpy()
    bounds = np.minimum(np.where(t > 0, -(t**2) / 2, 0.0), np.minimum(log_ndtr(-t) + _LOG_CONSTANT, 0.0))
    return torch.from_numpy(bounds / math.log(10)).to(scores.device)


def log10_p_value(logits: Tensor, expected: Tensor) -> Tensor:
    """p-value of one expected message: ``(N,)`` float64, log10, at most 0 and never -inf.

    Nothing else was tried; see ``pay_for`` for searches. Arguments as in ``correlation_score``.
    """
    return log10_tail(correlation_score(logits, expected))


def pay_for(log10_p: Tensor, log10_tries: Tensor | float) -> Tensor:
    """Union bound: the p-value of the best of ``10 ** log10_tries`` tries, at most 1."""
    return (log10_p + log10_tries).clamp(max=0.0)
