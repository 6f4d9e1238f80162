"""Spread spectrum on lattice lines with a keyed pilot: survives crops, turns, screenshots and re-compression.

The mark is a sum of some thousand plane waves, periodic in a 128 px tile at a canonical size (short side 512 px).
A quarter of its energy is a pilot that only the key predicts; the rest carries the message, every bit on several
lines. A detector whitens the picture, takes one Fourier transform, finds the affine map at which the pilot adds up
(``watermark.synchronization``), and looks the data lines up there, trusting each region of the spectrum as far as
the pilot survived in it. The ideas are those of the spread-spectrum literature (Cox et al. 1997, O Ruanaidh & Pun 1998,
Pereira & Pun 2000, Malvar & Florencio 2003).
"""

import hashlib
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.images import to_8bit
from watermark.keys import keyed_uniform
from watermark.schemes.base import Readout, Scheme, scale_for_psnr
from watermark.schemes.line_code import LineCode
from watermark.synchronization import (
    Alignment,
    Pilot,
    Spectrum,
    Synchronizer,
    follow,
    joint_score,
    read_lines,
    spread_to,
    trust,
    trust_unaided,
    windows,
)
from watermark.transforms.chroma import cyan_difference, cyan_to_rgb
from watermark.transforms.color import luma, luma_to_rgb
from watermark.transforms.jnd import texture_mask
from watermark.transforms.lattice import lattice_lines, synthesize
from watermark.transforms.resample import resize
from watermark.transforms.whitening import LocalDctWhitening

CANONICAL = 512
"""Short side, px, beyond which the mark grows with the picture, so that reducing a large picture keeps it."""
USUAL_PSNR = 42.0
"""dB, from which the strength follows if no target is set."""
FLOOR = 2.0
"""The deviation, 8-bit levels, that the mask grants to flat areas."""
ENOUGH = 18.0
"""A pilot score in luma from which the colour plane is not read: the message is certain without it."""
BENDABLE = 6.0
"""A pilot score from which it is worth looking whether the lattice bends."""
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
        effort: rounds of informed embedding: mark, read, give more to the bits that the picture speaks against.
        inform: how much of the picture's own contribution to a bit each round takes out, 0 to 1.
        chroma_share: share of the energy in a colour difference, where pictures are quiet: it carries crops, blur and
            median filters, and dies first in strong JPEG.
        flat_share: the greatest RMS of the mark in a flat area, as a share of the RMS that ``target_psnr`` stands for.
            A picture that is flat all over, such as a slide or a logo, ends up to ``-20 log10(flat_share)`` dB above
            the target rather than showing grain.
    """

    min_size = 64
    gain_limits = (0.0, 1.0)  # ``residual`` is the most that flat areas bear

    def __init__(
        self,
        message_bits: int = 1024,
        key: int = 0,
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
        super().__init__(message_bits, key, target_psnr)
        if not 0 < pilot_share < 1:
            raise ValueError(f"pilot_share must be between 0 and 1, got {pilot_share}")
        if not 0 < flat_share <= 1:
            raise ValueError(f"flat_share must be above 0 and at most 1, got {flat_share}")
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

    def _scale(self, images: Tensor) -> float:
        """Px per lattice px at which pictures of this size are marked."""
        return max(1.0, min(images.shape[-2:]) / CANONICAL)

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
        height, width = images.shape[-2:]
        shrink = min(1.0, (MAX_SEARCH_AREA / (height * width)) ** 0.5)
        size, scale = (round(height * shrink), round(width * shrink)), self._scale(images) * shrink
        small, mask = resize(images, *size).clamp(0, 1), resize(mask[:, None], *size)[:, 0]
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
        spectra = [Spectrum(self.whiten(plane[:, 0])) for plane in (luma(marked), cyan_difference(marked))]
        middle = corner.new_tensor([marked.shape[-1] // 2, marked.shape[-2] // 2]) + 0.5
        count = len(marked)
        alignment = Alignment(
            matrix=(torch.eye(2, device=marked.device) / scale).expand(count, 2, 2),
            shift=(corner + middle / scale).to(marked.dtype),
            score=torch.zeros(count, device=marked.device),
        )
        return self._soft_bits(spectra[0], alignment) + self._soft_bits(spectra[1], alignment)

    def _corners(self, images: Tensor, message: Tensor) -> Tensor:
        small = F.adaptive_avg_pool2d(luma(images), 16).mul(255).round().byte().flatten(1)
        shifts = []
        for picture, bits in zip(small.cpu().numpy(), message.cpu().numpy(), strict=True):
            digest = hashlib.sha256(picture.tobytes() + bits.tobytes()).hexdigest()
            shifts.append(keyed_uniform(self.key, f"tile_spread shift {digest}", 2) * self.tile)
        return torch.from_numpy(np.stack(shifts)).to(images.device)

    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; what takes longer is done only where the pilot in luma is not clear on its own."""
        planes, shrink = self._planes(images)
        maps = self.whiten(planes[:, 0])
        spectrum = Spectrum(maps)
        short = min(spectrum.size) / CANONICAL
        scales = (short,) if short >= 1 and shrink == 1 else (short, 1.0)
        candidates = self.synchronizer.fast(spectrum, scales)
        alignment = candidates.best()
        logits, others = self._soft_bits(spectrum, alignment), None
        faint = alignment.score < ENOUGH
        if faint.any():
            both = torch.stack([maps[faint], self.whiten(planes[faint, 1])])
            first = candidates.select(faint)
            logits[faint], rest = self._read_faint(both, spectrum.select(faint), first, scales)
            others = logits.new_zeros(len(logits), *rest.shape[1:])
            others[faint] = rest
        return Readout.of(logits, others)

    def _read_faint(
        self, maps: Tensor, spectrum: Spectrum, first: Alignment, scales: tuple[float, ...]
    ) -> tuple[Tensor, Tensor]:
        """Both planes ``(2, N, h, w)``, every geometry, then windows where the lattice bends; and other readings."""
        sync, other = self.synchronizer, Spectrum(maps[1])
        both = spectrum.plus(other)
        fast, search = partial(sync.fast, likely_scales=scales), partial(sync.search_unaided, likely_scales=scales)
        stages = ((both, fast), (spectrum, search), (both, search))
        found, doubtful, candidates = sync.deepen(first, stages)
        logits = self._soft_bits(spectrum, found) + self._soft_bits(other, found)
        rest = self._read_candidates(spectrum.select(doubtful), other.select(doubtful), candidates)
        others = logits.new_zeros(len(logits), rest.shape[1] + 1, logits.shape[1])
        others[doubtful, 1:] = rest
        unsure = (found.score > BENDABLE) & (found.score < ENOUGH)
        if unsure.any():
            soft, score = self._read_bent(maps[:, unsure], found.select(unsure))
            better = (score > 1.1 * found.score[unsure])[:, None]
            others[unsure, 0] = torch.where(better, logits[unsure], soft)
            logits[unsure] = torch.where(better, soft, logits[unsure])
        return logits, others

    def _read_candidates(self, spectrum: Spectrum, other: Spectrum, candidates: Alignment) -> Tensor:
        """Soft bits ``(N, C + 1, K)`` at C candidates, zero where one is none.

        The last is a negative's: where the pilot of a candidate stands upside down, its bits with their signs turned.
        """
        bits = self._soft_bits(spectrum, candidates) + self._soft_bits(other, candidates)
        unaided = (candidates.score <= 0).all(0)  # the message found these, for want of a pilot
        if unaided.any():
            there = candidates.columns(unaided)
            bits[:, unaided] = self._unaided_bits(spectrum, there) + self._unaided_bits(other, there)
        bits = bits * candidates.score.isfinite()[..., None]
        lowest, where = self.synchronizer.score(spectrum, candidates.matrix, candidates.shift).min(1)
        turned = -bits[torch.arange(len(bits)), where] * (lowest < -BENDABLE)[:, None]
        return torch.cat([bits, turned[:, None]], 1)

    def _read_bent(self, maps: Tensor, found: Alignment) -> tuple[Tensor, Tensor]:
        """Read window by window: message bits, and the windows' joint score."""
        cut, centres = windows(maps.flatten(0, 1))
        parts = len(centres)
        first, second = (Spectrum(part) for part in cut.unflatten(0, (2, -1)).flatten(1, 2))
        local = follow(self.synchronizer.score, first, spread_to(found, centres))
        soft = self._soft_bits(first, local) + self._soft_bits(second, local)
        soft = soft.unflatten(0, (-1, parts)).sum(1)
        return soft, joint_score(local.score, parts)

    def _planes(self, images: Tensor) -> tuple[Tensor, float]:
        """Luma and colour difference ``(N, 2, h, w)``, large pictures reduced, and by how much."""
        height, width = images.shape[-2:]
        shrink = min(1.0, (MAX_SEARCH_AREA / (height * width)) ** 0.5)
        planes = torch.cat([luma(images), cyan_difference(images)], 1)
        return resize(planes, round(height * shrink), round(width * shrink)), shrink

    def _soft_bits(self, spectrum: Spectrum, alignment: Alignment) -> Tensor:
        """Message bits ``(N, K)`` at an alignment, every line weighted by how well the pilot survived around it.

        ``(N, C, K)`` at C candidate alignments of each picture.

        A plane whose whole pilot stands less than two deviations above nothing is as good as left out.
        """
        score = self.synchronizer.score
        pilot = read_lines(spectrum, alignment, score.lines, self.tile) * score.symbols.conj()
        standing = (pilot.real.sum(-1, keepdim=True) * (2 / len(score.lines)) ** 0.5).clamp_min(1e-3)
        amplitude = trust(pilot, score.lines, self.code.lines, self.tile) * (1 - (2 / standing) ** 2).clamp_min(0.05)
        data = read_lines(spectrum, alignment, self.code.lines, self.tile)
        return self.code.demodulate(data, 4 * amplitude / self.pilot_gain)

    def _unaided_bits(self, spectrum: Spectrum, alignment: Alignment) -> Tensor:
        """``_soft_bits`` where the pilot is gone: every line weighted by how loud those around it are."""
        data = read_lines(spectrum, alignment, self.code.lines, self.tile)
        return self.code.demodulate(data, 4 * trust_unaided(data, self.code.lines, self.tile))
