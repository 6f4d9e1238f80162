"""What an evaluation is made of, built from one resolved configuration: images, schemes, cells, payloads, seeds."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import torch

from watermark.codec import Layout, Payload
from watermark.config import build, target_of
from watermark.data.images import ImageInfo, ImageSet
from watermark.data.spread import spread
from watermark.errors import UserError
from watermark.evaluation.code_hash import code_hash
from watermark.evaluation.draw import Draw, Name, draw
from watermark.evaluation.hands import marked_file
from watermark.evaluation.matched import Match
from watermark.evaluation.plan import MAX_KEYS, Unit, plan
from watermark.evaluation.suite import Cell, suite_cells
from watermark.keys import keyed_words
from watermark.metrics.ciede2000 import ciede2000
from watermark.metrics.ms_ssim import ms_ssim
from watermark.metrics.perceptual import Measure, perceptual
from watermark.metrics.psnr import psnr
from watermark.metrics.ssim import ssim
from watermark.metrics.worst_tile import worst_tile_psnr
from watermark.reader import pick_device
from watermark.schemes.base import SEARCHES
from watermark.schemes.outside import OutsideMark
from watermark.watermarker import Watermarker

NOT_IN_KEY = {"output", "name", "workers", "shard", "device"}
"""Settings that decide where and how fast, but not what."""
QUALITY: dict[str, Measure] = {
    "psnr": psnr,
    "ssim": ssim,
    "worst_tile_psnr": worst_tile_psnr,
    "ms_ssim": ms_ssim,
    "ciede2000": ciede2000,
}
"""Marked against original, once per picture; attacked pictures get PSNR and SSIM only, which cost the least."""


class Job:
    """Everything that decides the rows.

    Args:
        config: the resolved configuration of ``watermark evaluate`` (``schemes``: name to scheme configuration).
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.seed: int = config["seed"]
        self.device = pick_device(config["device"])
        self.images: ImageSet = build(config["data"])
        self.layout: Layout = build(config["layout"])
        limit: int | None = config.get("unmarked")  # runs of earlier versions do not say
        self.unmarked_limit = self.images.unmarked if limit is None else limit
        if self.unmarked_limit is not None and self.unmarked_limit < 0:
            raise UserError(f"unmarked: expected at least 0 pictures, got {self.unmarked_limit}")
        self.config = {**config, "unmarked": self.unmarked_limit}
        self.misattribution_rate: float = config.get("misattribution_rate", 1.0)  # earlier runs named in any case
        self.search: str = config.get("search", "thorough")  # what runs of earlier versions did
        if self.search not in SEARCHES:
            raise UserError(f"search: expected one of {', '.join(SEARCHES)}, got {self.search!r}")
        self.match = Match.of(config, self.device)
        self.localize: bool = config.get("localize", False)
        self.keys: int = config.get("keys", 1)
        if not 1 <= self.keys <= MAX_KEYS:
            raise UserError(f"keys: expected 1 to {MAX_KEYS}, got {self.keys}")

    @cached_property
    def cells(self) -> list[Cell]:
        """No attack first, then every attack of the suite at every strength."""
        return suite_cells(self.config["suite"] or {})

    @cached_property
    def drawn(self) -> Draw | None:
        """Which of the cells each picture meets; None: all.

        Raises:
            UserError: if the suite has not so many.
        """
        each: int | None = self.config.get("cells")
        if each is None:
            return None
        families = {(cell.name, cell.strength): type(cell.attack).family for cell in self.cells if cell.attack}
        return draw(families, [info.id for info in self.images.infos], each, self.seed, self.keys)

    @cached_property
    def _hands(self) -> dict[tuple[int, int], set[Name]]:
        return self.drawn.hands() if self.drawn else {}

    def cells_of(self, unit: Unit) -> list[Cell]:
        """The cells that a unit's pictures meet."""
        if self.drawn is None:
            return self.cells
        hand = self._hands[unit.indices[0], unit.key]
        return [cell for cell in self.cells if cell.attack is None or (cell.name, cell.strength) in hand]

    @cached_property
    def units(self) -> list[Unit]:
        """Scheme by scheme; on a GPU images of one size that follow each other share a batch.

        On a CPU a batch gains nothing, and a matrix product rounds differently with its size. So pictures go one by
        one, and a row depends on its own picture alone, whatever ``batch_size`` and ``unmarked`` are.
        """
        alone = self.device.type == "cpu" or self.match or self.outside or self.drawn
        together = 1 if alone else self.config["batch_size"]
        sizes = [(info.width, info.height) for info in self.images.infos]
        return plan(self.config["schemes"], sizes, together, self.keys)

    @cached_property
    def unmarked(self) -> frozenset[int]:
        """The pictures that are measured without a mark too."""
        return frozenset(spread(self.unmarked_limit, len(self.images.infos)))

    @cached_property
    def sampled(self) -> frozenset[int]:
        """The pictures to keep for the report: the first of every class, then further ones, ``samples`` in all."""
        classes = [info.image_class for info in self.images.infos]
        firsts = [classes.index(name) for name in dict.fromkeys(classes)]
        rest = [index for index in range(len(classes)) if index not in firsts]
        return frozenset((firsts + rest)[: self.config["samples"]])

    def key(self, number: int) -> str:
        """The secret of that number; it is none, for an evaluation marks nothing that matters."""
        return self._named("evaluation", self.seed, key=number)

    @cached_property
    def outside(self) -> dict[str, OutsideMark]:
        """The marks of somebody else among the schemes, by name."""
        return {name: build(config) for name, config in self.config["schemes"].items() if is_outside(config)}

    def subject(self, scheme: str, key: int = 0) -> Watermarker | OutsideMark:
        """What is measured under that name: a marker of ours, or somebody else's mark."""
        return self.outside.get(scheme) or self.marker(scheme, key)

    def marker(self, scheme: str, key: int = 0, **settings: Any) -> Watermarker:
        """A scheme ready to embed and detect under the key of that number, on the job's device."""
        return Watermarker.build(
            self.config["schemes"][scheme],
            self.key(key),
            layout=self.layout,
            false_positive_rate=self.config["false_positive_rate"],
            misattribution_rate=self.misattribution_rate,
            search=self.search,
            device=self.device,
            **settings,
        )

    @cached_property
    def quality(self) -> dict[str, Measure]:
        """What is measured between marked and original picture: column of the rows to function; built once."""
        wanted = list(self.config.get("perceptual") or [])
        wanted += [self.match.by] if self.match and self.match.by not in (*wanted, *QUALITY) else []
        return QUALITY | {name: perceptual(name, self.device) for name in wanted}

    def payload(self, info: ImageInfo, key: int = 0) -> Payload:
        """Random IDs per picture and key, the same for every scheme."""
        provider, content = keyed_words(self.seed, self._named("payload of", info.id, key=key), 2)
        bits = self.layout
        return Payload(int(provider) % 2**bits.provider_bits, int(content) % 2**bits.content_bits)

    def attack_seed(self, info: ImageInfo, cell: Cell, key: int = 0) -> int:
        """Hash of run seed, picture, key, attack and rung: the same draw for every scheme, marked or not.

        Along an axis the draw stays, so that nothing but the strength differs between the readings of a search.
        """
        rung = f"{cell.parameter}={cell.strength}" if cell.search is None else f"{cell.parameter} on its axis"
        attack = f"attack {cell.name} {rung} on"
        return int(keyed_words(self.seed, self._named(attack, info.id, key=key), 1)[0] >> 2)

    @staticmethod
    def _named(what: str, of: object, key: int) -> str:
        """What a draw is for; the first key of a run of many draws as the only one of a run of one."""
        return f"{what} {of}" + (f", key {key}" if key else "")

    @cached_property
    def key_hash(self) -> str:
        """Hash of configuration, code and data: the same key means the same rows."""
        facts = {name: value for name, value in self.config.items() if name not in NOT_IN_KEY}
        facts["data"] = {name: value for name, value in self.config["data"].items() if name != "path"}  # wherever it is
        facts |= {"code": code_hash(self.config), "data manifest": self.images.manifest_hash()}
        facts |= {"torch": torch.__version__, "device": self.device.type}
        if self.outside:
            facts["outside"] = {name: self._files_of(outside) for name, outside in self.outside.items()}
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

    def _files_of(self, outside: OutsideMark) -> list[str]:
        """Hashes of the marked pictures, those that are there, and of what is known of the detector."""
        files = list(outside.files())
        for info in self.images.infos if outside.marked is not None else ():
            with suppress(UserError):
                files.append(marked_file(str(outside.marked), info.id))
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def is_outside(config: Mapping[str, Any]) -> bool:
    """Whether a scheme's configuration is of a mark that somebody else puts on and reads."""
    kind = target_of(config)
    return isinstance(kind, type) and issubclass(kind, OutsideMark)
