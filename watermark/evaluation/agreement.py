"""When two measurements of one picture say the same: the promise that ``remeasure`` and the tests hold.

The same command on the same machine gives the same bytes: on a CPU every picture goes alone and on one thread. On
another processor, on a GPU and with another batch size there, matrix products and Fourier transforms round differently:
decisions and IDs are equal, and numbers agree within the tolerances below.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from watermark.evaluation.records import MAPS
from watermark.evaluation.threads import one_thread

TOLERANCE = {"log10_p": (5e-3, 0.05), "log10_p_expected": (5e-3, 0.05), "log10_doubt": (2e-2, 0.1)}
"""Relative and absolute: numbers agree within ``absolute + relative * |number|``. Measured between three instruction
sets: at most .0023 of log10 p where it is below -10, .017 where it is near 0 (results/published/reliability)."""
TOLERANCE |= dict.fromkeys(MAPS, (0.0, 0.05))
"""Maps are minimum cuts, in which another last digit may turn some tiles; assumed, not measured."""
QUALITY_TOLERANCE = (1e-3, 1e-6)
"""Of every other number (dB, SSIM, colour differences); measured at most 6e-5, relative."""
SOFT_TOLERANCE = 0.1
"""Of soft decisions, scaled to unit RMS; measured at most .066."""
TIE = 0.03
"""Soft decisions nearer to 0 may fall on either side: bit errors may differ by as many, and where soft decisions were
not kept, by this share of the message; measured at most .0094, 3 bits."""
DECISIONS = ("is_marked", "decoded_provider_id", "decoded_content_id", "payload_ok")


def rounding(device: torch.device) -> str:
    """How this machine rounds: a hash of a matrix product, a Fourier transform and other things computed on it.

    Two machines with another answer give other last digits; two with the same one, and the same processor by name,
    are taken for equal.
    """
    draw = np.random.default_rng(0)
    a, b = (torch.from_numpy(draw.random((3, 96, 96), dtype=np.float32)).to(device) for _ in range(2))
    with one_thread():
        parts = [a[0] @ b[0], torch.bmm(a, b), torch.fft.rfft2(a).abs(), a.exp().log1p().sin(), a.sum((1, 2)), a.std()]
        parts.append(torch.nn.functional.conv2d(a[None], b[:, None, :5, :5], groups=3))
        return hashlib.sha256(b"".join(part.cpu().numpy().tobytes() for part in parts)).hexdigest()[:16]


def differences(
    was: Mapping[str, Any], now: Mapping[str, Any], exact: bool, rate: float, misattribution_rate: float = 1.0
) -> list[str]:
    """One line per field of a row that does not say the same.

    Args:
        was: a row as it was kept.
        now: the same picture and cell measured again.
        exact: whether both come from one machine; else within the tolerance.
        rate: the false-positive rate that ``is_marked`` was decided at.
        misattribution_rate: the rate that IDs were named at.
    """
    limits = {"log10_p": rate, "log10_doubt": misattribution_rate}
    undecided = not exact and any(_at_threshold(name, was, now, limit) for name, limit in limits.items())
    return [
        f"{name} was {_shown(was.get(name))}, is {_shown(value)}"
        for name, value in now.items()
        if was.get(name) != value
        and (exact or not (undecided if name in DECISIONS else _agree(name, was.get(name), value, was)))
    ]


def _agree(name: str, was: Any, now: Any, row: Mapping[str, Any]) -> bool:
    if name == "logits" and isinstance(was, bytes) and isinstance(now, bytes):
        return len(was) == len(now) and bool((np.abs(_soft(was) - _soft(now)) <= SOFT_TOLERANCE).all())
    if name == "bit_errors" and isinstance(was, int) and isinstance(now, int):
        return abs(was - now) <= _ties(row)
    if isinstance(was, float) and isinstance(now, float):
        relative, absolute = TOLERANCE.get(name, QUALITY_TOLERANCE)
        return abs(was - now) <= absolute + relative * abs(was)
    return False


def _ties(row: Mapping[str, Any]) -> float:
    kept = row.get("logits")
    if isinstance(kept, bytes):
        return int((np.abs(_soft(kept)) < TIE).sum())
    return TIE * row["message_bits"]


def _at_threshold(name: str, was: Mapping[str, Any], now: Mapping[str, Any], rate: float) -> bool:
    """Whether rounding alone may turn the answer."""
    found = [row.get(name) for row in (was, now)]
    return all(isinstance(p, float) and _agree(name, math.log10(rate), p, {}) for p in found)


def _soft(packed: bytes) -> np.ndarray:
    return np.frombuffer(packed, "<f2").astype(np.float64)


def _shown(value: Any) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
