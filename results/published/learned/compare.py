"""Compare two schemes picture by picture, from the rows that ``results/published/tile-spread/measure.py`` wrote.

    python results/published/learned/compare.py FIRST.jsonl SECOND.jsonl

Only pictures and cells that both files hold are compared. A cell is won by an exact payload; evidence is -log10 p of
the reading (what the detector can prove), which still differs where both schemes read every payload.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from watermark.metrics.paired import bootstrap_mean, mcnemar, sign_flip
from watermark.metrics.rates import wilson


def rows(path: str) -> dict[str, dict]:
    found = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return {row["image"]: row for row in found}


def main(first: str, second: str) -> None:
    one, other = rows(first), rows(second)
    images = sorted(one.keys() & other.keys())
    names = Path(first).stem, Path(second).stem
    for name, part in zip(names, (one, other), strict=True):
        quality = {key: np.mean([part[image][key] for image in images]) for key in ("psnr", "ssim", "embed_cpu_s")}
        worst = min(part[image]["worst_tile_psnr"] for image in images)
        mean_worst = np.mean([part[image]["worst_tile_psnr"] for image in images])
        print(f"{name}: {len(images)} pictures, {quality['psnr']:.2f} dB, SSIM {quality['ssim']:.4f}, ", end="")
        print(f"worst tile {mean_worst:.1f} dB (least {worst:.1f}), embedding {quality['embed_cpu_s']:.2f} CPU s")
    wins: dict = defaultdict(list)
    for image in images:
        theirs = {(cell[0], cell[1]): cell for cell in other[image]["cells"]}
        for cell in one[image]["cells"]:
            if (cell[0], cell[1]) in theirs:
                match = theirs[cell[0], cell[1]]
                wins[cell[0], cell[1]].append((cell[2], match[2], -cell[4], -match[4]))
    print(
        f"\n| attack | strength | {names[0]} exact | {names[1]} exact | p (McNemar) | evidence {names[0]} / {names[1]} |"
    )
    print("|---|---|---|---|---|---|")
    for (attack, strength), values in wins.items():
        table = np.array(values, dtype=float)
        shown = [
            f"{int(hit.sum())}/{len(hit)} [{wilson(int(hit.sum()), len(hit))[0]:.2f}, {wilson(int(hit.sum()), len(hit))[1]:.2f}]"
            for hit in (table[:, 0], table[:, 1])
        ]
        p = mcnemar(table[:, 0] > 0, table[:, 1] > 0)
        level = "" if strength is None else f"{strength:g}"
        print(
            f"| {attack} | {level} | {shown[0]} | {shown[1]} | {p:.3f} | {table[:, 2].mean():.0f} / {table[:, 3].mean():.0f} |"
        )
    by_image = np.array([[v[i] for v in wins.values()] for i in range(len(images))], dtype=float)  # (image, cell, 4)
    difference = (by_image[:, :, 0] - by_image[:, :, 1]).mean(1)
    low, high = bootstrap_mean(difference)
    print(
        f"\nAll {by_image.shape[1]} cells: {by_image[..., 0].mean():.3f} against {by_image[..., 1].mean():.3f} exact; ",
        end="",
    )
    print(
        f"difference {difference.mean():+.3f} [{low:+.3f}, {high:+.3f}], sign-flip p over pictures {sign_flip(difference):.4f}"
    )
    evidence = (by_image[:, :, 2] - by_image[:, :, 3]).mean(1)
    low, high = bootstrap_mean(evidence)
    print(
        f"Evidence (-log10 p), mean difference {evidence.mean():+.1f} [{low:+.1f}, {high:+.1f}], p {sign_flip(evidence):.4f}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
