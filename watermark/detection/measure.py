"""Measure codec and detector against noise: ``python -m watermark.detection.measure results/published/codec``.

Random payloads are encoded, sent over a binary-input Gaussian channel, and decoded and detected as those of real
pictures are. The result is ``table.md`` and ``summary.json``.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from scipy.stats import binomtest

from watermark.codec.codec import Codec, Decoded
from watermark.codec.construction import threshold_snr
from watermark.codec.payload import Layout, Payload
from watermark.detection.detector import Detector

CASES = {
    "l64 in 128": (Layout(), 128),
    "l64 in 256": (Layout(), 256),
    "l64 in 512": (Layout(), 512),
    "l64 in 1024": (Layout(), 1024),
    "l64 in 2000": (Layout(), 2000),
    "l96 in 512": (Layout(4, 20, 56, 16), 512),
    "l128 in 512": (Layout(4, 24, 68, 32, "mac"), 512),
    "l128 in 1024": (Layout(4, 24, 68, 32, "mac"), 1024),
}
OFFSETS = (0.0, 0.5, 1.0, 1.5)  # dB above the normal approximation at an error rate of 1e-2
BATCH = 250


@dataclass(frozen=True)
class Point:
    """One code at one noise level.

    Attributes:
        case: layout and message bits.
        es_n0_db: signal-to-noise ratio of one message bit.
        above_bound_db: above what the best code of these lengths needs for 1 % lost words (normal approximation).
        z: total signal-to-noise amplitude, ``sqrt(2 K Es/N0)``.
        words: how many were sent.
        lost: decoded to something else than was sent, or to nothing.
        detected: marked at a false-positive rate of 1e-6, with the right payload.
        misattributed: marked at 1e-6 with a wrong payload.
        milliseconds: processor time of decoding and detection, per word.
    """

    case: str
    es_n0_db: float
    above_bound_db: float
    z: float
    words: int
    lost: int
    detected: int
    misattributed: int
    milliseconds: float


class _Remembering(Codec):
    """Keeps what it decoded last, so that measuring decodes once."""

    last: list[Decoded]

    def decode(self, logits: torch.Tensor) -> list[Decoded]:
        self.last = super().decode(logits)
        return self.last


def measure(case: str, above_db: float, words: int, list_size: int | None = None) -> Point:
    """Send ``words`` random payloads at one noise level."""
    layout, bits = CASES[case]
    codec = _Remembering(layout, bits, key="measure", list_size=list_size)
    detector = Detector(codec, 1e-6)
    db = 10 * math.log10(threshold_snr(layout.free_bits, bits, 1e-2)) + above_db
    snr, rng = 10 ** (db / 10), np.random.default_rng(round(1000 * (above_db + 10)) + bits)
    lost = detected = misattributed = 0
    start = time.process_time()
    for done in range(0, words, BATCH):
        payloads = [random_payload(layout, rng) for _ in range(min(BATCH, words - done))]
        clean = codec.encode(payloads).numpy() * 2.0 - 1
        logits = torch.from_numpy(clean + rng.standard_normal(clean.shape) / math.sqrt(2 * snr))
        once = torch.ones(len(logits), dtype=torch.int64)
        found = detector.detect(SimpleNamespace(logits=logits, readings=once, others=None))
        for sent, decoded, answer in zip(payloads, codec.last, found, strict=True):
            right = decoded.payload == sent
            lost += not right
            detected += answer.is_marked and right
            misattributed += answer.is_marked and not right
    cost = 1000 * (time.process_time() - start) / words
    return Point(case, db, above_db, math.sqrt(2 * bits * snr), words, lost, detected, misattributed, cost)


def random_payload(layout: Layout, rng: np.random.Generator) -> Payload:
    """Any IDs, of the current version."""

    def draw(bits: int) -> int:
        return int.from_bytes(rng.bytes((bits + 7) // 8), "big") % (1 << bits)

    return Payload(draw(layout.provider_bits), draw(layout.content_bits))


def table(points: list[Point]) -> str:
    """Markdown, one row per measured point."""
    lines = [
        "| code | Es/N0 dB | dB above bound | z | words | lost % | detected at 1e-6 % | misattributed % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for p in points:
        shares = " | ".join(_share(count, p.words) for count in (p.lost, p.detected, p.misattributed))
        lines.append(f"| {p.case} | {p.es_n0_db:.2f} | {p.above_bound_db:+.2f} | {p.z:.1f} | {p.words} | {shares} |")
    return "\n".join(lines) + "\n"


def _share(count: int, words: int) -> str:
    """Percentage with its 95 % Wilson interval."""
    interval = binomtest(count, words).proportion_ci(0.95, "wilson")
    return f"{100 * count / words:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def main() -> None:
    """Measure every case and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", type=int, default=1000, help="words per point")
    parser.add_argument("--list-size", type=int, help="candidates while decoding; default: what Codec chooses")
    arguments = parser.parse_args()
    points = [measure(case, offset, arguments.words, arguments.list_size) for case in CASES for offset in OFFSETS]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "table.md").write_text(table(points))
    summary = {"list_size": arguments.list_size, "points": [asdict(p) for p in points]}
    (arguments.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
