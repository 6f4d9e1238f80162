"""What the studies share: pictures, a registry for the occasion, rates with intervals, and the files they write."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from watermark import files
from watermark.config import build_named
from watermark.evaluation.provenance import git_state
from watermark.identity import Candidate, WatermarkEvidence, look_up
from watermark.identity.looks import perceptual_hash, thumbnail
from watermark.metrics.rates import wilson
from watermark.registry import IssueRecord, Registry, Slot
from watermark.watermarker import Watermarker

FAKE_CODE = "0011" + "0" * 18 + "10001"  # 18 zeros name nobody
FALSE_POSITIVE_RATE = 1e-6


@dataclass
class Desk:
    """One provider slot with its marker and registry."""

    registry: Registry
    marker: Watermarker
    slot: Slot

    @classmethod
    def open(cls, folder: Path, scheme: str, layout: str, target_psnr: float) -> "Desk":
        """A fresh registry in ``folder`` with one slot; keys are fixed, so a study can be repeated."""
        slot = Slot(7, FAKE_CODE, "study", scheme, "1", layout, build_named("layout", layout).content_bits)
        registry = Registry(folder / f"{layout}.db", b"registry key of the identity study")
        registry.add_slot(slot)
        key = b"mark key of the identity study"
        return cls(registry, Watermarker.load(scheme, key=key, layout=layout, target_psnr=target_psnr), slot)

    def mark(self, image: Image.Image) -> tuple[Image.Image, int]:
        """A marked copy, and its content ID."""
        content_id = self.registry.allocate(self.slot.slot)
        return self.marker.embed(image, self.slot.slot, content_id), content_id

    def record(self, content_id: int, released: Image.Image) -> IssueRecord:
        """Write down an issued picture; its file's digest does not matter here."""
        slot = self.slot
        made = IssueRecord(
            version=1,
            slot=slot.slot,
            content_id=content_id,
            content_producer=slot.content_producer,
            produce_id=f"study-{content_id:X}",
            label="1",
            algorithm=slot.algorithm,
            algorithm_version=slot.algorithm_version,
            key_id=slot.key_id,
            released_sha256="0" * 64,
            perceptual_hash=perceptual_hash(released),
            thumbnail=thumbnail(released),
            explicit_label=True,
        )
        return self.registry.record([made])[0]

    def ask(self, image: Image.Image) -> WatermarkEvidence:
        """What ``trace`` answers for these pixels."""
        candidate = Candidate(self.marker, (self.slot.key_id,), self.slot.algorithm, self.slot.layout)
        return look_up(image, self.registry, [candidate], FALSE_POSITIVE_RATE)


def parse(description: str) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The options that every study has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--output", type=Path, required=True, help="folder for summary and table")
    parser.add_argument("--count", type=int, default=16, help="pictures (default: %(default)s)")
    parser.add_argument("--scheme", default="tile_spread")
    parser.add_argument("--target-psnr", type=float, default=42.0)
    return parser, parser.parse_args()


def pictures(folder: Path, count: int) -> list[Image.Image]:
    """The first ``count`` pictures by name, as RGB without metadata."""
    found = []
    for path in list(files.find_pictures(folder))[:count]:
        image = files.load(path).convert("RGB")
        image.info = {}
        found.append(image)
    return found


def rate(hits: int, n: int) -> dict[str, Any]:
    """A rate with its 95 % Wilson interval."""
    low, high = wilson(hits, n)
    return {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}


def cell(value: dict[str, Any]) -> str:
    """A rate as a table shows it: hits of n, and the interval in percent."""
    return f"{value['hits']}/{value['n']} [{100 * value['low']:.0f}, {100 * value['high']:.0f}]"


def write(
    folder: Path, name: str, summary: dict[str, Any], header: Iterable[str], rows: Iterable[Iterable[str]]
) -> None:
    """``<name>.json`` with everything and ``<name>.md`` with the table; both say the command that made them."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = f"python -m watermark.identity.studies.{name} {shlex.join(words)}"
    (folder / f"{name}.json").write_text(
        json.dumps({"command": command, "git": git_state(), **summary}, indent=2) + "\n"
    )
    head = list(header)
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    (folder / f"{name}.md").write_text("\n".join([*lines, "", f"Made by `{command}`.", ""]))
