"""Would `learned_tough` survive pixel diffusion better with more of its energy in colour? The same mark, colour louder.

    python colour.py --photos TRAIN --rows colour.jsonl
    python colour.py --rows colour.jsonl --table

At 42 dB, at a known place, six photographs; `z^2` of the scheme's own reader over all channel bits, for Kodak's area.
"""

import argparse
import json
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from bound import KODAK, LEVEL, photograph
from torch import Tensor, nn

from attacks import PixelDiffusion
from watermark.config import build_named
from watermark.images import to_8bit
from watermark.synchronization import Alignment, spectra

LOUDER, TIME, FIRST, COUNT = (0.0, 1.0, 2.0), 0.15, 20, 6
"""Natural logarithms of the amplitude of colour; the photographs are others than those of ``bound.py``."""


class Louder(nn.Module):
    """A spectrum ``(2, L)`` whose second plane is louder."""

    alike = False

    def __init__(self, spectrum: nn.Module, by: float) -> None:
        super().__init__()
        self.spectrum, self.by = spectrum, by

    def forward(self, radius: Tensor, angle: Tensor) -> Tensor:
        levels = self.spectrum(radius, angle).clone()
        levels[1] += self.by
        return levels


@torch.no_grad()
def measure(path: Path, scheme: nn.Module, spectrum: nn.Module) -> list[dict]:
    picture, seed, rows = photograph(path), zlib.crc32(path.name.encode()), []
    message = torch.randint(2, (1, scheme.message_bits), generator=torch.Generator().manual_seed(seed)) == 1
    here = Alignment(torch.eye(2)[None], torch.zeros(1, 2), torch.ones(1))
    for by in LOUDER:
        scheme.core.amplitude = Louder(spectrum, by)
        change = scheme.core.residual(picture, message, scheme.carriers, here, torch.tensor([LEVEL]), 0)
        marked = to_8bit((picture + change).clamp(0, 1))
        for t in (0, TIME):
            attacked = to_8bit(PixelDiffusion(t)(marked, torch.Generator().manual_seed(seed)))
            lines = scheme.core.read_lines(spectra(scheme.core.maps(attacked)), scheme.carriers, here)
            bits = scheme.core.soft_bits(lines, scheme.carriers)[0] * (message[0].float() * 2 - 1)
            z2 = float(len(bits) * bits.mean() ** 2 / bits.var()) * KODAK / picture[0, 0].numel()
            rows.append({"image": path.name, "add": by, "t": t, "z2": round(z2, 1)})
    return rows


def table(rows: list[dict]) -> None:
    found = defaultdict(list)
    for row in rows:
        found[row["t"], row["add"]].append(row["z2"])
    print("| t | n | " + " | ".join(f"colour e^{by:g}: z^2, median (of the present)" for by in LOUDER) + " |")
    print("|---" * (2 + len(LOUDER)) + "|")
    for t in sorted({t for t, _ in found}):
        first = np.array(found[t, 0.0])
        shown = (f"{np.median(found[t, by]):.0f} ({np.median(np.array(found[t, by]) / first):.2f})" for by in LOUDER)
        print(f"| {t:g} | {len(first)} | {' | '.join(shown)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    if args.table:
        return table([json.loads(line) for line in args.rows.read_text().splitlines()])
    torch.set_num_threads(1)
    scheme = build_named("scheme", "learned_tough", key="bound")
    spectrum = scheme.core.amplitude
    paths = sorted(args.photos.glob("*.webp"), key=lambda path: zlib.crc32(path.name.encode()))
    with args.rows.open("w") as out:
        for path in paths[FIRST : FIRST + COUNT]:
            out.writelines(json.dumps(row) + "\n" for row in measure(path, scheme, spectrum))
            out.flush()
    return None


if __name__ == "__main__":
    main()
