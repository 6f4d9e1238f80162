"""Several marks against each other: customers who compare their copies (F5), providers who mark over a mark (F3).

Everything works on pictures and functions that the caller supplies; nothing here knows a scheme or a key.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Embed = Callable[[Tensor], Tensor]
"""Marks a batch with one identity: ``(N, 3, H, W)`` in [0, 1] to the same."""
COLLUSIONS = ("mean", "median", "minimum", "maximum", "minmax", "mosaic")


def overwrite(images: Tensor, embedders: Sequence[Embed]) -> Tensor:
    """F3: one provider after the other marks the same picture; saved with 8 bits in between. Run it in both orders."""
    for embed in embedders:
        images = (embed(images) * 255).round() / 255
    return images


def collude(copies: Tensor, how: str = "mean") -> Tensor:
    """F5: customers compare their copies of one picture.

    Args:
        copies: ``(k, N, 3, H, W)``: k differently marked copies of each of N pictures.
        how: ``mean``, ``median``, ``minimum``, ``maximum``, ``minmax`` (middle of both), ``mosaic`` (tiles in turn).

    Returns:
        ``(N, 3, H, W)``.
    """
    if how not in COLLUSIONS:
        raise ValueError(f"how must be one of {COLLUSIONS}, got {how!r}")
    if how == "mosaic":
        height, width = copies.shape[-2:]
        rows, columns = torch.arange(height) // 16, torch.arange(width) // 16
        turn = (rows[:, None] * -(-width // 16) + columns + rows[:, None]) % len(copies)
        return torch.gather(copies, 0, turn.to(copies.device).expand(1, *copies.shape[1:]))[0]
    low, high = copies.amin(0), copies.amax(0)
    middle = copies.median(0).values if how == "median" else copies.mean(0)
    return {"mean": middle, "median": middle, "minimum": low, "maximum": high, "minmax": (low + high) / 2}[how]
