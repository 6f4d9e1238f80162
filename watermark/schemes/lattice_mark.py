"""The differentiable heart of the learned schemes: a message on lattice lines, drawn and read at a known alignment.

A mark is a sum of waves whose frequencies are multiples of 1/tile cycles per lattice pixel. Two symbols ride on each
wave (its cosine and its sine) and on each of two colour planes; some waves are a pilot that is known to the key holder
and carries nothing. Drawing, the Fourier look-up and the blind search are those of the classical scheme
(``watermark.transforms.lattice``, ``watermark.synchronization``), so what is trained is what runs.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from watermark.keys import Key, keyed_permutation, keyed_signs
from watermark.schemes.lattice_scheme import reduced
from watermark.schemes.networks import BlockWhitening, LineWeights, Profile, TextureMask, from_planes, to_planes
from watermark.synchronization import Alignment, Pilot, Spectrum, read_lines, spectra
from watermark.transforms.lattice import lattice_lines, synthesize
from watermark.transforms.resample import resize


@dataclass(frozen=True)
class Layout:
    """What a key chooses.

    Attributes:
        pilot: the known lines, for the synchronisation.
        is_pilot: ``(L,)`` bool, which of the lattice lines these are.
        phase: ``(L,)`` complex of modulus one, the pilot's phases; 1 at data lines.
        bit: ``(2, L)`` int64, the message bit that the cosine and the sine of a line carry.
        sign: ``(2, L)`` float, the keyed sign of each symbol; 0 at pilot lines.
    """

    pilot: Pilot
    is_pilot: Tensor
    phase: Tensor
    bit: Tensor
    sign: Tensor

    def to(self, device: torch.device) -> "Layout":
        """The same choices on a device."""
        tensors = (part.to(device) for part in (self.is_pilot, self.phase, self.bit, self.sign))
        return Layout(self.pilot, *tensors)


class LatticeMark(nn.Module):
    """Render a message as a residual and read it back, with everything that is trained.

    Args:
        message_bits: K, code bits per picture.
        tile: period of the lattice, lattice px.
        low: inner radius of the band, cycles per lattice px.
        high: outer radius.
        pilot_lines: number of pilot lines.
        pilot_band: radii between which pilot lines lie.
        pilot_share: share of the energy that the pilot takes.
        width: channels of the whitening networks; 0 for the classical blocks alone.
        chroma: start value of the log amplitude of the blue-difference plane against luma.
        mask_exponent: start value of the activity mask's exponent.
    """

    lines: Tensor
    radius: Tensor
    angle: Tensor

    def __init__(
        self,
        message_bits: int = 1024,
        tile: int = 128,
        low: float = 0.02,
        high: float = 0.2,
        pilot_lines: int = 96,
        pilot_band: tuple[float, float] = (0.05, 0.18),
        pilot_share: float = 0.25,
        width: int = 24,
        chroma: float = -1.2,
        mask_exponent: float = 0.75,
    ) -> None:
        super().__init__()
        self.message_bits, self.tile = message_bits, tile
        self.pilot_lines, self.pilot_band, self.pilot_share = pilot_lines, (pilot_band[0], pilot_band[1]), pilot_share
        lines = torch.from_numpy(lattice_lines(tile, low, high, off_axis=1))
        if 2 * (len(lines) - pilot_lines) < message_bits:
            raise ValueError(f"expected at most {2 * (len(lines) - pilot_lines)} message bits, got {message_bits}")
        self.register_buffer("lines", lines, persistent=False)  # (L, 2)
        self.register_buffer("radius", lines.float().norm(dim=1) / tile, persistent=False)  # (L,)
        self.register_buffer("angle", torch.atan2(lines[:, 1].float(), lines[:, 0].float()), persistent=False)
        self.amplitude = Profile(low, high, 16, (0.0, chroma))
        self.whiten = nn.ModuleList([BlockWhitening(width=width), BlockWhitening(width=width)])
        self.mask = TextureMask(mask_exponent)
        self.weights = LineWeights(low, high)
        self.rejection = nn.Parameter(torch.tensor(0.4))

    @property
    def pilot_height(self) -> float:
        """Modulus of a pilot line where each of the two symbols of a data line has modulus one."""
        count = len(self.lines) - self.pilot_lines
        return math.sqrt(2 * self.pilot_share / (1 - self.pilot_share) * count / self.pilot_lines)

    def layout(self, key: Key) -> Layout:
        """What ``key`` chooses; see ``Layout``."""
        pilot = Pilot.from_key(key, self.pilot_lines, self.tile, *self.pilot_band, purpose="learned pilot")
        place = {tuple(line): index for index, line in enumerate(self.lines.tolist())}
        where = torch.tensor([place[tuple(line)] for line in pilot.lines.tolist()])
        count = len(self.lines)
        is_pilot = torch.zeros(count, dtype=torch.bool)
        is_pilot[where] = True
        phase = torch.ones(count, dtype=torch.complex64)
        phase[where] = torch.from_numpy(pilot.symbols).to(torch.complex64)
        data = np.flatnonzero(~np.tile(is_pilot.numpy(), 2))  # cosine symbols, then sine symbols
        bit = np.zeros(2 * count, dtype=np.int64)
        bit[data[keyed_permutation(key, "learned interleave", len(data))]] = np.arange(len(data)) % self.message_bits
        sign = np.zeros(2 * count, dtype=np.float32)
        sign[data] = keyed_signs(key, "learned signs", len(data))
        device = self.lines.device
        parts = (is_pilot, phase, torch.from_numpy(bit).view(2, -1), torch.from_numpy(sign).view(2, -1))
        return Layout(pilot, *(part.to(device) for part in parts))

    def coefficients(self, levels: Tensor, layout: Layout) -> Tensor:
        """Complex value of every line on every plane ``(N, 2, L)`` for code levels ``(N, K)`` (about +-1)."""
        data = levels[:, layout.bit] * layout.sign  # (N, 2, L)
        lines = torch.where(layout.is_pilot, layout.phase * self.pilot_height, torch.complex(data[:, 0], data[:, 1]))
        return lines[:, None] * self.amplitude(self.radius, self.angle).exp()

    def draw(self, levels: Tensor, layout: Layout, mask: Tensor, scale: float, shift: Tensor) -> Tensor:
        """Residual ``(N, 3, H, W)`` of arbitrary size for code levels ``(N, K)`` under a mask ``(N, 2, H, W)``."""
        values = self.coefficients(levels, layout).flatten(0, 1)
        size = (mask.shape[-2], mask.shape[-1])
        waves = synthesize(self.lines, values, self.tile, size, scale, shift.repeat_interleave(2, 0))
        return from_planes(waves.view_as(mask) * mask)

    def residual(
        self,
        images: Tensor,
        message: Tensor,
        layout: Layout,
        scale: float,
        shift: Tensor,
        psnr: Tensor,
        rounds: int = 1,
    ) -> Tensor:
        """What to add to each picture so that it ends at ``psnr`` (N,) dB (before clipping and rounding).

        With ``rounds`` > 0 the picture is marked, read by the detector, and message bits that the picture itself
        speaks against are strengthened at the cost of those that it already favours.

        Args:
            images: ``(N, 3, H, W)`` in [0, 1].
            message: ``(N, K)`` bool.
            layout: what the key chooses.
            scale: picture px per lattice px.
            shift: ``(N, 2)`` lattice coordinates of the top left corner.
            psnr: ``(N,)`` dB.
            rounds: how often the detector is asked.
        """
        signs = message.to(images.dtype) * 2 - 1
        mask = self.mask(images)
        levels = signs
        small, step = working_copy(images)  # the detector is asked at the size that it works at
        coarse = scale / float(step.mean())
        small_mask = mask if small.shape == images.shape else resize(mask, small.shape[-2], small.shape[-1])
        where = corner_alignment(small.shape[-2:], coarse, shift)
        for _ in range(rounds):
            with torch.no_grad():
                trial = scaled(self.draw(levels, layout, small_mask, coarse, shift), psnr)
                margin = self(self.maps((small + trial).clamp(0, 1)), layout, where) * signs
                lack = 1 - margin / margin.mean(1, keepdim=True).clamp_min(0.1)
            levels = signs * (levels * signs + self.rejection * lack.clamp(-1, 3)).clamp(0, 4)
        return scaled(self.draw(levels, layout, mask, scale, shift), psnr)

    def maps(self, images: Tensor) -> Tensor:
        """Whitened planes ``(N, 2, H, W)`` of images ``(N, 3, H, W)``."""
        planes = to_planes(images)
        return torch.cat([net(planes[:, i : i + 1]) for i, net in enumerate(self.whiten)], 1)

    def read_lines(self, spectra: tuple[Spectrum, ...], layout: Layout, where: Alignment) -> Tensor:
        """Lines ``(N, 2, L)`` of the two planes with embedding and pilot phases taken off.

        ``(N, C, 2, L)`` at C candidate alignments of each picture.
        """
        found = [read_lines(spectrum, where, self.lines, self.tile) for spectrum in spectra]
        return torch.stack(found, -2) * layout.phase.conj()

    def soft_bits(self, lines: Tensor, layout: Layout, parts: int = 1, believe_pilot: bool = True) -> Tensor:
        """Weighted soft decisions ``(N, K)`` from lines ``(N parts, 2, L)``, scaled to unit root mean square.

        With several ``parts`` each picture was read in so many windows (in consecutive rows), and their decisions add.
        A plane whose pilot stands upside down is turned, unless the pilot is not to be believed.
        """
        if believe_pilot:
            lines = upright(lines, layout.is_pilot)
        weights = self.weights(lines, layout.is_pilot, self.radius, self.angle)
        summed = (lines * weights).sum(1)  # (N parts, L) over planes
        symbols = torch.stack([summed.real, summed.imag], 1) * layout.sign  # (N parts, 2, L)
        symbols = symbols.unflatten(0, (-1, parts)).sum(1)
        bits = symbols.new_zeros(len(symbols), self.message_bits)
        bits = bits.index_add(1, layout.bit.flatten(), symbols.flatten(1))
        return bits * torch.rsqrt(bits.square().mean(1, keepdim=True).clamp_min(1e-12))

    def forward(self, maps: Tensor, layout: Layout, where: Alignment) -> Tensor:
        """Soft bits ``(N, K)`` of whitened planes ``(N, 2, H, W)`` whose alignment is known."""
        return self.soft_bits(self.read_lines(spectra(maps), layout, where), layout)


def upright(lines: Tensor, is_pilot: Tensor) -> Tensor:
    """Lines ``(N, P, L)``, every plane turned over whose pilot is plainly upside down, as colour after a turn of hue.

    Three deviations below nothing decide, and the pilot alone: no message bit has a say in it.
    """
    pilot = lines[..., is_pilot].real
    score = pilot.sum(-1, keepdim=True) * (2 / pilot.shape[-1]) ** 0.5
    return torch.where(score < -3, -lines, lines)


def working_copy(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images at the size that a detector works at, and ``(2,)`` how many px of the original one px of it is (x, y)."""
    height, width = images.shape[-2:]
    small = reduced(images)[0].clamp(0, 1)
    return small, images.new_tensor([width / small.shape[-1], height / small.shape[-2]])


def scaled(residual: Tensor, psnr: Tensor) -> Tensor:
    """Scale each residual ``(N, 3, H, W)`` to a root mean square of ``10 ** (-psnr / 20)``."""
    rms = residual.square().mean((1, 2, 3)).clamp_min(1e-16).sqrt()
    return residual * (10 ** (-psnr / 20) / rms)[:, None, None, None]


def corner_alignment(size: torch.Size | tuple[int, int], scale: float, shift: Tensor) -> Alignment:
    """The alignment of pictures that were marked at ``scale`` with ``shift`` at their top left corner."""
    height, width = size
    count, device = len(shift), shift.device
    matrix = torch.eye(2, device=device).expand(count, 2, 2) / scale
    centre = torch.tensor([width // 2 + 0.5, height // 2 + 0.5], device=device) / scale
    ones = torch.ones(count, device=device)
    return Alignment(matrix, shift + centre, ones)
