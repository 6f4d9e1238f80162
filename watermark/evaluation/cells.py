"""Measure one unit: embed once, round to 8 bits, attack, decode, detect; everything on unmarked pictures too."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from attacks.edited import Edited, edited
from watermark.errors import UserError, show_unexpected
from watermark.evaluation.axis import search
from watermark.evaluation.hands import Hand, OurHand, OutsideHand, Reading
from watermark.evaluation.job import QUALITY, Job
from watermark.evaluation.maps import columns, compared, is_mapped, maps_of
from watermark.evaluation.memory import peak_bytes, reset_peak
from watermark.evaluation.plan import Unit
from watermark.evaluation.records import Record
from watermark.evaluation.suite import Cell
from watermark.images import to_8bit
from watermark.localization import can_be_located
from watermark.localization.fit import Fit
from watermark.metrics.perceptual import MEASURES
from watermark.metrics.psnr import psnr
from watermark.metrics.ssim import Moments, ssim
from watermark.schemes.outside import OutsideMark
from watermark.watermarker import Watermarker

log = logging.getLogger(__name__)


Damage = tuple[float | None, float | None]
"""PSNR and SSIM of an attacked picture against what it was; None where pixels moved."""
Damages = dict[tuple[str, str, float | None, int], Damage]
"""By picture, attack, strength and number of the key."""


@dataclass
class Measured:
    """What a unit yields: rows in a fixed order, times, and the pictures that the report may show."""

    rows: list[Record] = field(default_factory=list)
    costs: list[dict[str, object]] = field(default_factory=list)
    pictures: dict[str, Tensor] = field(default_factory=dict)


class UnitRun:
    """One scheme on one batch of pictures.

    Args:
        job: what is measured.
        unit: which part of it.
        marker: the unit's scheme under the unit's key, or somebody else's detector; built once per process.
        known: what attacks do to unmarked pictures, which is the same for every scheme: asked, and added to.
    """

    def __init__(self, job: Job, unit: Unit, marker: Watermarker | OutsideMark, known: Damages | None = None) -> None:
        self.job, self.unit = job, unit
        self.known = {} if known is None else known
        self.infos = [job.images.infos[i] for i in unit.indices]
        self.all = range(len(self.infos))
        self.hand: Hand
        if isinstance(marker, OutsideMark):
            self.hand = OutsideHand(marker, self.infos)
        else:
            self.hand = OurHand(marker, [job.payload(info, unit.key) for info in self.infos])
        self.has_originals = not isinstance(marker, OutsideMark) or marker.marked is not None
        self.unmarked = [i for i in self.all if unit.indices[i] in job.unmarked and self.has_originals]
        self.mapper: Watermarker | None = None
        if job.localize and isinstance(marker, Watermarker) and can_be_located(marker.scheme):
            self.mapper = marker
        self.out = Measured()

    @torch.no_grad()
    def measure(self, done: Callable[[], None], cells: Sequence[Cell] | None = None) -> Measured:
        """Run the cells (all that the unit meets, or some); ``done`` is called after each.

        A cell that fails becomes rows that say why.
        """
        cells = self.job.cells_of(self.unit) if cells is None else cells
        try:
            original = torch.cat([self.job.images.load(i) for i in self.unit.indices]).to(self.job.device)
            if self.job.match is not None and isinstance(self.hand, OurHand):
                self.hand.match(self.job.match, original)
            with self._timed("embed", None, original):
                marked = to_8bit(self.hand.mark(original))
        except Exception as error:  # a broken file or a too small picture must not end the run
            show_unexpected(error)
            names, said = ", ".join(info.id for info in self.infos), _reason(error)
            log.warning("%s", said if names in said else f"{names}: {said}")
            for cell in cells:
                self._failed(cell, error, self.unmarked, marked=False, embedded=False)
                self._failed(cell, error, self.all, marked=True, embedded=False)
                done()
            return self.out
        self.out.pictures |= {"original": original, "marked": marked}
        quality = self._quality(marked, original)
        unmarked = Compared(original[self.unmarked])
        compared = Compared(marked)
        for cell in cells:
            if self.unmarked:
                self._tried(cell, unmarked, self.unmarked, None)
            if cell.search is None:
                self._tried(cell, compared, self.all, quality)
            else:
                for i in self.all:
                    own = {name: [values[i]] for name, values in quality.items()}
                    self._search(cell, Compared(marked[i : i + 1]), i, own)
            done()
        return self.out

    def _quality(self, marked: Tensor, original: Tensor) -> dict[str, list[float]]:
        """Every measure of each picture; none where there are no originals, or somebody changed their size."""
        if not self.has_originals or marked.shape != original.shape:
            return {}
        return {name: measure(marked, original).tolist() for name, measure in self.job.quality.items()}

    def _search(self, cell: Cell, before: "Compared", i: int, quality: dict[str, list[float]]) -> None:
        """Look for the strength at which the mark of one picture is lost; a reading that fails is a mark lost."""
        assert cell.search is not None

        def survives(strength: float) -> bool:
            self._tried(cell.at(strength), before, [i], quality)
            return self.out.rows[-1].is_marked

        search(cell.search.axis, cell.search.readings, survives)

    def _tried(
        self, cell: Cell, before: "Compared", members: Sequence[int], quality: dict[str, list[float]] | None
    ) -> None:
        """A cell, or rows that say why there is none."""
        try:
            self._cell(cell, before, members, quality)
        except Exception as error:
            show_unexpected(error)
            log.warning("%s, %s: %s", self.unit.name, cell.name, _reason(error))
            self._failed(cell, error, members, marked=quality is not None)

    def _cell(
        self, cell: Cell, before: "Compared", members: Sequence[int], quality: dict[str, list[float]] | None
    ) -> None:
        """One attack on some of the unit's pictures, marked where ``quality`` is given."""
        mapper = self.mapper if quality is not None and is_mapped(cell) else None
        attacked, how = self._attack(cell, before.images, members, told=mapper is not None)
        if quality is not None and cell.attack is not None and len(members) == len(self.infos):
            self.out.pictures[f"attacked/{cell.name}-{cell.strength}"] = attacked
        damages = self._damages(cell, before, attacked, None if quality is not None else members)
        with self._timed("decode", cell.name, attacked):
            read = self.hand.read(attacked, members)
        fits = [None] * len(members) if mapper is None else self._map(mapper, cell, attacked, how)
        rows = []
        for place, i in enumerate(members):
            own = None if quality is None else {name: values[place] for name, values in quality.items()}
            rows.append(self._record(cell, i, read[place], own, damages[place], fits[place]))
        self.out.rows += rows

    def _map(self, mapper: Watermarker, cell: Cell, attacked: Tensor, how: Edited | None) -> list[Fit]:
        """Where each picture is said to be edited, against where it was."""
        with self._timed("map", cell.name, attacked):
            maps = maps_of(mapper, attacked)
        fits, pictures = compared(maps, attacked, how)
        if not self.job.sampled.isdisjoint(self.unit.indices):
            self.out.pictures[f"map/{cell.name}-{cell.strength}"] = pictures
        return fits

    def _damages(
        self, cell: Cell, before: "Compared", attacked: Tensor, unmarked: Sequence[int] | None
    ) -> list[Damage]:
        """What the attack did to each picture; to ``unmarked`` ones it may be known from another scheme's turn."""
        names = [(self.infos[i].id, cell.name, cell.strength, self.unit.key) for i in unmarked or ()]
        if names and all(name in self.known for name in names):
            return [self.known[name] for name in names]
        damages = before.damages(attacked, cell.attack is not None and cell.attack.moves(*before.images.shape[-2:]))
        if names:
            self.known.update(zip(names, damages, strict=True))
        return damages

    def _attack(
        self, cell: Cell, images: Tensor, members: Sequence[int], *, told: bool
    ) -> tuple[Tensor, Edited | None]:
        """The attacked pictures; where it is to be ``told``, how to find what was edited."""
        if cell.attack is None:
            return images, None
        seeds = [self.job.attack_seed(self.infos[i], cell, self.unit.key) for i in members]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        with self._timed("attack", cell.name, images):
            how = edited(cell.attack, images, generators) if told else None
            return to_8bit(cell.attack(images, generators) if how is None else how.images), how

    def _record(
        self,
        cell: Cell,
        i: int,
        read: Reading,
        quality: dict[str, float] | None,
        damage: Damage,
        fitted: Fit | None,
    ) -> Record:
        marked = quality is not None
        measured: dict[str, Any] = {name: _finite((quality or {}).get(name)) for name in (*QUALITY, *MEASURES)}
        return Record(
            **self._identity(cell, i),
            marked=marked,
            embedded=True,
            **read.columns if marked else {**read.columns, "payload_ok": None},
            **measured,
            attack_psnr=_finite(damage[0]),
            attack_ssim=_finite(damage[1]),
            **columns(fitted),
            logits=_pack(read.logits) if self.job.config["keep_logits"] and read.logits is not None else None,
            error=None,
        )

    def _identity(self, cell: Cell, i: int) -> dict[str, Any]:
        info, payload = self.infos[i], self.hand.payloads[i]
        return {
            "image": info.id,
            "image_class": info.image_class,
            "width": info.width,
            "height": info.height,
            "scheme": self.unit.scheme,
            "attack": cell.name,
            "parameter": cell.parameter,
            "strength": cell.strength,
            "attack_version": cell.attack.version if cell.attack is not None else 1,
            "key": self.unit.key,
            "seed": self.job.attack_seed(info, cell, self.unit.key),
            "provider_id": payload.provider_id,
            "content_id": str(payload.content_id),
            "message_bits": self.hand.message_bits,
        }

    def _failed(
        self, cell: Cell, error: Exception, members: Sequence[int], *, marked: bool, embedded: bool = True
    ) -> None:
        nothing = {**dict.fromkeys(Record.__dataclass_fields__), "is_marked": False, "embedded": embedded}
        nothing["error"] = _reason(error)
        self.out.rows += [Record(**{**nothing, **self._identity(cell, i), "marked": marked}) for i in members]

    @contextmanager
    def _timed(self, stage: str, attack: str | None, images: Tensor) -> Iterator[None]:
        if self.job.device.type == "cuda":
            reset_peak(self.job.device)  # on a CPU the peak of the whole process counts: it is what a worker needs
        start = self._clock()
        yield
        self.out.costs.append(
            {
                "unit": self.unit.name,
                "scheme": self.unit.scheme,
                "stage": stage,
                "attack": attack,
                "images": len(images),
                "pixels": images.shape[0] * images.shape[2] * images.shape[3],
                "seconds": self._clock() - start,
                "peak_bytes": peak_bytes(self.job.device),
            }
        )

    def _clock(self) -> float:
        if self.job.device.type == "cuda":
            torch.cuda.synchronize(self.job.device)
        return time.perf_counter()


class Compared:
    """Pictures that many attacked ones are compared with.

    Args:
        images: ``(N, 3, H, W)`` in ``[0, 1]``.
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images

    @cached_property
    def moments(self) -> Moments:
        """What SSIM asks of them every time."""
        return Moments.of(self.images)

    def damages(self, attacked: Tensor, moved: bool) -> list[Damage]:
        """PSNR and SSIM of each attacked picture; None where pixels moved."""
        if moved or attacked.shape != self.images.shape:
            return [(None, None)] * len(attacked)
        decibels, similarity = psnr(attacked, self.images), ssim(attacked, self.moments)
        return list(zip(decibels.tolist(), similarity.tolist(), strict=True))


def _finite(value: float | None) -> float | None:
    """PSNR of equal pictures is infinite, MS-SSIM of tiny ones NaN; a row says null."""
    return value if value is not None and math.isfinite(value) else None


def _reason(error: Exception) -> str:
    told = isinstance(error, UserError) or str(error).startswith("expected ")  # as everything here words a refusal
    said = str(error) if told else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:300]


def _pack(logits: Tensor) -> bytes:
    scale = logits.square().mean().sqrt().clamp_min(1e-30)
    return (logits / scale).clamp(-6e4, 6e4).numpy().astype("<f2").tobytes()
