"""Measure installable peers on the pictures and attacks of tile_spread's tables: exact payload at their own rule.

    python results/published/peers/measure.py --images DIR --rows ROWS --peers dwtDct dwtDctSvd blind-watermark
    python results/published/peers/measure.py --rows ROWS --ours RUN_DIR --table

RUN_DIR is of `watermark evaluate schemes=[tile_spread] suite=tile_spread target_psnr=42 unmarked=0 data=folder data.path=DIR`:
the same pictures, attacks and attack draws.

One row per picture and peer is appended, so a stopped run goes on where it was.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from watermark.config import compose
from watermark.data.images import ImageInfo
from watermark.evaluation.job import Job
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson
from watermark.metrics.ssim import ssim


def job(folder: Path) -> Job:
    """Pictures, cells and draws as `watermark evaluate` has them."""
    data = compose("data", "folder", {"path": str(folder)})
    suite, layout = compose("suite", "tile_spread"), compose("layout", "l64")
    return Job({"seed": 0, "device": "cpu", "data": data, "layout": layout, "suite": suite, "schemes": {}})


def array(picture: torch.Tensor) -> np.ndarray:
    """``(1, 3, H, W)`` in [0, 1] to ``(H, W, 3)`` uint8."""
    return (picture[0] * 255).round().byte().permute(1, 2, 0).numpy().copy()


def measure(run: Job, index: int, name: str, peer: object) -> dict:
    """Mark once with random bits, attack, read; a reader that raises has not read."""
    from peers import BITS

    info: ImageInfo = run.images.infos[index]
    original = run.images.load(index)
    bits = np.random.default_rng(run.attack_seed(info, run.cells[0])).integers(0, 2, BITS)
    started = time.process_time()
    marked = torch.from_numpy(peer.mark(array(original), bits)).permute(2, 0, 1)[None].float() / 255
    row = {"image": info.id, "peer": name, "mark_cpu_s": time.process_time() - started, "cells": []}
    row |= {"psnr": psnr(marked, original).item(), "ssim": ssim(marked, original).item()}
    for cell in run.cells:
        draw = torch.Generator().manual_seed(run.attack_seed(info, cell))
        picture = array(to_8bit(cell.attack(marked, [draw]) if cell.attack else marked))
        started = time.process_time()
        try:
            wrong = int((peer.read(picture).astype(int) != bits).sum())
        except (RuntimeError, AssertionError, ValueError, IndexError):
            wrong = None
        row["cells"].append([cell.name, cell.strength, wrong, time.process_time() - started])
    return row


def table(rows: list[dict], compared: Path) -> None:
    """Attacks down, peers across, ours last; counts of exact payloads with 95 % Wilson intervals."""
    exact, quality = defaultdict(list), defaultdict(list)
    for row in rows:
        quality[row["peer"]].append((row["psnr"], row["ssim"]))
        for name, strength, wrong, _ in row["cells"]:
            exact[row["peer"], name, strength].append(wrong == 0)
    wanted = {row["image"] for row in rows}
    ours = pd.read_parquet(compared / "rows.parquet")
    ours = ours[ours["marked"] & ours["image"].isin(wanted)].astype({"strength": object})
    ours = ours.where(ours.notna(), None)
    for row in ours.itertuples():
        label = f"{row.scheme} (64 bits)"
        if row.attack == "identity":
            quality[label].append((row.psnr, row.ssim))
        exact[label, row.attack, row.strength].append(bool(row.payload_ok))
    names = list(quality)
    print("| attack | strength | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 2) + "|")
    for kind, digits in enumerate(("PSNR, dB", "SSIM")):
        means = [np.mean([value[kind] for value in quality[name]]) for name in names]
        print(f"| {digits} | | " + " | ".join(f"{mean:.2f}" if kind == 0 else f"{mean:.4f}" for mean in means) + " |")
    for attack, strength in dict.fromkeys((key[1], key[2]) for key in exact):
        shown = [_count(exact[name, attack, strength]) for name in names]
        print(f"| {attack} | {'' if strength is None else f'{strength:g}'} | " + " | ".join(shown) + " |")
    total = [[hit for key, hits in exact.items() if key[0] == name for hit in hits] for name in names]
    print("| **all** | | " + " | ".join(f"**{sum(hits)}/{len(hits)}** ({np.mean(hits):.1%})" for hits in total) + " |")


def _count(hits: list[bool]) -> str:
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits)}/{len(hits)} ({low:.2f}-{high:.2f})" if hits else ""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--peers", nargs="+", default=[])
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    done = [json.loads(line) for line in args.rows.read_text().splitlines()] if args.rows.exists() else []
    if args.table:
        return table(done, args.ours)
    from peers import PEERS

    torch.set_num_threads(1)
    run = job(args.images)
    known = {(row["image"], row["peer"]) for row in done}
    with args.rows.open("a") as out:
        for index, info in list(enumerate(run.images.infos))[: args.limit]:
            for name in args.peers or PEERS:
                if (info.id, name) not in known:
                    out.write(json.dumps(measure(run, index, name, PEERS[name])) + "\n")
                    out.flush()
    return None


if __name__ == "__main__":
    main()
