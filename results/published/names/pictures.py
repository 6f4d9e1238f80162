# ruff: noqa: T201 - a script prints
"""Who is named on pictures near the threshold.

    python results/published/names/pictures.py ROWS.jsonl --pictures DIR DIR --schemes tile_spread learned --count 2000
    python results/published/names/pictures.py ROWS.jsonl --table

Every picture is cut to 192 to 256 px, marked at 45 dB with a key and IDs of its own, and attacked: something at random,
and noise. Where the mark lies is found before the noise; how much noise brings log10 p to a place drawn between -11.7
and -7 is found by reading there alone, which costs little. Then the picture is read as anybody reads it, and this
reading is its row, wherever it lies. Only between -12 and -6 can a name be doubtful. Rows are appended; the same
command goes on where it was. Rows with ``needed`` are of the day before: they were steered by whole readings.
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
from watermark.schemes.base import Readout
from watermark.schemes.lattice.scheme import LatticeScheme
from watermark.synchronization import Alignment, Spectrum

NOISE = GaussianNoise
ATTACKS: dict[str, Callable[[float], list[Attack]]] = {  # before the noise, from mild (0) to hard (1)
    "noise": lambda _: [],
    "blur, noise": lambda x: [GaussianBlur(0.4 + x)],
    "jpeg, noise": lambda x: [Jpeg(round(90 - 60 * x))],
    "crop, noise": lambda x: [Crop(0.9 - 0.5 * x)],
    "noise, jpeg": lambda _: [],
    "reduction, noise": lambda x: [ResizeBack(0.9 - 0.4 * x)],
    "collage, noise": lambda x: [Collage(0.8 - 0.5 * x)],
}
NEAR, AIM = (-12, -6), (-11.7, -7.0)  # log10 p
READINGS = 30  # among which a public answer is chosen, about: the cheap one pays for as many
STEPS, FIRST_NOISE, MOST_NOISE, CLOSE = 9, 0.06, 0.5, 0.6  # evaluations; grey levels of 1; decades
PAID = 18.5  # decades for the words and the readings, which are added to the evidence


def cut(path: Path, rng: np.random.Generator) -> Tensor:
    """``(1, 3, H, W)``: a random part of the picture with sides of 192 to 256 px, where it has as many."""
    picture = to_tensor(files.load(path))
    sides = [min(int(rng.integers(192, 257)), side) for side in picture.shape[-2:]]
    top, left = (int(rng.integers(whole - side + 1)) for whole, side in zip(picture.shape[-2:], sides, strict=True))
    return picture[..., top : top + sides[0], left : left + sides[1]]


class Steering:
    """How much noise it takes: by what a reading at a known place says.

    Args:
        marker: whose mark it is.
        attacked: ``(1, 3, H, W)`` before the noise.
        last: what follows the noise.
        number: seeds the noise.
    """

    def __init__(self, marker: Watermarker, attacked: Tensor, last: list[Attack], number: int) -> None:
        if not isinstance(marker.scheme, LatticeScheme):
            raise TypeError(f"expected a keyed scheme, got {type(marker.scheme).__name__}")
        self.marker, self.scheme, self.attacked, self.last, self.number = marker, marker.scheme, attacked, last, number
        self.where: Alignment = self.scheme.align(attacked)

    def noisy(self, sigma: float) -> Tensor:
        """``(1, 3, H, W)`` of 8 bits."""
        return applied([NOISE(sigma), *self.last], self.attacked, self.number)

    def log10_p(self, sigma: float) -> float:
        """What the detector would say if it knew where the mark lies."""
        core, image = self.scheme.core, self.noisy(sigma)
        planes = core.planes.split(image.clamp(0, 1))
        both = tuple(Spectrum(whiten(planes[:, i : i + 1])[:, 0]) for i, whiten in enumerate(core.whiten))
        lines = core.read_lines(both, self.scheme.carriers, self.where)
        logits = core.soft_bits(lines, self.scheme.carriers)
        return self.marker.detector.detect(Readout(logits, torch.tensor([READINGS])))[0].log10_p

    def sigma(self, aim: float) -> float | None:
        """By the law that evidence follows in noise, corrected by what is read; None where too little is left without."""
        whole = self.log10_p(0.0)
        if whole > aim - 2:
            return None
        mild, harsh, sigma = 0.0, MOST_NOISE, FIRST_NOISE
        for _ in range(STEPS):
            there = self.log10_p(sigma)
            if abs(there - aim) < CLOSE:
                return sigma
            mild, harsh = (sigma, harsh) if there <= aim else (mild, sigma)
            if there == 0 or there <= whole:  # nothing was found, or the noise did not hurt yet
                sigma = math.sqrt(max(mild, harsh / 9) * harsh)
            else:
                sigma *= math.sqrt(((whole - PAID) / (aim - PAID) - 1) / ((whole - PAID) / (there - PAID) - 1))
            sigma = min(max(sigma, mild + (harsh - mild) / 20), harsh - (harsh - mild) / 20)
        return mild


def applied(chain: list[Attack], image: Tensor, number: int) -> Tensor:
    """Each attack in turn, its output rounded to 8 bits."""
    for step in chain:
        image = to_8bit(step(image, [torch.Generator().manual_seed(number)]))
    return image


@torch.no_grad()
def measure(path: Path, scheme: str, attack: str, number: int) -> dict:
    """One picture near the threshold: the answer with the likeliest ID, and the chance that it is wrong."""
    rng = np.random.default_rng([number, list(ATTACKS).index(attack)])
    marker = Watermarker.load(scheme, key=f"names {number}", target_psnr=45, search="thorough")
    provider, content = int(rng.integers(1 << 12)), int(rng.integers(1 << 40))
    marked = to_8bit(marker.embed(cut(path, rng), provider, content))
    hardness, aim, sigma = float(rng.random()), float(rng.uniform(*AIM)), None
    last: list[Attack] = [Jpeg(int(rng.integers(50, 91)))] if attack == "noise, jpeg" else []
    while sigma is None:
        steering = Steering(marker, applied(ATTACKS[attack](hardness), marked, number), last, number)
        sigma = steering.sigma(aim)
        if hardness < 0.05:
            sigma = sigma or 0.0
        hardness /= 2
    (found,) = Detector(marker.codec, misattribution_rate=1).detect(marker.read(steering.noisy(sigma)))
    right = (found.provider_id, found.content_id) == (provider, content)
    facts = {"picture": path.name, "number": number, "scheme": scheme, "attack": attack}
    answer = {"log10_p": found.log10_p, "log10_doubt": found.log10_doubt, "right": right}
    return {**facts, "hardness": 2 * hardness, "sigma": sigma, "aim": aim, **answer}


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
            words = f"({low}, {high}]{', together' * ((low, high) == NEAR)}" if math.isfinite(low) else f"up to {high}"
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
            rows.append(measure(paths[number % len(paths)], scheme, attack, number))
            with arguments.rows.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")


if __name__ == "__main__":
    main()
