"""Measure the word errors of the codec against noise: ``python -m watermark.codec.measure results/published/codec``.

Random payloads are encoded, sent over a binary-input Gaussian channel and decoded by the very ``Codec`` that schemes
use. The result is ``table.md`` and ``summary.json``.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

from watermark.codec.codec import Codec
from watermark.codec.construction import threshold_snr
from watermark.codec.payload import Layout, Payload

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
OFFSETS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0)  # dB above the normal approximation at an error rate of 1e-2
BATCH = 250


@dataclass(frozen=True)
class Point:
    """One code at one noise level; ``low`` and ``high`` bound ``lost / words`` with 95 % (Wilson)."""

    case: str
    es_n0_db: float
    above_bound_db: float
    z: float
    words: int
    lost: int
    wrong: int
    low: float
    high: float
    milliseconds: float


def measure(case: str, above_db: float, words: int, list_size: int) -> Point:
    """Lost words (not the payload that was sent) and wrong ones (another payload with right check bits)."""
    layout, bits = CASES[case]
    codec = Codec(layout, bits, key="measure", list_size=list_size)
    db = 10 * math.log10(threshold_snr(layout.free_bits, bits, 1e-2)) + above_db
    snr, rng = 10 ** (db / 10), np.random.default_rng(round(1000 * (above_db + 10)) + bits)
    lost = wrong = 0
    seconds = 0.0
    for _ in range(words // BATCH):
        payloads = [_random_payload(layout, rng) for _ in range(BATCH)]
        clean = codec.encode(payloads).numpy() * 2.0 - 1
        logits = torch.from_numpy(clean + rng.standard_normal(clean.shape) / math.sqrt(2 * snr))
        start = time.process_time()
        decoded = codec.decode(logits)
        seconds += time.process_time() - start
        lost += sum(d.payload != p for d, p in zip(decoded, payloads, strict=True))
        wrong += sum(d.payload not in (p, None) for d, p in zip(decoded, payloads, strict=True))
    count = words // BATCH * BATCH
    interval = binomtest(lost, count).proportion_ci(0.95, "wilson")
    z, cost = math.sqrt(2 * bits * snr), 1000 * seconds / count
    return Point(case, db, above_db, z, count, lost, wrong, float(interval.low), float(interval.high), cost)


def _random_payload(layout: Layout, rng: np.random.Generator) -> Payload:
    def draw(bits: int) -> int:
        return int.from_bytes(rng.bytes((bits + 7) // 8), "big") % (1 << bits)

    return Payload(draw(layout.provider_bits), draw(layout.content_bits), draw(layout.version_bits))


def table(points: list[Point]) -> str:
    """Markdown, one row per measured point."""
    lines = [
        "| code | Es/N0 dB | dB above bound | z | words | lost | lost % [95 %] | wrong payload | ms per word |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for p in points:
        share = f"{100 * p.lost / p.words:.2f} [{100 * p.low:.2f}, {100 * p.high:.2f}]"
        lines.append(
            f"| {p.case} | {p.es_n0_db:.2f} | {p.above_bound_db:+.2f} | {p.z:.1f} | {p.words} | {p.lost} "
            f"| {share} | {p.wrong} | {p.milliseconds:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every case and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", type=int, default=4000, help="words per point")
    parser.add_argument("--list-size", type=int, default=32)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    points = [measure(case, offset, arguments.words, arguments.list_size) for case in CASES for offset in OFFSETS]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "table.md").write_text(table(points))
    summary = {"list_size": arguments.list_size, "points": [asdict(p) for p in points]}
    (arguments.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
