"""Lattice lines: a mark that is a sum of plane waves, periodic in a square tile, drawn at any size without a grid.

A line ``(k, l)`` is the wave ``cos(2 pi (k u + l v) / tile)`` over lattice coordinates ``(u, v)``; only one of
``(k, l)`` and ``(-k, -l)`` is listed. Any affine picture of the lattice moves each line to another frequency and does
nothing else, which is why a detector can undo geometry by looking lines up in one Fourier transform.
"""

import math

import numpy as np
import torch
from torch import Tensor


def lattice_lines(tile: int, low: float, high: float, off_axis: int = 0) -> np.ndarray:
    """The lines of a band, one of each conjugate pair.

    Args:
        tile: side of the tile, lattice px.
        low: least radial frequency, cycles per lattice px.
        high: greatest radial frequency.
        off_axis: keep only lines with both ``|k|`` and ``|l|`` at least this.

    Returns:
        ``(L, 2)`` int64, columns ``k >= 0`` (along x) and ``l`` (along y), in a fixed order.
    """
    reach = math.floor(high * tile)
    along_x, along_y = np.meshgrid(np.arange(reach + 1), np.arange(-reach, reach + 1), indexing="ij")
    lines = np.stack([along_x.ravel(), along_y.ravel()], axis=1)
    radius = np.hypot(*lines.T) / tile
    upper = (lines[:, 0] > 0) | (lines[:, 1] > 0)
    kept = (radius >= low) & (radius <= high) & upper & (np.abs(lines).min(1) >= off_axis)
    if not kept.any():
        raise ValueError(f"no lattice line of a {tile} px tile lies between {low} and {high} cycles per px")
    return lines[kept]


def synthesize(
    lines: Tensor, coefficients: Tensor, tile: int, size: tuple[int, int], scale: float, shift: Tensor
) -> Tensor:
    """Draw waves at any resolution: two small matrix products per picture, exact at every pixel.

    Args:
        lines: ``(L, 2)`` integer ``(k, l)``.
        coefficients: ``(N, L)`` complex; line ``j`` contributes ``Re(c_j exp(2 pi i (k u + l v) / tile))``.
        tile: side of the tile, lattice px.
        size: height and width to draw, px.
        scale: px per lattice px; lines beyond Nyquist at this scale are left out.
        shift: ``(N, 2)`` lattice coordinates ``(u, v)`` of the picture's top left corner.

    Returns:
        ``(N, H, W)`` real.
    """
    reach = int(lines.abs().max())
    drawn = coefficients * (lines.double().norm(dim=1) / (tile * scale) < 0.5).to(coefficients)  # (N, L)
    phase = torch.exp(2j * math.pi / tile * (shift.double() @ lines.double().T)).to(coefficients.dtype)
    grid = coefficients.new_zeros(len(coefficients), 2 * reach + 1, reach + 1)  # (N, l, k)
    grid[:, lines[:, 1] + reach, lines[:, 0]] = drawn * phase
    rows, columns = (torch.arange(n, device=lines.device, dtype=torch.float64).add(0.5) / (scale * tile) for n in size)
    vertical = torch.arange(-reach, reach + 1, device=lines.device, dtype=torch.float64)
    wave_y = torch.exp(2j * math.pi * rows[:, None] * vertical).to(grid.dtype)  # (H, l)
    wave_x = torch.exp(2j * math.pi * columns[:, None] * vertical[reach:]).to(grid.dtype)  # (W, k)
    half = wave_y @ grid  # (N, H, k)
    left, right = torch.cat([half.real, -half.imag], -1), torch.cat([wave_x.real, wave_x.imag], -1)
    return left @ right.T
