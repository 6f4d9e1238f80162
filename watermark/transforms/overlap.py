"""Blocks that overlap by half, put together again."""

import torch.nn.functional as F
from torch import Tensor


def overlap_add(coefficients: Tensor, basis: Tensor) -> Tensor:
    """The sum of all blocks, as ``conv_transpose2d`` with a stride of half a block, several times faster on a CPU.

    A quarter of a block is looked at in one place: the coefficients of the four blocks that reach into it.

    Args:
        coefficients: ``(N, C, h, w)`` of the blocks.
        basis: ``(C, 1, 2 s, 2 s)``, what a coefficient of 1 adds to a block.

    Returns:
        ``(N, 1, s (h + 1), s (w + 1))``.
    """
    half = basis.shape[-1] // 2
    quarters = basis[:, 0].unflatten(2, (2, half)).unflatten(1, (2, half))  # (C, 2, s, 2, s)
    reaching = quarters.flip(1, 3).permute(2, 4, 0, 1, 3).flatten(0, 1)  # (s s, C, 2, 2): of the block before, its end
    return F.pixel_shuffle(F.conv2d(coefficients, reaching, padding=1), half)
