"""Where a mark lies in a picture: an affine map and a score."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from watermark.keys import Key, keyed_uniform
from watermark.synchronization.settings import POSE_REACH, POSE_SCALES, POSE_SHIFTS, POSE_SPREAD
from watermark.transforms.exact import exact


@dataclass(frozen=True)
class Alignment:
    """Affine maps from picture coordinates to those of the carriers' plane, ``u = matrix @ x + shift``.

    ``x`` is in px of the map that was searched, measured from the middle of the picture, x to the right and y down.

    One alignment for each of N pictures, or C candidates for each, the best first: then every field has ``(N, C)`` in
    place of ``(N,)``.

    Attributes:
        matrix: ``(N, 2, 2)`` plane px per picture px: flip, turn, rotation, scale, aspect and shear.
        shift: ``(N, 2)`` plane px.
        score: ``(N,)`` coherent pilot sum in standard deviations of an unmarked picture.
    """

    matrix: Tensor
    shift: Tensor
    score: Tensor

    @exact
    def frequencies(self, lines: Tensor) -> Tensor:
        """Where lines ``(L, 2)``, cycles per plane px, lie in the picture: ``(N, L, 2)`` cycles per px."""
        return torch.einsum("...ji,lj->...li", self.matrix, lines.to(self.matrix))

    @exact
    def phases(self, lines: Tensor) -> Tensor:
        """The factor ``(N, L)`` that takes a looked-up line back to its embedded phase."""
        angle = self.shift @ lines.to(self.shift).T * (-2 * math.pi)
        return torch.polar(torch.ones_like(angle), angle)

    def best(self) -> "Alignment":
        """The first of the candidates of each picture."""
        return Alignment(self.matrix[:, 0], self.shift[:, 0], self.score[:, 0])

    @classmethod
    def none(cls, count: int, candidates: int, like: Tensor) -> "Alignment":
        """Candidates ``(count, candidates)`` of a score of minus infinity, which are none, where ``like`` lives."""
        return cls(
            like.new_zeros(count, candidates, 2, 2),
            like.new_zeros(count, candidates, 2),
            like.new_full((count, candidates), -math.inf),
        )

    def repeated(self, times: int) -> "Alignment":
        """The one candidate of each picture, several times over."""
        return Alignment(
            self.matrix.expand(-1, times, -1, -1), self.shift.expand(-1, times, -1), self.score.expand(-1, times)
        )

    def joined(self, other: "Alignment") -> "Alignment":
        """The candidates of both for each picture."""
        fields = ("matrix", "shift", "score")
        return Alignment(*(torch.cat([getattr(self, name), getattr(other, name)], 1) for name in fields))

    def select(self, keep: Tensor) -> "Alignment":
        """The alignments of some of the pictures."""
        return Alignment(self.matrix[keep], self.shift[keep], self.score[keep])

    def columns(self, keep: Tensor | slice) -> "Alignment":
        """Some of the candidates of every picture."""
        return Alignment(self.matrix[:, keep], self.shift[:, keep], self.score[:, keep])

    def top(self, keep: int) -> "Alignment":
        """The ``keep`` candidates of the highest scores, the best first."""
        score, which = self.score.topk(min(keep, self.score.shape[1]), dim=1)
        matrix = self.matrix.gather(1, which[..., None, None].expand(-1, -1, 2, 2))
        return Alignment(matrix, self.shift.gather(1, which[..., None].expand(-1, -1, 2)), score)

    def begun_with(self, first: "Alignment") -> "Alignment":
        """The candidates ``(N, C)``, the first of each replaced by ``first`` ``(N,)``."""
        return Alignment(first.matrix[:, None], first.shift[:, None], first.score[:, None]).joined(
            self.columns(slice(1, None))
        )

    def distinct(self, size: tuple[int, int], apart: float) -> "Alignment":
        """The candidates ``(N, C)``, those at minus infinity that lie less than ``apart`` plane px from a better one.

        Args:
            size: height and width of the map, over which two of them are compared.
            apart: plane px at its border.
        """
        half = self.matrix.new_tensor([size[1] / 2, size[0] / 2])
        turned = (self.matrix[:, :, None] - self.matrix[:, None]).abs() @ half  # (N, C, C, 2)
        moved = (self.shift[:, :, None] - self.shift[:, None]).abs()
        near = (turned + moved).amax(-1) < apart
        beaten = (near & (self.score[:, None] > self.score[..., None])).any(-1)
        return replace(self, score=self.score.masked_fill(beaten, -math.inf))

    def replaced(self, where: Tensor, other: "Alignment") -> "Alignment":
        """These alignments with ``other`` put in at ``where``, a mask or indices."""
        fields = ("matrix", "shift", "score")
        merged = {name: getattr(self, name).clone() for name in fields}
        for name in fields:
            merged[name][where] = getattr(other, name).to(merged[name])
        return replace(self, **merged)


@dataclass(frozen=True)
class Lines:
    """Keyed carriers: plane waves of known frequency and phase.

    Attributes:
        frequencies: ``(L, 2)`` float64, cycles per plane px, ``x > 0``.
        symbols: ``(L,)`` complex128 of modulus 1, the phases.
    """

    frequencies: np.ndarray
    symbols: np.ndarray

    def __len__(self) -> int:
        return len(self.frequencies)

    def select(self, keep: np.ndarray) -> "Lines":
        """Some of the lines."""
        return Lines(self.frequencies[keep], self.symbols[keep])


@dataclass(frozen=True)
class Poses:
    """The ways in which the carriers' plane may lie under a picture that nothing happened to: keyed scales and shifts.

    Every mark takes one of them, and one of the eight flips and turns, so that no line stands at the same place in two
    pictures. A reader tries all of them by look-ups.

    Attributes:
        scales: ``(S,)`` float64, px of an unscaled picture per plane px.
        shifts: ``(S, K, 2)`` float64, plane px at the middle of the picture.
    """

    scales: np.ndarray
    shifts: np.ndarray

    @classmethod
    def from_key(cls, key: Key, purpose: str) -> "Poses":
        """Draw them; every scale stands in its own part of the range.

        Args:
            key: secret.
            purpose: of the draw.
        """
        place = (np.arange(POSE_SCALES) + keyed_uniform(key, f"{purpose} scales", POSE_SCALES)) / POSE_SCALES
        drawn = keyed_uniform(key, f"{purpose} shifts", 2 * POSE_SCALES * POSE_SHIFTS)
        shifts = POSE_REACH * (2 * drawn.reshape(POSE_SCALES, POSE_SHIFTS, 2) - 1)
        return cls((1 + POSE_SPREAD) ** (2 * place - 1), shifts)


def dihedral() -> np.ndarray:
    """The eight flips and quarter turns, ``(8, 2, 2)``; the last four are the half turns of the first four."""
    flips = [np.array(rows) for rows in ([[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, 1], [-1, 0]])]
    return np.stack([sign * flip for sign in (1, -1) for flip in flips]).astype(np.float64)
