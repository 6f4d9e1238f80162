"""Read every tile of a picture as the whole picture is read: soft message bits per tile, which add up over regions."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.lattice.carriers import Carriers
from watermark.synchronization import Alignment

TILE = 8
"""Side of a tile, px: about as fine as whitening resolves."""


class TileReader:
    """How the tiles of one picture are read.

    What a line says of a tile is linear in its pixels, so the planes are weighed before they are added up.

    Args:
        where: alignment of one picture, fields ``(1, ...)``.
        carriers: the lines, L of them.
        maps: ``(2, h, w)``, the whitened planes.
    """

    def __init__(self, where: Alignment, carriers: Carriers, maps: Tensor) -> None:
        frequencies = where.frequencies(carriers.frequencies)[0].double()  # (L, 2) cycles per px
        inner = torch.arange(TILE, device=frequencies.device) - (TILE - 1) / 2
        places = torch.stack([inner.repeat(TILE), inner.repeat_interleave(TILE)]).double()  # (2, 64), x and y
        self.carriers = carriers
        self.tiles = cut(maps)
        """``(2, 8, 8, R, Q)``."""
        self.grid = (self.tiles.shape[3], self.tiles.shape[4])
        """Rows R and columns Q of tiles."""
        self.waves = _wave(frequencies @ places)
        """``(L, 64)`` complex, every line inside of a tile."""
        along = []
        for axis, (count, side) in enumerate(((self.grid[1], maps.shape[2]), (self.grid[0], maps.shape[1]))):
            middles = torch.arange(count, device=inner.device) * TILE + (TILE - side) / 2
            along.append(_wave(frequencies[:, axis, None] * middles))  # (L, count)
        constant = where.phases(carriers.frequencies)[0] * carriers.phase.conj()
        self.across = along[0] * (constant * (frequencies.abs().amax(1) < 0.5))[:, None]
        """``(L, Q)`` complex, the phase of every line at the middle of each column of tiles, and what the key adds."""
        self.down = along[1]
        """``(L, R)`` complex, likewise of each row."""

    def power(self, maps: Tensor | None = None) -> Tensor:
        """Mean power ``(2, L)`` of every line over the tiles, of these planes or of others ``(2, h, w)``."""
        tiles = (self.tiles if maps is None else cut(maps)).flatten(1, 2).flatten(2)
        alike = tiles @ tiles.transpose(1, 2) / tiles.shape[2]  # (2, 64, 64)
        both = torch.stack([self.waves.real, self.waves.imag])[:, None]  # (2, 1, L, 64)
        return ((both @ alike) * both).sum((0, 3))

    def soft_bits(self, weights: Tensor, count: int) -> Iterator[Tensor]:
        """Message bits of weighed lines, row by row ``(K, Q)``, as ``LatticeMark.soft_bits`` adds them up.

        Args:
            weights: ``(2, L)``, of each plane and line.
            count: number of message bits K.
        """
        waves = (weights.T[:, :, None] * self.waves[:, None]).flatten(1)  # (L, 128)
        (cosine, sine), (to_cosine, to_sine) = self.carriers.sign[:, :, None], self.carriers.bit
        for row in range(self.grid[0]):
            standing = waves * self.down[:, row, None]
            said = torch.cat([standing.real, standing.imag]) @ self.tiles[:, :, :, row].flatten(0, 2)  # (2 L, Q)
            turned = torch.complex(*said.unflatten(0, (2, -1))) * self.across
            bits = torch.zeros(count, self.grid[1], device=said.device)
            bits.index_add_(0, to_cosine, turned.real * cosine)
            yield bits.index_add_(0, to_sine, turned.imag * sine)


def cut(maps: Tensor) -> Tensor:
    """The tiles ``(N, 8, 8, R, Q)`` of maps ``(N, h, w)``; the last ones may hang over the border."""
    bottom, right = (-maps.shape[1]) % TILE, (-maps.shape[2]) % TILE
    return F.pad(maps, (0, right, 0, bottom)).unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE)).permute(0, 2, 4, 1, 3)


def tile_sum(maps: Tensor) -> Tensor:
    """Sums ``(N, R, Q)`` over the tiles of maps ``(N, h, w)``."""
    return cut(maps).sum((1, 2))


def _wave(turns: Tensor) -> Tensor:
    """``exp(-2 pi i turns)`` in single precision."""
    angle = (-2 * math.pi * (turns - turns.round())).float()
    return torch.complex(angle.cos(), angle.sin())
