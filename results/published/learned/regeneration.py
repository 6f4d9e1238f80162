"""Round trips through other people's auto-encoders (TAESD family): payloads that survive, per scheme and quality.

    python results/published/learned/regeneration.py --images DIR --weights DIR --rows OUT.jsonl --schemes learned_tough:39

Every picture goes through each network with each of ``--noises`` on the code (whose own deviation is about 1), and
``--rinses`` times without noise.
Rows are appended picture by picture; ``--summarise`` prints the table.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from attacks.pretrained import load_taesd
from attacks.regeneration import Regeneration
from watermark import Watermarker
from watermark.data.folder import FolderImages
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson


def measure(
    images: FolderImages, weights: str, schemes: list[str], rows: Path, noises: list[float], rinses: int
) -> None:
    networks = {name: load_taesd(weights, name) for name in ("taesd", "taesdxl", "taef1")}
    done = {json.loads(line)["image"] for line in rows.read_text().splitlines()} if rows.exists() else set()
    for index, info in enumerate(images.infos):
        if info.id in done:
            continue
        picture, cells = images.load(index), []
        for entry in schemes:
            scheme, quality = entry.split(":")
            marker = Watermarker.load(scheme, key=f"key {index % 5}", target_psnr=float(quality))
            marked = marker.embed(picture, provider_id=index, content_id=1000 + index)
            for name, network in networks.items():
                for noise, passes in [*((noise, 1) for noise in noises), *((0.0, n) for n in range(2, rinses + 1))]:
                    trip = Regeneration(noise, network, passes)
                    after = to_8bit(trip(marked, torch.Generator().manual_seed(index)))
                    found = marker.detect(after)[0]
                    right = found.is_marked and found.content_id == 1000 + index
                    kind = name if passes == 1 else f"{name} x{passes}"
                    cells.append([entry, kind, noise, bool(right), found.log10_p, float(psnr(after, marked))])
        with rows.open("a") as file:
            file.write(json.dumps({"image": info.id, "cells": cells}) + "\n")


def summarise(rows: Path) -> None:
    groups = defaultdict(list)
    for line in rows.read_text().splitlines():
        for entry, name, noise, right, log10_p, quality in json.loads(line)["cells"]:
            groups[entry, name, noise].append((right, -log10_p, quality))
    print(
        "| scheme:dB | network | code noise | exact | 95 % interval | mean evidence | network's PSNR |\n|---|---|---|---|---|---|---|"
    )
    for (entry, name, noise), values in groups.items():
        table = np.array(values, dtype=float)
        low, high = wilson(int(table[:, 0].sum()), len(table))
        print(f"| {entry} | {name} | {noise:g} | {int(table[:, 0].sum())}/{len(table)} | {low:.2f}-{high:.2f} ", end="")
        print(f"| {table[:, 1].mean():.0f} | {table[:, 2].mean():.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images")
    parser.add_argument("--weights")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--schemes", nargs="+", default=["learned_tough:39"])
    parser.add_argument("--noises", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--rinses", type=int, default=1)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--summarise", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.summarise:
        pictures = FolderImages(options.images, limit=options.limit)
        measure(pictures, options.weights, options.schemes, options.rows, options.noises, options.rinses)
    summarise(options.rows)


if __name__ == "__main__":
    main()
