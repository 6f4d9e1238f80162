"""What schemes on lattice lines share: where a mark starts, how it is read where it bends or its place is in doubt."""

import hashlib
from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.keys import Key, keyed_uniform
from watermark.schemes.base import Scheme
from watermark.synchronization import (
    Alignment,
    Spectrum,
    Synchronizer,
    follow,
    joint_score,
    spectra,
    spread_to,
    windows,
)
from watermark.transforms.color import luma
from watermark.transforms.resample import resize

CANONICAL = 512
"""Short side, px, beyond which the mark grows with the picture, so that reducing a large picture keeps it."""
MAX_AREA = 850_000
"""Pictures of more px are reduced to this many before they are read."""
ENOUGH = 18.0
"""A pilot score above which the lattice is plainly there, and plainly unbent."""
BENDABLE = 6.0
"""A pilot score below which there is no lattice to be bent."""


class LatticeScheme(Scheme):
    """A mark of plane waves at lattice frequencies, on two planes of colour.

    A subclass says how soft bits are taken from two spectra whose alignment is known.

    Args:
        message_bits: channel bits.
        key: secret of all that the scheme chooses.
        target_psnr: dB.
        flat_share: the greatest RMS of the mark in flat areas, as a share of the RMS that ``target_psnr`` stands for.
            A picture that is flat all over, such as a slide or a logo, ends up to ``-20 log10(flat_share)`` dB above
            the target rather than showing grain.
    """

    min_size = 64
    working_area = 4_000_000
    gain_limits = (0.0, 1.0)  # ``residual`` is the most that flat areas bear
    name: ClassVar[str]
    """Under which keyed choices are drawn."""
    tile: int
    """Side of the tile, lattice px."""
    synchronizer: Synchronizer

    def __init__(self, message_bits: int, key: Key, target_psnr: float | None, flat_share: float) -> None:
        super().__init__(message_bits, key, target_psnr)
        if not 0 < flat_share <= 1:
            raise ValueError(f"flat_share must be above 0 and at most 1, got {flat_share}")
        self.flat_share = flat_share

    @abstractmethod
    def _bits_at(self, planes: tuple[Spectrum, ...], where: Alignment, believe_pilot: bool = True) -> Tensor:
        """Soft bits ``(N, K)`` at one alignment for each picture, ``(N, C, K)`` at C candidates."""

    @abstractmethod
    def _bits_of_windows(self, planes: tuple[Spectrum, ...], where: Alignment, parts: int) -> Tensor:
        """Soft bits ``(N, K)`` of pictures in ``parts`` windows each, in consecutive rows."""

    def _scale(self, images: Tensor) -> float:
        """Px per lattice px at which pictures of this size are marked."""
        return max(1.0, min(images.shape[-2:]) / CANONICAL)

    def _likely_scales(self, maps: Tensor, whole: bool) -> tuple[float, ...]:
        """Px of ``maps`` per lattice px, if nothing happened to a picture that was reduced to them unless ``whole``."""
        short = min(maps.shape[-2:]) / CANONICAL
        return (short,) if short >= 1 and whole else (short, 1.0)

    def _corners(self, images: Tensor, message: Tensor) -> Tensor:
        """Lattice coordinates ``(N, 2)`` of the top left corners, drawn from key, message and picture."""
        small = F.adaptive_avg_pool2d(luma(images), 16).mul(255).round().byte().flatten(1)
        shifts = []
        for picture, bits in zip(small.cpu().numpy(), message.cpu().numpy(), strict=True):
            digest = hashlib.sha256(picture.tobytes() + bits.tobytes()).hexdigest()
            shifts.append(keyed_uniform(self.key, f"{self.name} shift {digest}", 2) * self.tile)
        return torch.from_numpy(np.stack(shifts)).to(images.device)

    def _bits_of(self, planes: tuple[Spectrum, ...], candidates: Alignment) -> Tensor:
        """Soft bits ``(N, C, K)`` at candidates, zero where a candidate is none."""
        bits = self._bits_at(planes, candidates)
        unaided = (candidates.score <= 0).all(0)  # the message found these, for want of a pilot
        if unaided.any():
            bits[:, unaided] = self._bits_at(planes, candidates.columns(unaided), believe_pilot=False)
        return bits * candidates.score.isfinite()[..., None]

    def _unbend(self, maps: Tensor, found: Alignment, logits: Tensor, others: Tensor) -> None:
        """Read window by window where that fits the pilot of ``maps`` ``(N, 2, h, w)`` better.

        Puts the better reading into ``logits`` ``(N, K)`` and the other into ``others`` ``(N, C, K)`` at 0.
        """
        unsure = (found.score > BENDABLE) & (found.score < ENOUGH)
        if not unsure.any():
            return
        cut, centres = windows(maps[unsure].flatten(0, 1))  # (2 N, parts, h, w)
        parts = len(centres)
        planes = spectra(cut.unflatten(0, (-1, 2)).transpose(1, 2).flatten(0, 1))
        local = follow(self.synchronizer.score, planes[0], spread_to(found.select(unsure), centres))
        soft = self._bits_of_windows(planes, local, parts)
        better = (joint_score(local.score, parts) > 1.1 * found.score[unsure])[:, None]
        others[unsure, 0] = torch.where(better, logits[unsure], soft)
        logits[unsure] = torch.where(better, soft, logits[unsure])


def reduced(planes: Tensor) -> tuple[Tensor, float]:
    """Planes ``(N, C, H, W)`` at the size at which a picture is read, and what their sides were multiplied by."""
    height, width = planes.shape[-2:]
    shrink = min(1.0, (MAX_AREA / (height * width)) ** 0.5)
    return resize(planes, round(height * shrink), round(width * shrink)), shrink
