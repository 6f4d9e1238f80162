"""Spread spectrum on lattice lines with a keyed pilot: survives crops, turns, screenshots and re-compression.

The mark is a sum of some thousand plane waves, periodic in a 128 px tile at a canonical size (short side 512 px).
A quarter of its energy is a pilot that only the key predicts; the rest carries the message, every bit on several
lines. A detector whitens the picture, takes one Fourier transform, finds the affine map at which the pilot adds up
(``watermark.synchronization``), and looks the data lines up there, trusting each region of the spectrum as far as
the pilot survived in it. The ideas are those of the spread-spectrum literature (Cox et al. 1997, O Ruanaidh & Pun 1998,
Pereira & Pun 2000, Malvar & Florencio 2003).
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.images import to_8bit
from watermark.keys import Key
from watermark.schemes.base import Readout, scale_for_psnr
from watermark.schemes.lattice_scheme import BENDABLE, CANONICAL, ENOUGH, LatticeScheme, reduced
from watermark.schemes.line_code import LineCode
from watermark.synchronization import (
    Alignment,
    Pilot,
    Spectrum,
    Synchronizer,
    read_lines,
    spectra,
    trust,
    trust_unaided,
)
from watermark.transforms.chroma import cyan_difference, cyan_to_rgb
from watermark.transforms.color import luma, luma_to_rgb
from watermark.transforms.jnd import texture_mask
from watermark.transforms.lattice import lattice_lines, synthesize
from watermark.transforms.whitening import LocalDctWhitening

USUAL_PSNR = 42.0
"""dB, from which the strength follows if no target is set."""
FLOOR = 2.0
"""The deviation, 8-bit levels, that the mask grants to flat areas."""


class TileSpread(LatticeScheme):
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
        effort: rounds of informed embedding: mark, read, give more to the bits that the picture speaks against.
        inform: how much of the picture's own contribution to a bit each round takes out, 0 to 1.
        chroma_share: share of the energy in a colour difference, where pictures are quiet: it carries crops, blur and
            median filters, and dies first in strong JPEG.
        flat_share: see ``LatticeScheme``.
    """

    name = "tile_spread"

    def __init__(
        self,
        message_bits: int = 1024,
        *,
        key: Key,
        target_psnr: float | None = 45.0,
        tile: int = 128,
        band: tuple[float, float] = (0.02, 0.2),
        pilot_lines: int = 96,
        pilot_band: tuple[float, float] = (0.05, 0.18),
        pilot_share: float = 0.27,
        mask_exponent: float = 0.85,
        exponent: float = 1.3,
        effort: int = 1,
        inform: float = 0.4,
        chroma_share: float = 0.06,
        flat_share: float = 0.7,
    ) -> None:
        super().__init__(message_bits, key, target_psnr, flat_share)
        if not 0 < pilot_share < 1:
            raise ValueError(f"pilot_share must be between 0 and 1, got {pilot_share}")
        self.tile, self.mask_exponent, self.effort, self.inform = tile, mask_exponent, effort, inform
        self.pilot = Pilot.from_key(key, pilot_lines, tile, *pilot_band, purpose="tile_spread pilot")
        taken = {tuple(line) for line in self.pilot.lines.tolist()}
        data = np.array([line for line in lattice_lines(tile, *band).tolist() if tuple(line) not in taken])
        self.chroma_share = chroma_share
        self.flat_rms = flat_share * 10 ** (-self._psnr / 20)
        self.code = LineCode(data, message_bits, key)
        self.pilot_gain = (pilot_share / (1 - pilot_share) * 2 * len(data) / pilot_lines) ** 0.5
        self.synchronizer = Synchronizer(self.pilot, data_lines=data, data_power=2 / self.pilot_gain**2)
        self.whiten = LocalDctWhitening(exponent=exponent)
        lines = np.concatenate([self.pilot.lines, data])
        self.register_buffer("lines", torch.from_numpy(lines), persistent=False)

    lines: Tensor

    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; the tile starts at a place drawn from key, message and picture, so no two marks line up."""
        signs = message.to(images.dtype) * 2 - 1
        corner = self._corners(images, message)
        mask = texture_mask(images, self.mask_exponent, FLOOR, canonical=CANONICAL)
        values = signs * self._amplitudes(images, mask, signs, corner)
        return self._draw(values, corner, mask, self._scale(images))

    @property
    def _psnr(self) -> float:
        return USUAL_PSNR if self.target_psnr is None else self.target_psnr

    def _draw(self, values: Tensor, corner: Tensor, mask: Tensor, scale: float) -> Tensor:
        """The mark of signed bit amplitudes ``(N, K)`` under a mask ``(N, H, W)``: RGB change that flat areas bear."""
        data = self.code.modulate(values)
        pilot = self.synchronizer.score.symbols.to(data.dtype) * self.pilot_gain
        symbols = torch.cat([pilot.expand(len(data), -1), data], 1)
        waves = synthesize(self.lines, symbols, self.tile, (mask.shape[-2], mask.shape[-1]), scale, corner)
        rms = (symbols.abs().square().sum(1) / 6).sqrt() * FLOOR**self.mask_exponent  # of RGB, where the mask is least
        waves = waves.mul_(mask * (self.flat_rms / rms)[:, None, None])[:, None]
        one = torch.ones_like(waves[:1, :, :1, :1])
        luma_step, cyan_step = F.normalize(luma_to_rgb(one), dim=1), F.normalize(cyan_to_rgb(one), dim=1)
        return waves * (luma_step * (1 - self.chroma_share) ** 0.5 + cyan_step * self.chroma_share**0.5)

    def _amplitudes(self, images: Tensor, mask: Tensor, signs: Tensor, corner: Tensor) -> Tensor:
        """Informed embedding: more for bits that this picture speaks against, less for those it speaks for.

        What the picture says is heard on a copy as large as the one that a reader looks at.
        """
        amplitudes = torch.ones_like(signs)
        if not self.effort:
            return amplitudes
        small, shrink = reduced(images)
        small, mask, scale = small.clamp(0, 1), reduced(mask[:, None])[0][:, 0], self._scale(images) * shrink
        for _ in range(self.effort):
            change = self._draw(signs * amplitudes, corner, mask, scale)
            gain = scale_for_psnr(small, change, self._psnr, self.gain_limits)
            marked = to_8bit(torch.addcmul(small, change, gain[:, None, None, None]).clamp_(0, 1))
            found = self._read_at(marked, corner, scale) * signs
            size_now = (found * amplitudes).sum(1, keepdim=True) / amplitudes.square().sum(1, keepdim=True)
            against = amplitudes - found / size_now.clamp_min(1e-6)  # what the picture takes, in units of amplitude
            amplitudes = (1 + self.inform * against).clamp(0, 2.5)
        return amplitudes

    def _read_at(self, marked: Tensor, corner: Tensor, scale: float) -> Tensor:
        """Soft bits ``(N, K)`` of pictures whose top left corner lies at ``corner`` of the lattice."""
        planes = spectra(
            torch.stack([self.whiten(plane[:, 0]) for plane in (luma(marked), cyan_difference(marked))], 1)
        )
        middle = corner.new_tensor([marked.shape[-1] // 2, marked.shape[-2] // 2]) + 0.5
        count = len(marked)
        alignment = Alignment(
            matrix=(torch.eye(2, device=marked.device) / scale).expand(count, 2, 2),
            shift=(corner + middle / scale).to(marked.dtype),
            score=torch.zeros(count, device=marked.device),
        )
        return self._bits_at(planes, alignment)

    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; what takes longer is done only where the pilot in luma is not clear on its own."""
        planes, shrink = reduced(torch.cat([luma(images), cyan_difference(images)], 1))
        in_luma = self.whiten(planes[:, 0])
        spectrum = Spectrum(in_luma)
        scales = self._likely_scales(planes, whole=shrink == 1)
        candidates = self.synchronizer.fast(spectrum, scales)
        alignment = candidates.best()
        logits, others = self._bits_at((spectrum,), alignment), None
        faint = alignment.score < ENOUGH
        if faint.any():
            maps = torch.stack([in_luma[faint], self.whiten(planes[faint, 1])], 1)
            logits[faint], rest = self._read_faint(maps, candidates.select(faint), scales)
            others = logits.new_zeros(len(logits), *rest.shape[1:])
            others[faint] = rest
        return Readout.of(logits, others)

    def _read_faint(self, maps: Tensor, first: Alignment, scales: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        """Both planes ``(N, 2, h, w)``, every geometry, then windows where the lattice bends; and other readings."""
        sync, planes = self.synchronizer, spectra(maps)
        both = planes[0].plus(planes[1])
        fast, search = partial(sync.fast, likely_scales=scales), partial(sync.search_unaided, likely_scales=scales)
        found, doubtful, candidates = sync.deepen(first, ((both, fast), (planes[0], search), (both, search)))
        logits = self._bits_at(planes, found)
        rest = self._read_candidates(tuple(plane.select(doubtful) for plane in planes), candidates)
        others = logits.new_zeros(len(logits), rest.shape[1] + 1, logits.shape[1])
        others[doubtful, 1:] = rest
        self._unbend(maps, found, logits, others)
        return logits, others

    def _read_candidates(self, planes: tuple[Spectrum, ...], candidates: Alignment) -> Tensor:
        """Soft bits ``(N, C + 1, K)`` at C candidates, zero where one is none.

        The last is a negative's: where the pilot of a candidate stands upside down, its bits with their signs turned.
        """
        bits = self._bits_of(planes, candidates)
        lowest, where = self.synchronizer.score(planes[0], candidates.matrix, candidates.shift).min(1)
        turned = -bits[torch.arange(len(bits)), where] * (lowest < -BENDABLE)[:, None]
        return torch.cat([bits, turned[:, None]], 1)

    def _bits_at(self, planes: tuple[Spectrum, ...], where: Alignment, believe_pilot: bool = True) -> Tensor:
        """See ``LatticeScheme``; every line is weighted by how well the mark survived around it."""
        bits = []
        for plane in planes:
            data = read_lines(plane, where, self.code.lines, self.tile)
            amplitude = self._trust(plane, where) if believe_pilot else trust_unaided(data, self.code.lines, self.tile)
            bits.append(self.code.demodulate(data, 4 * amplitude))
        return torch.stack(bits).sum(0)

    def _bits_of_windows(self, planes: tuple[Spectrum, ...], where: Alignment, parts: int) -> Tensor:
        return self._bits_at(planes, where).unflatten(0, (-1, parts)).sum(1)

    def _trust(self, plane: Spectrum, where: Alignment) -> Tensor:
        """Expected amplitudes of data lines, judged by the pilot.

        A plane whose whole pilot stands less than two deviations above nothing is as good as left out.
        """
        score = self.synchronizer.score
        pilot = read_lines(plane, where, score.lines, self.tile) * score.symbols.conj()
        standing = (pilot.real.sum(-1, keepdim=True) * (2 / len(score.lines)) ** 0.5).clamp_min(1e-3)
        amplitude = trust(pilot, score.lines, self.code.lines, self.tile) * (1 - (2 / standing) ** 2).clamp_min(0.05)
        return amplitude / self.pilot_gain
