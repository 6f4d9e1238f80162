"""Take salt and pepper off before reading: what it hides is better guessed from around it than read."""

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.lattice.settings import EXTREME, IMPULSE_ROWS, IMPULSES, STICK_OUT


def without_impulses(images: Tensor) -> Tensor:
    """Pictures ``(N, 3, H, W)`` in [0, 1], impulses replaced by the mean of what is around them; others untouched.

    A picture has impulses where many values are black, and many white, stand alone, and stick out far more than other
    values do: with few photons a picture is full of black and white that says something. In such a one every black or
    white value becomes the mean of those of its eight neighbours that are neither, if there are any.
    """
    noisy = _has_impulses(images[..., ::IMPULSE_ROWS, :])
    if not noisy.any():
        return images
    cleaned = images.clone()
    for i in noisy.nonzero().flatten().tolist():
        for plane in range(images.shape[1]):  # one at a time: large pictures must fit
            cleaned[i, plane] = _mended(images[i, plane])
    return cleaned


def _has_impulses(rows: Tensor) -> Tensor:
    """Which pictures ``(N,)`` do, by some of their rows ``(N, 3, R, W)``."""
    black, white = rows <= EXTREME, rows >= 1 - EXTREME
    middle = ~(black | white)
    between = middle[..., :-2] & middle[..., 2:]  # two that are neither
    apart = (rows[..., 1:-1] - (rows[..., :-2] + rows[..., 2:]) / 2).abs()
    share = [(between & kind[..., 1:-1]).float().mean((1, 2, 3)) for kind in (black, white, middle)]
    far = [(apart * (between & kind[..., 1:-1])).mean((1, 2, 3)) for kind in (black, white, middle)]
    many = torch.minimum(share[0], share[1]) > IMPULSES  # the fewer of both, for letters are lonely in one colour
    usual = far[2] / share[2].clamp_min(1e-6)
    return many & ((far[0] + far[1]) / (share[0] + share[1]).clamp_min(1e-6) > STICK_OUT * usual)


def _mended(plane: Tensor) -> Tensor:
    extreme = (plane <= EXTREME) | (plane >= 1 - EXTREME)
    good = (~extreme).to(plane)[None, None]
    around = F.avg_pool2d(F.pad(plane * good, (1, 1, 1, 1)), 3, 1)[0, 0]
    share = F.avg_pool2d(F.pad(good, (1, 1, 1, 1)), 3, 1)[0, 0]
    return torch.where(extreme & (share > 0), around / share.clamp_min(1 / 9), plane)
