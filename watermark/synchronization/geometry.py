"""Where a lattice lies in a picture: an affine map and a score."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from watermark.keys import Key, keyed_permutation, keyed_uniform
from watermark.transforms.lattice import lattice_lines


@dataclass(frozen=True)
class Alignment:
    """Affine maps from centred picture coordinates to lattice coordinates, ``u = matrix @ x + shift``.

    ``x`` is in px of the map that was searched, measured from pixel ``(W // 2, H // 2)``, x to the right and y down.

    One alignment for each of N pictures, or C candidates for each, the best first: then every field has ``(N, C)`` in
    place of ``(N,)``.

    Attributes:
        matrix: ``(N, 2, 2)`` lattice px per picture px: flip, turn, rotation, scale, aspect and shear.
        shift: ``(N, 2)`` lattice px, meaningful modulo the tile.
        score: ``(N,)`` coherent pilot sum in standard deviations of an unmarked picture.
    """

    matrix: Tensor
    shift: Tensor
    score: Tensor

    def frequencies(self, lines: Tensor, tile: int) -> Tensor:
        """Where lines ``(L, 2)`` lie in the picture, ``(N, L, 2)`` cycles per px."""
        return torch.einsum("...ji,lj->...li", self.matrix, lines.to(self.matrix)) / tile

    def phases(self, lines: Tensor, tile: int) -> Tensor:
        """The factor ``(N, L)`` that takes a looked-up line back to its embedded phase."""
        angle = self.shift @ lines.to(self.shift).T * (-2 * math.pi / tile)
        return torch.polar(torch.ones_like(angle), angle)

    def best(self) -> "Alignment":
        """The first of the candidates of each picture."""
        return Alignment(self.matrix[:, 0], self.shift[:, 0], self.score[:, 0])

    def joined(self, other: "Alignment") -> "Alignment":
        """The candidates of both for each picture."""
        fields = ("matrix", "shift", "score")
        return Alignment(*(torch.cat([getattr(self, name), getattr(other, name)], 1) for name in fields))

    def select(self, keep: Tensor) -> "Alignment":
        """The alignments of some of the pictures."""
        return Alignment(self.matrix[keep], self.shift[keep], self.score[keep])

    def columns(self, keep: Tensor) -> "Alignment":
        """Some of the candidates of every picture."""
        return Alignment(self.matrix[:, keep], self.shift[:, keep], self.score[:, keep])

    def replaced(self, where: Tensor, other: "Alignment") -> "Alignment":
        """These alignments with ``other`` put in at ``where``, a mask or indices."""
        fields = ("matrix", "shift", "score")
        merged = {name: getattr(self, name).clone() for name in fields}
        for name in fields:
            merged[name][where] = getattr(other, name).to(merged[name])
        return replace(self, **merged)


@dataclass(frozen=True)
class Pilot:
    """The known part of a mark: keyed lattice lines with keyed phases, independent of any message.

    Attributes:
        lines: ``(M, 2)`` int64, ``k > 0``.
        symbols: ``(M,)`` complex128 of modulus 1.
        tile: side of the lattice's tile, lattice px.
    """

    lines: np.ndarray
    symbols: np.ndarray
    tile: int

    @classmethod
    def from_key(
        cls, key: Key, count: int = 96, tile: int = 128, low: float = 0.05, high: float = 0.18, purpose: str = "pilot"
    ) -> "Pilot":
        """Choose ``count`` lines of the band and their phases by key.

        Lines close to an axis are left out: pictures and block codecs are loud there.

        Raises:
            ValueError: if the band holds fewer lines.
        """
        lines = lattice_lines(tile, low, high, off_axis=max(2, round(0.02 * tile)))
        if len(lines) < count:
            raise ValueError(f"expected at most {len(lines)} pilot lines between {low} and {high}, got {count}")
        chosen = np.sort(keyed_permutation(key, f"{purpose} lines", len(lines))[:count])
        angles = 2 * math.pi * keyed_uniform(key, f"{purpose} phases", count)
        return cls(lines[chosen], np.exp(1j * angles), tile)


def dihedral() -> np.ndarray:
    """The eight flips and quarter turns, ``(8, 2, 2)``; the first is the identity."""
    turns = [np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), n) for n in range(4)]
    return np.stack([turn @ flip for flip in (np.eye(2), np.diag([-1.0, 1.0])) for turn in turns])
