"""Plane waves at any frequencies: chosen by key without a period, and drawn exactly at any size."""

import math

import numpy as np
import torch
from torch import Tensor

from watermark.keys import Key, keyed_uniform
from watermark.transforms.exact import exact

APART = 0.7
"""Least distance of two keyed frequencies, as a share of the mean spacing: small crops still tell neighbours apart."""


def wave_count(low: float, high: float, spacing: float, off_axis: float) -> int:
    """How many waves a band holds at one per ``spacing ** -2``; of each pair ``f`` and ``-f`` one counts.

    Args:
        low: least radial frequency, cycles per px.
        high: greatest radial frequency.
        spacing: px; the mean distance of two frequencies is its inverse.
        off_axis: both components of a frequency are at least this, cycles per px.
    """
    x = np.linspace(off_axis, high, 4097)
    outer = np.sqrt(np.maximum(high**2 - x**2, 0)) - off_axis
    inner = np.sqrt(np.maximum(low**2 - x**2, 0)) - off_axis
    area = 2 * np.trapezoid(np.maximum(outer, 0) - np.maximum(inner, 0), x)  # of the half plane x > 0
    return math.floor(area * spacing**2)


def keyed_frequencies(key: Key, purpose: str, low: float, high: float, spacing: float, off_axis: float) -> np.ndarray:
    """Frequencies scattered over a band by key, no two of them close and no two pairs of them alike.

    Random sequential addition: darts are thrown, and one that falls close to an earlier one is taken back. What is left
    has neither a period nor a favourite direction, so a mark made of it repeats nowhere.

    Args:
        key: secret.
        purpose: of the draw.
        low: least radial frequency, cycles per px.
        high: greatest radial frequency.
        spacing: px; there is one frequency per ``spacing ** -2``.
        off_axis: both components are at least this, cycles per px.

    Returns:
        ``(L, 2)`` float64 with ``x > 0``, ordered by radius; L is ``wave_count`` of the same band.
    """
    wanted, least = wave_count(low, high, spacing, off_axis), (APART / spacing) ** 2
    kept = np.empty((0, 2))
    if not wanted:
        raise ValueError(f"no room for a frequency between {low} and {high} cycles per px")
    for throw in range(1000):
        darts = keyed_uniform(key, f"{purpose} {throw}", 2 * 1024).reshape(-1, 2) * (high, 2 * high) - (0, high)
        square = np.square(darts).sum(1)
        darts = darts[(square >= low**2) & (square <= high**2) & (np.abs(darts).min(1) >= off_axis)]
        free = darts[_distance(darts, kept).min(1, initial=np.inf) >= least]
        among = _distance(free, free)
        close, taken = (among < least) & ~np.eye(len(free), dtype=bool), np.ones(len(free), dtype=bool)
        for number in np.flatnonzero(close.any(1)):
            taken[number] = not (close[number, :number] & taken[:number]).any()
        kept = np.concatenate([kept, free[taken]])
        if len(kept) >= wanted:
            kept = kept[:wanted]
            return kept[np.argsort(np.square(kept).sum(1), kind="stable")]
    raise ValueError(f"no room for {wanted} frequencies between {low} and {high} cycles per px")


def _distance(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Squared distances of all pairs; a frequency is also its negative."""
    (x, y), (u, v) = ours.T[..., None], theirs.T
    return np.minimum((x - u) ** 2 + (y - v) ** 2, (x + u) ** 2 + (y + v) ** 2)


class Canvas:
    """Where sums of waves are drawn, exact at every pixel: one matrix product for each drawing.

    Args:
        frequencies: ``(N, L, 2)`` cycles per px of the drawn picture, along x and y; those beyond Nyquist stay blank.
        size: height and width, px.
    """

    def __init__(self, frequencies: Tensor, size: tuple[int, int]) -> None:
        self.size = size
        self.inside = (frequencies.abs().amax(-1) < 0.5)[:, None]
        self.wave_x, self.wave_y = (_waves(frequencies[..., i], size[1 - i]) for i in (0, 1))

    @exact
    def draw(self, coefficients: Tensor) -> Tensor:
        """Draw P planes of each picture.

        Args:
            coefficients: ``(N, P, L)`` complex; wave ``j`` is ``Re(c_j exp(2 pi i f_j . x))`` with ``x`` in px from the
                middle of the picture.

        Returns:
            ``(N, P, H, W)`` real.
        """
        half = self.wave_y[:, None] * (coefficients * self.inside)[:, :, None]  # (N, P, H, L)
        left = torch.cat([half.real, -half.imag], -1).flatten(1, 2)  # Re(a b) = re re - im im
        right = torch.cat([self.wave_x.real, self.wave_x.imag], -1)  # (N, W, 2 L)
        return (left @ right.transpose(1, 2)).unflatten(1, (-1, self.size[0]))


def _waves(frequencies: Tensor, count: int) -> Tensor:
    """``exp(2 pi i f x)`` ``(N, count, L)`` of frequencies ``(N, L)`` at pixels ``x`` from the middle of a line."""
    places = torch.arange(count, device=frequencies.device, dtype=torch.float64) - (count - 1) / 2
    turns = places[:, None] * frequencies.double()[:, None]
    angle = (2 * math.pi * (turns - turns.round())).to(frequencies.dtype)
    return torch.complex(angle.cos(), angle.sin())
