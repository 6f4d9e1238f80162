"""The differentiable heart of the lattice schemes: a message on keyed waves, drawn and read at a known alignment.

Two signs ride on each wave (its cosine and its sine) and on each of two colour planes; some waves are a pilot that the
key holder knows and that carries nothing. Four strategies make a scheme of it: how a picture is whitened, how much each
place may move, how lines are weighed, and which colour planes carry how much. What is trained is what runs.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from watermark.keys import Key
from watermark.schemes.lattice.carriers import Carriers
from watermark.schemes.lattice.draw import reduced
from watermark.schemes.lattice.planes import Planes
from watermark.schemes.lattice.settings import LACK, TALLEST, UPSIDE_DOWN, Band
from watermark.schemes.lattice.trust import pilot_around
from watermark.synchronization import Alignment, Spectrum, read_lines, spectra
from watermark.transforms.resample import resize
from watermark.transforms.waves import Canvas


@dataclass(frozen=True)
class Strategies:
    """What distinguishes the schemes of the family.

    Attributes:
        planes: the two colour planes.
        whiten: of each plane, ``(N, 1, H, W)`` grey levels to a map of the same shape.
        mask: images to the relative amplitude ``(N, 2, H, W)`` that each place bears on each plane.
        amplitude: log amplitude ``(2, L)`` of lines at radii and angles ``(L,)``.
        weights: trust ``(N, P, L)`` in lines; see ``PilotTrust``.
        rejection: how far the picture's own objections are answered, 0 to 1.
    """

    planes: Planes
    whiten: nn.ModuleList
    mask: nn.Module
    amplitude: nn.Module
    weights: nn.Module
    rejection: nn.Parameter


class LatticeMark(nn.Module):
    """Render a message as a residual and read it back.

    Args:
        message_bits: K, code bits per picture.
        band: where lines may stand.
        pilot_share: share of the energy that the pilot takes.
        strategies: see there.
    """

    def __init__(self, message_bits: int, band: Band, pilot_share: float, strategies: Strategies) -> None:
        super().__init__()
        if not 0 < pilot_share < 1:
            raise ValueError(f"pilot_share must be between 0 and 1, got {pilot_share}")
        if message_bits > band.symbols:
            raise ValueError(f"expected at most {band.symbols} message bits, got {message_bits}")
        self.message_bits, self.band, self.pilot_share = message_bits, band, pilot_share
        self.planes = strategies.planes
        self.amplitude, self.whiten, self.mask = strategies.amplitude, strategies.whiten, strategies.mask
        self.weights, self.rejection = strategies.weights, strategies.rejection

    @property
    def pilot_height(self) -> float:
        """Modulus of a pilot line where each of the two symbols of a data line has modulus one."""
        return math.sqrt(self.pilot_share / (1 - self.pilot_share) * self.band.symbols / self.band.pilot_lines)

    def carriers(self, key: Key, purpose: str = "learned") -> Carriers:
        """What ``key`` chooses."""
        return Carriers.from_key(key, purpose, self.band, self.message_bits)

    def coefficients(self, levels: Tensor, carriers: Carriers) -> Tensor:
        """Complex value of every line on every plane ``(N, 2, L)`` for code levels ``(N, K)`` (about +-1)."""
        data = levels[:, carriers.bit] * carriers.sign  # (N, 2, L)
        lines = torch.complex(data[:, 0], data[:, 1])
        lines = torch.where(carriers.is_pilot, self.pilot_height, lines) * carriers.phase
        return lines[:, None] * self.amplitude(carriers.radius, carriers.angle).exp()

    def residual(
        self, images: Tensor, message: Tensor, carriers: Carriers, pose: Alignment, psnr: Tensor, rounds: int = 1
    ) -> Tensor:
        """What to add to each picture so that it ends at ``psnr`` (N,) dB (before clipping and rounding).

        With ``rounds`` > 0 the picture is marked, read by the detector, and message bits that the picture itself
        speaks against are strengthened at the cost of those that it already favours.

        Args:
            images: ``(N, 3, H, W)`` in [0, 1].
            message: ``(N, K)`` bool.
            carriers: what the key chooses.
            pose: where the carriers' plane lies under the pictures.
            psnr: ``(N,)`` dB.
            rounds: how often the detector is asked.
        """
        small, step = reduced(images)  # waves are drawn, and the detector is asked, at the size that it works at
        small = small.clamp(0, 1)
        mask = self.mask(images)
        small_mask = mask if small.shape == images.shape else resize(mask, (small.shape[-2], small.shape[-1]))
        where = replace(pose, matrix=pose.matrix * step)
        canvas = Canvas(where.frequencies(carriers.frequencies), (small.shape[-2], small.shape[-1]))
        phases = where.phases(carriers.frequencies).conj()[:, None]
        signs = message.to(images.dtype) * 2 - 1
        levels = signs
        for _ in range(rounds):
            with torch.no_grad():
                waves = self._drawn(canvas, self.coefficients(levels, carriers) * phases, carriers)
                trial = scaled(self.planes.merge(waves * small_mask), psnr)
                margin = self(self.maps((small + trial).clamp(0, 1)), carriers, where) * signs
                lack = 1 - margin / margin.mean(1, keepdim=True).clamp_min(1e-6)
            levels = signs * (levels * signs + self.rejection * lack.clamp(*LACK)).clamp(0, TALLEST)
        waves = self._drawn(canvas, self.coefficients(levels, carriers) * phases, carriers)
        return scaled(self.planes.merge(resize(waves, (images.shape[-2], images.shape[-1])) * mask), psnr)

    def drawn(
        self,
        images: Tensor,
        message: Tensor,
        carriers: Carriers,
        where: Alignment,
        psnr: float,
        canvas: Canvas | None = None,
    ) -> Tensor:
        """A plain mark ``(N, 3, H, W)`` of messages ``(N, K)`` at an alignment, as faint as ``psnr`` dB says.

        The ``canvas``, if one is at hand, is of the alignment's frequencies and the images' size.
        """
        canvas = canvas or Canvas(where.frequencies(carriers.frequencies), (images.shape[-2], images.shape[-1]))
        phases = where.phases(carriers.frequencies).conj()[:, None]
        lines = self.coefficients(message.to(images.dtype) * 2 - 1, carriers) * phases
        waves = self._drawn(canvas, lines, carriers) * self.mask(images)
        return scaled(self.planes.merge(waves), images.new_full((len(images),), psnr))

    def _drawn(self, canvas: Canvas, lines: Tensor, carriers: Carriers) -> Tensor:
        """Waves ``(N, 2, H, W)`` of lines ``(N, 2, L)``; planes that have one spectrum are drawn once."""
        if not self.amplitude.alike:
            return canvas.draw(lines)
        heights = self.amplitude(carriers.radius[:1], carriers.angle[:1]).exp()  # (2, 1)
        return canvas.draw(lines[:, :1]) * (heights / heights[:1])[..., None]

    def maps(self, images: Tensor) -> Tensor:
        """Whitened planes ``(N, 2, H, W)`` of images ``(N, 3, H, W)``."""
        planes = self.planes.split(images)
        return torch.cat([whiten(planes[:, i : i + 1]) for i, whiten in enumerate(self.whiten)], 1)

    def read_lines(self, planes: tuple[Spectrum, ...], carriers: Carriers, where: Alignment) -> Tensor:
        """Lines ``(N, P, L)`` of P planes with embedding and keyed phases taken off.

        ``(N, C, P, L)`` at C candidate alignments of each picture.
        """
        found = [read_lines(spectrum, where, carriers.frequencies) for spectrum in planes]
        return torch.stack(found, -2) * carriers.phase.conj()

    def soft_bits(self, lines: Tensor, carriers: Carriers, parts: int = 1, believe_pilot: bool = True) -> Tensor:
        """Weighted soft decisions ``(N, K)`` from lines ``(N parts, P, L)``, scaled to unit root mean square.

        With several ``parts`` each picture was read in so many windows (in consecutive rows), and their decisions add.
        Where the pilot stands upside down lines are turned, unless the pilot is not to be believed.
        """
        if believe_pilot:
            lines = upright(lines, carriers)
        summed = (lines * self.weights(lines, carriers, believe_pilot)).sum(1)  # (N parts, L) over planes
        symbols = torch.stack([summed.real, summed.imag], 1) * carriers.sign  # (N parts, 2, L)
        symbols = symbols.unflatten(0, (-1, parts)).sum(1)
        bits = symbols.new_zeros(len(symbols), self.message_bits)
        bits = bits.index_add(1, carriers.bit.flatten(), symbols.flatten(1))
        return bits * torch.rsqrt(bits.square().mean(1, keepdim=True).clamp_min(1e-12))

    def forward(self, maps: Tensor, carriers: Carriers, where: Alignment) -> Tensor:
        """Soft bits ``(N, K)`` of whitened planes ``(N, 2, H, W)`` whose alignment is known."""
        return self.soft_bits(self.read_lines(spectra(maps), carriers, where), carriers)


def upright(lines: Tensor, carriers: Carriers) -> Tensor:
    """Lines ``(N, P, L)``, turned over where the pilot is plainly upside down.

    On a whole plane, as colour after a turn of the hue; or around a line, as in the bands of frequencies that a
    defocused lens turns over. The pilot alone decides: no message bit has a say in it.
    """
    pilot = lines[..., carriers.is_pilot].real
    score = pilot.sum(-1, keepdim=True) * (2 / pilot.shape[-1]) ** 0.5
    lines = torch.where(score < -UPSIDE_DOWN, -lines, lines)
    return torch.where(pilot_around(lines, carriers) < -UPSIDE_DOWN, -lines, lines)


def scaled(residual: Tensor, psnr: Tensor) -> Tensor:
    """Scale each residual ``(N, 3, H, W)`` to a root mean square of ``10 ** (-psnr / 20)``."""
    rms = residual.square().mean((1, 2, 3)).clamp_min(1e-16).sqrt()
    return residual * (10 ** (-psnr / 20) / rms)[:, None, None, None]
