"""What the two classical baselines share: one number per block of the wavelet approximation is quantised.

The picture is looked at in a canonical 512 x 512 frame, so that the decoder needs neither the original nor its size
and resizing costs nothing. Its luma goes through one Haar level; the approximation (256 x 256) is cut into 4 x 4
blocks; in every block one feature x (a DCT coefficient, a singular value) is moved to the nearest point of one of two
interleaved lattices (dithered quantisation index modulation, Chen & Wornell 2001):

    bit 0: dither + k step        bit 1: dither + (k + 1/2) step

Keyed dithers make the error uniform whatever the picture, so the PSNR follows from the step alone, and the decoder can
know the step from ``target_psnr``. Every message bit sits in many blocks; its logit is the sum of their soft votes.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from watermark.keys import Key, keyed_permutation, keyed_uniform
from watermark.schemes.base import Readout, Scheme
from watermark.transforms.color import LUMA, luma, luma_to_rgb
from watermark.transforms.dct import from_blocks, to_blocks
from watermark.transforms.dwt import haar_dwt2, haar_idwt2
from watermark.transforms.resample import resize

FRAME = 512  # px, side of the canonical frame
BLOCK = 4  # approximation coefficients, side of a block
BLOCKS = (FRAME // 2 // BLOCK) ** 2  # 4096 features a picture
ROUNDS = 3  # corrections for what resampling, clipping and the other sub-bands took away


class BlockQuantization(Scheme):
    """Quantise one feature per block; subclasses say which.

    Args:
        message_bits: K, 1 to 4096.
        key: secret of the dithers and of the order of the blocks.
        step: of quantisation, in 8-bit levels (of an orthonormal transform), 1 to 1000; larger is stronger and
            more visible. None: the step follows from ``target_psnr``.
        target_psnr: dB; the other way to set the same dial, not used when ``step`` is given. The step is the one
            whose expected quality is this on any picture, so the decoder must be told the same number.
    """

    working_area = 4_000_000  # the frame is far smaller
    min_size = 96  # below, the quantised waves are finer than the pixels
    strength = "shared"
    gain_limits = (0.8, 1.1)  # beyond these a scaled residual would miss its lattice points

    def __init__(
        self, message_bits: int = 256, *, key: Key, step: float | None = None, target_psnr: float | None = 42.0
    ) -> None:
        super().__init__(message_bits, key, target_psnr if step is None else None)
        if message_bits > BLOCKS:
            raise ValueError(f"message_bits must be at most {BLOCKS} (one per block), got {message_bits}")
        if step is None and target_psnr is None:
            raise ValueError("expected a step or a target_psnr, got neither")
        step = step_for_psnr(target_psnr) if step is None and target_psnr is not None else step
        if step is None or not 1 <= step <= 1000:
            raise ValueError(f"step must be between 1 and 1000 8-bit levels, got {step}")
        self.step = step / 255
        purpose = type(self).__name__
        bits = keyed_permutation(key, f"{purpose} order", BLOCKS) % message_bits
        dither = keyed_uniform(key, f"{purpose} dither", BLOCKS)
        self.register_buffer("bit_of_block", torch.from_numpy(bits), persistent=False)
        self.register_buffer("dither", torch.from_numpy(dither).float() * self.step, persistent=False)
        self.bit_of_block: Tensor
        self.dither: Tensor

    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """Move every feature to its lattice, in the canonical frame, and enlarge the change to the picture's size."""
        frame = _to_frame(luma(images))
        target = self._quantized(frame, message.to(images.device))  # (N, FRAME, FRAME)
        change = torch.zeros_like(images[:, :1])
        seen = frame
        for _ in range(ROUNDS):
            change = change + resize((target - seen)[:, None], (images.shape[-2], images.shape[-1]))
            seen = _to_frame(luma((images + luma_to_rgb(change)).clamp(0, 1)))
        return luma_to_rgb(change)

    def read(self, images: Tensor) -> Readout:
        """Soft vote of every block, summed per bit: ``-cos`` of the phase within a lattice cell, in ``[-1, 1]``."""
        bands = haar_dwt2(_to_frame(luma(images)))
        features = self.features(to_blocks(bands.approximation, BLOCK))  # (N, BLOCKS)
        votes = -torch.cos(2 * math.pi * (features - self.dither.to(images.device)) / self.step)
        logits = votes.new_zeros(len(images), self.message_bits)
        logits.index_add_(1, self.bit_of_block.to(images.device), votes)
        return Readout.of(logits)

    def _quantized(self, frame: Tensor, message: Tensor) -> Tensor:
        bands = haar_dwt2(frame)
        blocks = to_blocks(bands.approximation, BLOCK)
        offset = self.dither.to(frame.device) + message[:, self.bit_of_block.to(frame.device)] * (self.step / 2)
        cell = ((self.features(blocks) - offset) / self.step).round()
        if not self.signed:
            cell = torch.maximum(cell, (-offset / self.step).ceil())
        moved = self.with_features(blocks, offset + cell * self.step)
        return haar_idwt2(bands._replace(approximation=from_blocks(moved, *bands.approximation.shape[-2:])))

    signed: bool = True
    """Whether a feature may be negative."""

    @abstractmethod
    def features(self, blocks: Tensor) -> Tensor:
        """``(N, B, 4, 4)`` approximation blocks to ``(N, B)`` features."""

    @abstractmethod
    def with_features(self, blocks: Tensor, values: Tensor) -> Tensor:
        """The nearest blocks that have these features: ``(N, B, 4, 4)``."""


def step_for_psnr(target: float) -> float:
    """Quantisation step, in 8-bit levels, whose expected PSNR over RGB is ``target`` dB.

    A uniform error of variance step^2 / 12 sits in one of FRAME^2 / BLOCKS orthonormal coefficients of luma, and a
    luma change d costs d^2 / (3 |w|^2) per RGB sample for luma weights w.
    """
    error = 255**2 * 10 ** (-target / 10)  # per RGB sample
    per_luma = error * 3 * sum(w * w for w in LUMA)
    return math.sqrt(12 * per_luma * FRAME**2 / BLOCKS)


def _to_frame(planes: Tensor) -> Tensor:
    return resize(planes, (FRAME, FRAME))[:, 0]
