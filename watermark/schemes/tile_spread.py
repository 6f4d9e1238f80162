"""Spread spectrum on lattice lines with a keyed pilot: survives crops, turns, screenshots and re-compression.

The mark is a sum of some thousand plane waves, periodic in a 128 px tile at a canonical size (short side 512 px).
A quarter of its energy is a pilot that only the key predicts; the rest carries the message, every bit on several
lines. A detector whitens the picture, takes one Fourier transform, finds the affine map at which the pilot adds up
(``watermark.synchronization``), and looks the data lines up there, trusting each region of the spectrum as far as
the pilot survived in it. The ideas are those of the spread-spectrum literature (Cox et al. 1997, O Ruanaidh & Pun 1998,
Pereira & Pun 2000, Malvar & Florencio 2003).
"""

import hashlib

import numpy as np
import torch
from torch import Tensor

from watermark.keys import keyed_uniform
from watermark.schemes.base import Readout, Scheme
from watermark.schemes.line_code import LineCode
from watermark.synchronization import Pilot, Spectrum, Synchronizer, read_lines, trust
from watermark.transforms.color import luma, luma_to_rgb
from watermark.transforms.jnd import texture_mask
from watermark.transforms.lattice import lattice_lines, synthesize
from watermark.transforms.resample import resize
from watermark.transforms.whitening import LocalDctWhitening

CANONICAL = 512
"""Short side, px, beyond which the mark grows with the picture, so that reducing a large picture keeps it."""
MAX_SEARCH_AREA = 850_000
"""Pictures of more px are reduced to this many before they are searched."""


class TileSpread(Scheme):
    """Lattice lines, a pilot, a perceptual mask.

    Args:
        message_bits: channel bits.
        key: secret of lines, phases, interleaving and signs.
        target_psnr: dB.
        tile: side of the tile in lattice px.
        band: least and greatest frequency of the data lines, cycles per lattice px.
        pilot_lines: number of pilot lines; more are harder to notch out, fewer are found at lower amplitude.
        pilot_band: their frequencies.
        pilot_share: share of the mark's energy that the pilot takes.
        mask_exponent: 0 spreads the mark evenly, 1 follows texture fully.
        exponent: of the whitening.
    """

    min_size = 64

    def __init__(
        self,
        message_bits: int = 512,
        key: int = 0,
        target_psnr: float | None = 45.0,
        tile: int = 128,
        band: tuple[float, float] = (0.02, 0.2),
        pilot_lines: int = 96,
        pilot_band: tuple[float, float] = (0.05, 0.18),
        pilot_share: float = 0.27,
        mask_exponent: float = 0.75,
        exponent: float = 1.3,
    ) -> None:
        super().__init__(message_bits, key, target_psnr)
        if not 0 < pilot_share < 1:
            raise ValueError(f"pilot_share must be between 0 and 1, got {pilot_share}")
        self.tile, self.mask_exponent = tile, mask_exponent
        self.pilot = Pilot.from_key(key, pilot_lines, tile, *pilot_band, purpose="tile_spread pilot")
        taken = {tuple(line) for line in self.pilot.lines.tolist()}
        data = np.array([line for line in lattice_lines(tile, *band).tolist() if tuple(line) not in taken])
        self.code = LineCode(data, message_bits, key)
        self.pilot_gain = (pilot_share / (1 - pilot_share) * 2 * len(data) / pilot_lines) ** 0.5
        self.synchronizer = Synchronizer(self.pilot)
        self.whiten = LocalDctWhitening(exponent=exponent)
        lines = np.concatenate([self.pilot.lines, data])
        self.register_buffer("lines", torch.from_numpy(lines), persistent=False)

    lines: Tensor

    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; the tile starts at a place drawn from key, message and picture, so no two marks line up."""
        data = self.code.modulate(message.to(images.dtype) * 2 - 1)
        pilot = self.synchronizer.score.symbols.to(data.dtype) * self.pilot_gain
        symbols = torch.cat([pilot.expand(len(data), -1), data], 1)
        height, width = images.shape[-2:]
        scale = max(1.0, min(height, width) / CANONICAL)
        shift = self._shifts(images, message)
        waves = synthesize(self.lines, symbols, self.tile, (height, width), scale, shift)
        mask = texture_mask(images, self.mask_exponent, canonical=CANONICAL)
        return luma_to_rgb((waves * mask)[:, None])

    def _shifts(self, images: Tensor, message: Tensor) -> Tensor:
        small = torch.nn.functional.adaptive_avg_pool2d(luma(images), 16).mul(255).round().byte().flatten(1)
        shifts = []
        for picture, bits in zip(small.cpu().numpy(), message.cpu().numpy(), strict=True):
            digest = hashlib.sha256(picture.tobytes() + bits.tobytes()).hexdigest()
            shifts.append(keyed_uniform(self.key, f"tile_spread shift {digest}", 2) * self.tile)
        return torch.from_numpy(np.stack(shifts)).to(images.device)

    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``."""
        height, width = images.shape[-2:]
        shrink = min(1.0, (MAX_SEARCH_AREA / (height * width)) ** 0.5)
        plane = resize(luma(images), round(height * shrink), round(width * shrink))[:, 0]
        spectrum = Spectrum(self.whiten(plane))
        short = min(plane.shape[-2:]) / CANONICAL
        alignment = self.synchronizer(spectrum, (short,) if short >= 1 and shrink == 1 else (short, 1.0))
        pilot = read_lines(spectrum, alignment, self.synchronizer.score.lines, self.tile)
        amplitude = trust(
            pilot * self.synchronizer.score.symbols.conj(), self.synchronizer.score.lines, self.code.lines, self.tile
        )
        data = read_lines(spectrum, alignment, self.code.lines, self.tile)
        return Readout(self.code.demodulate(data, 4 * amplitude / self.pilot_gain), alignment.hypotheses)
