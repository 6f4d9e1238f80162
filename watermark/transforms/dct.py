"""Orthonormal block DCT-II, the one that JPEG and the classical schemes mean (``scipy.fft.dctn(norm="ortho")``)."""

import math

import torch
from torch import Tensor


def dct_matrix(size: int, like: Tensor) -> Tensor:
    """``(size, size)`` orthonormal DCT-II matrix; row u is the basis function of frequency ``u / (2 size)``."""
    n = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * (n + 0.5) * n[:, None]) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.to(like)


def block_dct(blocks: Tensor) -> Tensor:
    """2-D DCT of the last two (square) dimensions: ``(..., B, B)`` to ``(..., B, B)``."""
    matrix = dct_matrix(blocks.shape[-1], blocks)
    return matrix @ blocks @ matrix.T


def block_idct(coefficients: Tensor) -> Tensor:
    """The inverse of ``block_dct``."""
    matrix = dct_matrix(coefficients.shape[-1], coefficients)
    return matrix.T @ coefficients @ matrix


def to_blocks(planes: Tensor, size: int) -> Tensor:
    """Cut ``(N, H, W)`` into ``(N, H/size * W/size, size, size)`` blocks, row by row.

    Raises:
        ValueError: if a side is not a multiple of ``size``.
    """
    count, height, width = planes.shape
    if height % size or width % size:
        raise ValueError(f"expected sides that are multiples of {size}, got {width}x{height}")
    blocks = planes.unflatten(1, (-1, size)).unflatten(3, (-1, size)).transpose(2, 3)  # (N, H/s, W/s, s, s)
    return blocks.reshape(count, -1, size, size)


def from_blocks(blocks: Tensor, height: int, width: int) -> Tensor:
    """The inverse of ``to_blocks``: ``(N, B, size, size)`` to ``(N, height, width)``."""
    count, _, size, _ = blocks.shape
    grid = blocks.reshape(count, height // size, width // size, size, size)
    return grid.transpose(2, 3).reshape(count, height, width)
