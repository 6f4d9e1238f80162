"""Measure installable peers on the pictures and attacks of tile_spread's tables: exact payload at their own rule.

    python results/published/peers/measure.py --images DIR --rows ROWS --peers dwtDct dwtDctSvd blind-watermark
    python results/published/peers/measure.py --rows ROWS --ours results/published/tile-spread/kodak_42dB.jsonl --table

One row per picture and peer is appended, so a stopped run goes on where it was.
"""

import argparse
import importlib.util
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson
from watermark.metrics.ssim import ssim

_spec = importlib.util.spec_from_file_location("ours", Path(__file__).parents[1] / "tile-spread" / "measure.py")
ours = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ours)


def array(picture: torch.Tensor) -> np.ndarray:
    """``(1, 3, H, W)`` in [0, 1] to ``(H, W, 3)`` uint8."""
    return (picture[0] * 255).round().byte().permute(1, 2, 0).numpy().copy()


def measure(path: Path, name: str, peer: object, cells: list) -> dict:
    """Mark once with random bits, attack, read; a reader that raises has not read."""
    from peers import BITS

    original = ours.load(path)
    bits = np.random.default_rng(ours.seeded("peers", path.name)).integers(0, 2, BITS)
    started = time.process_time()
    marked = torch.from_numpy(peer.mark(array(original), bits)).permute(2, 0, 1)[None].float() / 255
    row = {"image": path.name, "peer": name, "mark_cpu_s": time.process_time() - started, "cells": []}
    row |= {"psnr": psnr(marked, original).item(), "ssim": ssim(marked, original).item()}
    for cell in cells:
        picture = array(to_8bit(ours.attacked(cell, marked, path.name)))
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
    label = f"tile_spread ({compared.stem.split('_')[1]}, 64 bits)"
    for row in map(json.loads, compared.read_text().splitlines()):
        if row["image"] in wanted:
            quality[label].append((row["psnr"], row["ssim"]))
            for name, strength, right, *_ in row["cells"]:
                exact[label, name, strength].append(right)
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
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    paths.sort(key=lambda path: ours.seeded("order", path.name))
    cells = ours.attack_cells("tile_spread", [])
    known = {(row["image"], row["peer"]) for row in done}
    with args.rows.open("a") as out:
        for path in paths[: args.limit]:
            for name in args.peers or PEERS:
                if (path.name, name) not in known:
                    out.write(json.dumps(measure(path, name, PEERS[name], cells)) + "\n")
                    out.flush()
    return None


if __name__ == "__main__":
    main()
