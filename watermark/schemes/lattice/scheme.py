"""The scheme: a keyed pose for every picture; reading where the pilot says, where the mark bends, and in doubt."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.keys import Key
from watermark.schemes.base import Readout, Scheme
from watermark.schemes.lattice.carriers import Carriers
from watermark.schemes.lattice.draw import keyed_poses, reduced
from watermark.schemes.lattice.evidence import just_enough
from watermark.schemes.lattice.focus import defocus, refocused
from watermark.schemes.lattice.impulses import without_impulses
from watermark.schemes.lattice.limit import bearable, limited
from watermark.schemes.lattice.look import Look
from watermark.schemes.lattice.mark import LatticeMark
from watermark.schemes.lattice.settings import (
    BENDABLE,
    BENT,
    CANONICAL,
    ENOUGH,
    LONG_MESSAGE,
    MOST_EVIDENCE,
    UNMISTAKABLE,
    UPSIDE_DOWN,
    USUAL_PSNR,
)
from watermark.synchronization import (
    Alignment,
    Poses,
    Search,
    Spectrum,
    Synchronizer,
    follow,
    joint_score,
    promising,
    spectra,
    spread_to,
    straightened,
    windows,
)


@dataclass(frozen=True)
class _Aside:
    """What was read in M of N maps that were straightened.

    Attributes:
        which: ``(M,)`` maps whose pilot fits better so.
        logits: ``(M, K)`` soft bits.
        slant: ``(M, 2)``.
        where: ``(M,)`` the alignment of the straightened map.
    """

    which: Tensor
    logits: Tensor
    slant: Tensor
    where: Alignment


class LatticeScheme(Scheme):
    """A mark of keyed plane waves on two planes of colour, with blind synchronisation.

    Args:
        message_bits: channel bits.
        key: secret of all that the scheme chooses.
        target_psnr: dB.
        core: how a message is drawn and read at a known alignment.
        rounds: how often the embedder asks the detector which bits the picture speaks against; each costs about as
            much as reading.
        flat_share: the greatest RMS of the mark in flat areas, as a share of the RMS that ``target_psnr`` stands for.
            A picture that is flat all over, such as a slide or a logo, ends up to ``-20 log10(flat_share)`` dB above
            the target rather than showing grain.
        target_evidence: decades by which the message of a marked picture is to stand above chance after a reference
            chain (half the size, JPEG 50), 1 to 250; see ``decades``. Every picture is then marked as faintly as
            reaches that, by at most 12 dB above ``target_psnr``, which is the strongest that it is marked. None: all
            at ``target_psnr``.
    """

    min_size = 64
    working_area = 4_000_000
    gain_limits = (0.0, 1.0)  # ``residual`` is the most that flat areas bear
    name: ClassVar[str]
    """Under which keyed choices are drawn."""

    def __init__(
        self,
        message_bits: int,
        key: Key,
        target_psnr: float | None,
        core: LatticeMark,
        rounds: int,
        flat_share: float,
        target_evidence: float | None = None,
    ) -> None:
        super().__init__(message_bits, key, target_psnr)
        if rounds < 0:
            raise ValueError(f"rounds must be at least 0, got {rounds}")
        if not 0 < flat_share <= 1:
            raise ValueError(f"flat_share must be above 0 and at most 1, got {flat_share}")
        if target_evidence is not None and not (
            isinstance(target_evidence, int | float) and 1 <= target_evidence <= MOST_EVIDENCE
        ):
            raise ValueError(
                f"target_evidence must be between 1 and {MOST_EVIDENCE:g} decades, got {target_evidence!r}"
            )
        self.target_evidence = target_evidence
        self.core, self.rounds, self.flat_share = core.requires_grad_(False).eval(), rounds, flat_share
        self._carriers = core.carriers(key, self.name)
        self.poses = Poses.from_key(key, f"{self.name} poses")
        data, power = self._carriers.lines(pilot=False), 2 / core.pilot_height**2
        self.synchronizer = Synchronizer(self._carriers.lines(pilot=True), self.poses, data, power)

    @property
    def carriers(self) -> Carriers:
        """What the key chose, on the device of the weights."""
        device = self.core.rejection.device
        if self._carriers.sign.device != device:
            self._carriers = self._carriers.to(device)
        return self._carriers

    @torch.no_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; the pose is drawn from key, message and picture, so no two marks line up."""
        psnr = torch.full((len(images),), self.target_psnr or USUAL_PSNR, device=images.device)
        pose = keyed_poses(self.poses, self.key, self.name, images, message)
        change = self.core.residual(images, message, self.carriers, pose, psnr, self.rounds)
        change = limited(images, change, psnr, most=bearable(images, change, psnr, self.flat_share))
        if self.target_evidence is None:
            return change
        return just_enough(images, change, message, self.read, self.target_evidence)

    def climbed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Scheme``: as if the key's plane lay on the picture unturned; loudness is the lines' mean power."""
        maps = self.core.maps(images)
        unturned = torch.eye(2).to(maps).expand(len(maps), 2, 2)
        where = Alignment(unturned, maps.new_zeros(len(maps), 2), maps.new_zeros(len(maps)))
        lines = self.core.read_lines(spectra(maps), self.carriers, where)
        return self.core.soft_bits(lines, self.carriers), lines.abs().square().mean((1, 2))

    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; what takes longer is done only where the pilot in luma is not clear on its own."""
        return self.look(images).readout

    @torch.no_grad()
    def look(self, images: Tensor) -> Look:
        """Read, and say where each reading was taken; a picture that was out of focus is first read as if in focus."""
        small, step = reduced(without_impulses(images))
        scales = self._likely_scales(small, whole=bool((step == 1).all()))
        found = self._look(small, scales)
        unsure = (found.where.score[:, 0] < UNMISTAKABLE).nonzero()[:, 0]
        if not len(unsure):
            return found
        radius = defocus(small[unsure, 1])  # green
        if not radius.any():
            return found
        which = unsure[radius > 0]
        return found.after(which, self._look(refocused(small[which], radius[radius > 0]), scales))

    def _look(self, images: Tensor, scales: tuple[float, ...]) -> Look:
        """``look`` at pictures of working size as they are."""
        planes = self.core.planes.split(images.clamp(0, 1))
        in_luma = self.core.whiten[0](planes[:, :1])
        spectrum = Spectrum(in_luma[:, 0])
        first = self.synchronizer.fast(spectrum, scales)
        best = first.best()
        upright = self.synchronizer.score(spectrum, best.matrix[:, None], best.shift[:, None])[:, 0]
        alone = (upright >= ENOUGH) & (not self.core.weights.needs_all_planes) & (self.message_bits <= LONG_MESSAGE)
        where, readings = first.columns(slice(0, 1)), in_luma.new_zeros(len(images), 1, self.message_bits)
        slant = in_luma.new_zeros(len(images), 1, 2)
        if alone.any():
            readings[alone, 0] = self._bits_at((spectrum.select(alone),), best.select(alone))
        if alone.all():
            return Look(readings, where, slant)
        rest = ~alone
        maps = torch.cat([in_luma[rest], self.core.whiten[1](planes[rest, 1:])], 1)
        both = (spectrum.select(rest), Spectrum(maps[:, 1]))
        seen = self._read_both(maps, both, first.select(rest), scales)
        count = seen.readings.shape[1]
        readings, slant = (F.pad(values, (0, 0, 0, count - 1)) for values in (readings, slant))
        readings[rest], slant[rest] = seen.readings, seen.slant
        return Look(readings, where.repeated(count).replaced(rest, seen.where), slant)

    def align(self, images: Tensor) -> Alignment:
        """Where the mark lies in each picture ``(N, 3, H, W)``: the alignment of ``read``'s ``logits``, in picture px.

        Of two pictures of one mark the maps differ by what happened between them: see ``synchronization.change``. A
        picture without a mark has an alignment too, and a low score. Of one that is seen from aside it is the affine
        map at its middle.
        """
        first, (_, step) = self.look(images).where.best(), reduced(images)
        return Alignment(first.matrix / step, first.shift, first.score)

    def _read_both(
        self, maps: Tensor, planes: tuple[Spectrum, ...], first: Alignment, scales: tuple[float, ...]
    ) -> Look:
        """Read maps ``(N, 2, h, w)`` of both planes."""
        search = self._align(planes, first, scales)
        found, doubtful, candidates = search.found, search.doubtful, search.candidates
        logits = self._bits_at(planes, found)
        others = logits.new_zeros(len(logits), candidates.score.shape[1] + 2, logits.shape[1])
        if len(doubtful):
            others[doubtful, 1:-1] = self._bits_of(tuple(plane.select(doubtful) for plane in planes), candidates)
        in_luma = self.synchronizer.score(planes[0], found.matrix[:, None], found.shift[:, None])[:, 0]
        negative = in_luma < -UPSIDE_DOWN
        others[negative, -1] = -logits[negative]  # unless it is the pilot alone that somebody turned over
        logits, others = self._unbent(maps, found, logits, others)
        here = Alignment(found.matrix[:, None], found.shift[:, None], found.score[:, None])
        elsewhere = Alignment.none(len(maps), candidates.score.shape[1], found.matrix).replaced(doubtful, candidates)
        where = here.repeated(2).joined(elsewhere).joined(here)
        slant = logits.new_zeros(*where.score.shape, 2)
        lost = (found.score < ENOUGH).nonzero()[:, 0]
        if len(lost):
            few = tuple(plane.select(lost) for plane in planes)
            aside = self._seen_from_aside(maps[lost], few, found.select(lost), scales[-1])
            if aside is not None:
                which = lost[aside.which]
                others[which, 0], logits[which], slant[which, 0] = logits[which], aside.logits, aside.slant
                where = where.replaced(which, where.select(which).begun_with(aside.where))
        return Look(torch.cat([logits[:, None], others], 1), where, slant)

    def _seen_from_aside(
        self, maps: Tensor, planes: tuple[Spectrum, ...], found: Alignment, scale: float
    ) -> "_Aside | None":
        """Straighten maps ``(N, 2, h, w)`` whose pilot is not plain in both planes together, and read the plainer."""
        sync, both = self.synchronizer, planes[0].plus(planes[1])
        heard = sync.loudness(both, found.matrix[:, None], found.shift[:, None])[:, 0].maximum(found.score)
        unsure = (heard < ENOUGH).nonzero()[:, 0]
        if not len(unsure):
            return None
        slants = sync.slanted(maps[unsure], both.select(unsure), scale, thorough=self.search != "quick")
        if not len(slants.maps):
            return None
        which = unsure[slants.maps]
        straight = straightened(maps[which], slants.slant)
        seen = spectra(straight)
        there = sync.straight(seen[0].plus(seen[1]), slants.matrix).best()
        better = there.score > sync.settings.plainly * heard[which] + sync.settings.margin
        if not better.any():
            return None
        there, straight = there.select(better), straight[better]
        logits = self._bits_at(tuple(plane.select(better) for plane in seen), there)
        logits, _ = self._unbent(straight, there, logits, torch.zeros_like(logits)[:, None])
        return _Aside(which[better], logits, slants.slant[better], there)

    def _align(self, planes: tuple[Spectrum, ...], first: Alignment, scales: tuple[float, ...]) -> Search:
        """Luma alone where that is enough, so that grey pictures are found; then both planes, then every geometry.

        A quick search looks no further than the poses where there is no sign of a mark; in small pieces it looks for
        them at any shift first, for power says little there.
        """
        sync, luma = self.synchronizer, planes[0]
        search = Search.started(first, sync.accept)
        if not len(search.doubtful):
            return search
        both = luma.plus(planes[1])
        turned = luma.plus(planes[1], -1.0)  # colour after a turn of the hue
        search = sync.deepen(search, partial(sync.fast, likely_scales=scales), both, turned)
        posed, quick = search.candidates.score.amax(1), self.search == "quick"
        late = quick and math.prod(luma.size) >= sync.settings.hopeful_piece
        if not late:
            before, search = search.doubtful, sync.deepen(search, partial(sync.shifted, scale=scales[-1]), luma, both)
            posed = posed[torch.isin(before, search.doubtful)]
        if quick and len(search.doubtful):
            in_luma, in_colour = (plane.select(search.doubtful) for plane in planes)
            search = search.among(promising(sync, in_luma, in_colour, posed))
        if late:
            search = sync.deepen(search, partial(sync.shifted, scale=scales[-1]), luma, both)
        search = sync.deepen(search, sync.search, luma)
        return sync.deepen(search, sync.search_unaided, both)

    def _likely_scales(self, maps: Tensor, whole: bool) -> tuple[float, ...]:
        """Px of ``maps`` per unscaled px if nothing happened; the picture was reduced to them unless ``whole``."""
        short = min(maps.shape[-2:]) / CANONICAL
        return (short,) if short >= 1 and whole else (short, 1.0)

    def _bits_at(self, planes: tuple[Spectrum, ...], where: Alignment, believe_pilot: bool = True) -> Tensor:
        """Soft bits ``(N, K)`` at one alignment for each picture, ``(N, C, K)`` at C candidates."""
        lines = self.core.read_lines(planes, self.carriers, where)
        bits = self.core.soft_bits(lines.flatten(0, -3), self.carriers, believe_pilot=believe_pilot)
        return bits.unflatten(0, lines.shape[:-2])

    def _bits_of(self, planes: tuple[Spectrum, ...], candidates: Alignment) -> Tensor:
        """Soft bits ``(N, C, K)`` at candidates, zero where a candidate is none."""
        bits = self._bits_at(planes, candidates)
        unaided = (candidates.score <= 0).all(0)  # the message found these, for want of a pilot
        if unaided.any() and candidates.score[:, unaided].isfinite().any():
            bits[:, unaided] = self._bits_at(planes, candidates.columns(unaided), believe_pilot=False)
        return bits * candidates.score.isfinite()[..., None]

    def _unbent(self, maps: Tensor, found: Alignment, logits: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Readings ``(N, K)`` and others ``(N, C, K)``, window by window where that fits the pilot of ``maps`` better.

        The worse of both readings of a picture is the first of its others.
        """
        unsure = (found.score > BENDABLE) & (found.score < ENOUGH)
        if not unsure.any():
            return logits, others
        cut, centres = windows(maps[unsure].flatten(0, 1))  # (2 N, parts, h, w)
        parts, climb = len(centres), self.synchronizer.settings.window_climb
        planes = spectra(cut.unflatten(0, (-1, 2)).transpose(1, 2).flatten(0, 1))
        local = follow(self.synchronizer.loudness, planes[0], spread_to(found.select(unsure), centres), climb)
        soft = self.core.soft_bits(self.core.read_lines(planes, self.carriers, local), self.carriers, parts)
        better = (joint_score(local.score, parts) > BENT * found.score[unsure])[:, None]
        logits, others, rigid = logits.clone(), others.clone(), logits[unsure]
        logits[unsure] = torch.where(better, soft, rigid)
        others[unsure, 0] = torch.where(better, rigid, soft)
        return logits, others
