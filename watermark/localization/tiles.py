"""Read every tile of a picture as the whole picture is read: soft message bits per tile, which add up over regions."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.lattice.carriers import Carriers
from watermark.synchronization import Alignment

TILE = 8
"""Side of a tile, px: about as fine as whitening resolves."""


@dataclass(frozen=True)
class TileReader:
    """How the tiles of one picture are read.

    Attributes:
        patches: ``(2 L, 64)``, what a tile's pixels say of every line, real parts and then imaginary ones.
        turns: ``(L, T)`` complex, the phase of every line at the middle of each tile.
        carriers: the lines.
        bits: number of message bits K.
        grid: rows and columns of tiles.
    """

    patches: Tensor
    turns: Tensor
    carriers: Carriers
    bits: int
    grid: tuple[int, int]

    @classmethod
    def at(cls, where: Alignment, carriers: Carriers, bits: int, size: tuple[int, int]) -> "TileReader":
        """For maps of ``size`` (height, width) at an alignment of one picture, fields ``(1, ...)``."""
        frequencies = where.frequencies(carriers.frequencies)[0].double()  # (L, 2) cycles per px
        inner = torch.arange(TILE, device=frequencies.device) - (TILE - 1) / 2
        places = torch.stack([inner.repeat(TILE), inner.repeat_interleave(TILE)]).double()  # (2, 64), x and y
        wave = _wave(frequencies @ places)
        grid = (math.ceil(size[0] / TILE), math.ceil(size[1] / TILE))
        along = []
        for axis, (count, side) in enumerate(((grid[1], size[1]), (grid[0], size[0]))):
            middles = torch.arange(count, device=inner.device) * TILE + (TILE - side) / 2
            along.append(_wave(frequencies[:, axis, None] * middles))  # (L, count)
        constant = where.phases(carriers.frequencies)[0] * carriers.phase.conj()
        across = along[0] * (constant * (frequencies.abs().amax(1) < 0.5))[:, None]
        turns = (along[1][:, :, None] * across[:, None]).flatten(1)
        return cls(torch.cat([wave.real, wave.imag]), turns, carriers, bits, grid)

    def raw(self, plane: Tensor) -> Tensor:
        """Lines ``(2, L, T)`` of every tile of a plane ``(h, w)``, real and imaginary, phases as they stand there."""
        rows, columns = self.grid
        padded = F.pad(plane, (0, columns * TILE - plane.shape[1], 0, rows * TILE - plane.shape[0]))
        tiles = (
            padded.unflatten(0, (rows, TILE)).unflatten(2, (columns, TILE)).permute(1, 3, 0, 2).flatten(2).flatten(0, 1)
        )
        return (self.patches @ tiles).unflatten(0, (2, -1))

    def turned(self, raw: Tensor) -> Tensor:
        """Lines ``(L, T)`` complex with embedding and keyed phases taken off."""
        return torch.complex(raw[0], raw[1]) * self.turns

    def soft_bits(self, lines: Tensor) -> Tensor:
        """``(K, R, Q)`` message bits of weighted lines ``(L, T)``, as ``LatticeMark.soft_bits`` adds them up."""
        bits = torch.zeros(self.bits, lines.shape[1], device=lines.device)
        for part, bit, sign in zip((lines.real, lines.imag), self.carriers.bit, self.carriers.sign, strict=True):
            bits.index_add_(0, bit, part * sign[:, None])
        return bits.unflatten(1, self.grid)


def _wave(turns: Tensor) -> Tensor:
    """``exp(-2 pi i turns)`` in single precision."""
    angle = (-2 * math.pi * (turns - turns.round())).float()
    return torch.complex(angle.cos(), angle.sin())
