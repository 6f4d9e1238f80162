# ruff: noqa: T201 - a script prints
"""Who is named on pictures near the threshold.

    python results/published/names/pictures.py ROWS.jsonl --pictures DIR DIR --schemes tile_spread learned --count 2000
    python results/published/names/pictures.py ROWS.jsonl --table

Every picture is cut to 192 to 320 px, marked at 45 dB with a key and IDs of its own, and attacked. It is attacked anew,
up to six times, at a strength that should bring log10 p between -11 and -6.5, until it lies between -12 and -6: only
there can a name be doubtful. The last reading of a picture is its row. Rows are appended; the same command goes on
where it was.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from attacks import Collage, Crop, GaussianBlur, GaussianNoise, Jpeg, ResizeBack
from attacks.base import Attack
from watermark import Watermarker, files
from watermark.detection import MISATTRIBUTION_RATE
from watermark.detection.detector import Detector
from watermark.images import to_8bit
from watermark.pixels import to_tensor

Chain = Callable[[float], list[Attack]]
ATTACKS: dict[str, tuple[Chain, float]] = {  # harder as the number grows, and where to start
    "noise": (lambda x: [GaussianNoise(x)], 0.05),
    "blur": (lambda x: [GaussianBlur(x)], 1.5),
    "jpeg": (lambda x: [Jpeg(max(1, min(100, round(10 / x))))], 0.5),
    "crop": (lambda x: [Crop(min(1.0, 0.1 / x))], 0.5),
    "noise and jpeg": (lambda x: [GaussianNoise(x), Jpeg(70)], 0.03),
    "reduction": (lambda x: [ResizeBack(min(1.0, 1 / x))], 2.5),
    "collage": (lambda x: [Collage(min(1.0, 0.1 / x))], 0.5),
}
NEAR, AIM = (-12.0, -6.0), -8.5  # log10 p
TRIES = 6


def start_of(attack: str, rows: list[dict]) -> float:
    """The strength that the last pictures would have needed, in the middle of them."""
    needed = [row["needed"] for row in rows if row["attack"] == attack][-15:]
    return float(np.median(needed)) if needed else ATTACKS[attack][1]


class Steering:
    """The next strength: between one that left too much evidence and one that left too little, once both are known."""

    def __init__(self) -> None:
        self.mild, self.harsh = 0.0, math.inf

    def next(self, strength: float, log10_p: float) -> float:
        """Evidence falls about with the square of the strength."""
        if log10_p <= NEAR[0]:
            self.mild = strength
        elif log10_p > NEAR[1]:
            self.harsh = strength
        if self.mild and math.isfinite(self.harsh):
            return math.sqrt(self.mild * self.harsh)
        return strength * min(1.6, max(0.75, math.sqrt(max(-log10_p, 4.0) / -AIM)))


def cut(path: Path, rng: np.random.Generator) -> Tensor:
    """``(1, 3, H, W)``: a random part of the picture with sides of 192 to 320 px, where it has as many."""
    picture = to_tensor(files.load(path))
    sides = [min(int(rng.integers(192, 321)), side) for side in picture.shape[-2:]]
    top, left = (int(rng.integers(whole - side + 1)) for whole, side in zip(picture.shape[-2:], sides, strict=True))
    return picture[..., top : top + sides[0], left : left + sides[1]]


@torch.no_grad()
def measure(path: Path, scheme: str, attack: str, strength: float, number: int) -> dict:
    """One picture near the threshold: the answer with the likeliest ID, and the chance that it is wrong."""
    rng = np.random.default_rng([number, list(ATTACKS).index(attack)])
    marker = Watermarker.load(scheme, key=f"names {number}", target_psnr=45)
    provider, content = int(rng.integers(1 << 12)), int(rng.integers(1 << 40))
    marked = to_8bit(marker.embed(cut(path, rng), provider, content))
    detector = Detector(marker.codec, misattribution_rate=1)
    steering = Steering()
    for attempt in range(1, TRIES + 1):
        image = marked
        for step in ATTACKS[attack][0](strength):
            image = to_8bit(step(image, [torch.Generator().manual_seed(number)]))
        (found,) = detector.detect(marker.read(image))
        needed = steering.next(strength, found.log10_p)
        if NEAR[0] < found.log10_p <= NEAR[1] or attempt == TRIES:
            break
        strength = needed
    right = (found.provider_id, found.content_id) == (provider, content)
    facts = {"picture": path.name, "number": number, "scheme": scheme, "attack": attack, "strength": strength}
    answer = {"log10_p": found.log10_p, "log10_doubt": found.log10_doubt, "right": right}
    return {**facts, **answer, "needed": needed, "tries": attempt}


def table(rows: list[dict], rate: float) -> str:
    """Markdown: per scheme, all marked answers and those near the threshold."""
    head = "| scheme | log10 p | pictures read | marked | likeliest ID wrong | named | wrongly named | withheld |"
    lines = [head, "|---" * 8 + "|"]
    for scheme in sorted({row["scheme"] for row in rows}):
        mine = [row for row in rows if row["scheme"] == scheme]
        for low, high in ((-math.inf, -12), (-12, -9), (-9, -8), (-8, -7), (-7, -6), NEAR):
            marked = [r for r in mine if r["log10_doubt"] is not None and low < r["log10_p"] <= high]
            named = [r for r in marked if r["log10_doubt"] <= math.log10(rate)]
            wrong, false = (sum(not r["right"] for r in part) for part in (marked, named))
            words = f"({low}, {high}]" if math.isfinite(low) else f"up to {high}"
            cells = (scheme, words, len(mine), len(marked), wrong, len(named), f"{false}{_high(false, len(named))}")
            lines.append(f"| {' | '.join(map(str, cells))} | {len(marked) - len(named)} |")
    return "\n".join(lines) + "\n"


def _high(count: int, n: int) -> str:
    return f" (at most {binomtest(count, n).proportion_ci(0.95, 'exact').high:.1e} of them)" if n else ""


def main() -> None:
    """Measure what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="+", default=[])
    parser.add_argument("--schemes", nargs="+", default=["tile_spread", "learned"])
    parser.add_argument("--count", type=int, default=2000, help="readings per scheme")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.rows.read_text().splitlines()] if arguments.rows.exists() else []
    if arguments.table:
        print(table(rows, MISATTRIBUTION_RATE), end="")
        return
    paths = [path for folder in arguments.pictures for path in sorted(files.find_pictures(folder))]
    for number in range(arguments.count):
        for scheme in arguments.schemes:
            mine = [row for row in rows if row["scheme"] == scheme]
            if number < len(mine):
                continue
            attack = list(ATTACKS)[number % len(ATTACKS)]
            rows.append(measure(paths[number % len(paths)], scheme, attack, start_of(attack, mine), number))
            with arguments.rows.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")


if __name__ == "__main__":
    main()
