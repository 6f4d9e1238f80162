"""Take salt and pepper off before reading: what it hides is better guessed from around it than read."""

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.lattice.settings import EXTREME, IMPULSE_ROWS, IMPULSES


def without_impulses(images: Tensor) -> Tensor:
    """Pictures ``(N, 3, H, W)`` in [0, 1], impulses replaced by the mean of what is around them; others untouched.

    A picture has impulses where many values are black, and many white, and stand alone. In such a one every black or
    white value becomes the mean of those of its eight neighbours that are neither, if there are any.
    """
    noisy = _lonely(images[..., ::IMPULSE_ROWS, :]) > IMPULSES
    if not noisy.any():
        return images
    cleaned = images.clone()
    for i in noisy.nonzero().flatten().tolist():
        for plane in range(images.shape[1]):  # one at a time: large pictures must fit
            cleaned[i, plane] = _mended(images[i, plane])
    return cleaned


def _lonely(rows: Tensor) -> Tensor:
    """The share ``(N,)`` of values of ``(N, 3, R, W)`` that are black between two that are not, or white if less are.

    The smaller of the two, for letters are lonely in one colour.
    """
    shares = []
    for extreme in (rows <= EXTREME, rows >= 1 - EXTREME):
        lonely = extreme[..., 1:-1] & ~extreme[..., :-2] & ~extreme[..., 2:]
        shares.append(lonely.float().mean((1, 2, 3)))
    return torch.minimum(*shares)


def _mended(plane: Tensor) -> Tensor:
    extreme = (plane <= EXTREME) | (plane >= 1 - EXTREME)
    good = (~extreme).to(plane)[None, None]
    around = F.avg_pool2d(F.pad(plane * good, (1, 1, 1, 1)), 3, 1)[0, 0]
    share = F.avg_pool2d(F.pad(good, (1, 1, 1, 1)), 3, 1)[0, 0]
    return torch.where(extreme & (share > 0), around / share.clamp_min(1 / 9), plane)
