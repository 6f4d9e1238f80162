"""The learned scheme: lattice lines on two colour planes, with everything around them trained against real attacks.

Geometry, pilot and blind search are those of ``tile_spread``; what differs was learned by ``watermark train`` on
photographs: how the picture is whitened before the Fourier look-up, where on the spectrum and on which colour plane
the energy goes, how much each place may move, how lines are weighed by what the pilot says, how far the picture's own
objections are answered. No weight knows any key, so one set of weights serves every key.
"""

from functools import partial

import torch
from torch import Tensor

from watermark.keys import Key
from watermark.schemes.base import Readout
from watermark.schemes.lattice_mark import LatticeMark, Layout, working_copy
from watermark.schemes.lattice_scheme import CANONICAL, LatticeScheme
from watermark.schemes.weights_file import read_weights
from watermark.synchronization import MARGIN, Alignment, Spectrum, Synchronizer, spectra
from watermark.transforms.jnd import texture_mask

FLAT = 2.5
"""``texture_mask`` (deviation in grey levels, plus two) below which an area is flat."""


class Learned(LatticeScheme):
    """A trained lattice mark with blind synchronisation.

    Args:
        message_bits: channel bits; the weights do not depend on their number.
        key: secret of pilot, interleaving, signs and shifts.
        target_psnr: dB.
        weights: name of a file under ``watermark/schemes/weights`` or a path to a ``.safetensors`` file.
        rounds: how often the embedder asks the detector which bits the picture speaks against; each costs about as
            much as reading.
        flat_share: see ``LatticeScheme``.
    """

    name = "learned"

    def __init__(
        self,
        message_bits: int = 1024,
        *,
        key: Key,
        target_psnr: float | None = 45.0,
        weights: str = "learned",
        rounds: int = 1,
        flat_share: float = 0.75,
    ) -> None:
        super().__init__(message_bits, key, target_psnr, flat_share)
        if rounds < 0:
            raise ValueError(f"rounds must be at least 0, got {rounds}")
        self.rounds = rounds
        file = read_weights(weights, ["lattice_mark"])
        self.core, self.weights_sha256 = file.load(LatticeMark, message_bits=message_bits), file.sha256
        self.tile = self.core.tile
        self._layout = self.core.layout(key)
        data = self.core.lines[~self._layout.is_pilot].numpy()
        power = 2 / self.core.pilot_height**2
        self.synchronizer = Synchronizer(self._layout.pilot, data_lines=data, data_power=power)

    @property
    def layout(self) -> Layout:
        """What the key chose, on the device of the weights."""
        device = self.core.lines.device
        if self._layout.sign.device != device:
            self._layout = self._layout.to(device)
        return self._layout

    @torch.no_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; the tile starts at a place drawn from key, message and picture, so no two marks line up."""
        psnr = torch.full((len(images),), self.target_psnr or 45.0, device=images.device)
        corner = self._corners(images, message).float()
        change = self.core.residual(images, message, self.layout, self._scale(images), corner, psnr, self.rounds)
        return change * self._bearable(images, change, psnr)[:, None, None, None]

    def _bearable(self, images: Tensor, change: Tensor, psnr: Tensor) -> Tensor:
        """How many times ``change`` ``(N,)`` the flat areas of each picture bear, at most four; see ``flat_share``."""
        flat = texture_mask(images, exponent=1.0, canonical=CANONICAL) < FLAT  # (N, H, W)
        energy = (change.square().mean(1) * flat).sum((1, 2)) / flat.sum((1, 2)).clamp_min(1)
        return (self.flat_share * 10 ** (-psnr / 20) / energy.sqrt().clamp_min(1e-9)).clamp(max=4)

    @torch.no_grad()
    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; what takes longer is done only where the pilot in luma is not clear on its own."""
        small, step = working_copy(images)
        maps = self.core.maps(small)
        planes = spectra(maps)
        scales = self._likely_scales(small, whole=bool((step == 1).all()))
        found, doubtful, candidates = self._align(planes, scales)
        logits = self._bits_at(planes, found)
        others = logits.new_zeros(len(logits), candidates.score.shape[1] + 2, logits.shape[1])
        if len(doubtful):
            others[doubtful, 1:-1] = self._bits_of(tuple(plane.select(doubtful) for plane in planes), candidates)
        in_luma = self.synchronizer.score(planes[0], found.matrix[:, None], found.shift[:, None])[:, 0]
        negative = in_luma < -self.synchronizer.accept
        others[negative, -1] = -logits[negative]  # unless it is the pilot alone that somebody turned over
        self._unbend(maps, found, logits, others)
        return Readout.of(4 * logits, 4 * others)

    def _bits_at(self, planes: tuple[Spectrum, ...], where: Alignment, believe_pilot: bool = True) -> Tensor:
        lines = self.core.read_lines(planes, self.layout, where)
        bits = self.core.soft_bits(lines.flatten(0, -3), self.layout, believe_pilot=believe_pilot)
        return bits.unflatten(0, lines.shape[:-2])

    def _bits_of_windows(self, planes: tuple[Spectrum, ...], where: Alignment, parts: int) -> Tensor:
        return self.core.soft_bits(self.core.read_lines(planes, self.layout, where), self.layout, parts)

    def _align(self, planes: tuple[Spectrum, ...], scales: tuple[float, ...]) -> tuple[Alignment, Tensor, Alignment]:
        """Luma alone where that is enough, so that grey pictures are found; then both planes, then every geometry.

        Luma is tried upside down too: so it lies in a negative, and after half a turn of the hue.
        """
        sync, luma_plane = self.synchronizer, planes[0]
        first, negative = sync.fast(luma_plane, scales), sync.fast(luma_plane.upside_down(), scales)
        better = negative.best().score > first.best().score + MARGIN
        first = first.replaced(better, negative.select(better))
        if (first.best().score >= sync.accept).all():
            return sync.deepen(first, ())
        both, turned = luma_plane.plus(planes[1]), luma_plane.plus(planes[1], -1.0)  # colour after a turn of the hue
        fast, search = partial(sync.fast, likely_scales=scales), partial(sync.search_unaided, likely_scales=scales)
        return sync.deepen(first, ((both, fast), (turned, fast), (luma_plane, search), (both, search)))
