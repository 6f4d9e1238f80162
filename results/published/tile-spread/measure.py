# ruff: noqa: T201 - a script prints
"""Measure tile_spread on a folder of pictures: payload recovery per attack.

    python results/published/tile-spread/measure.py --images DIR --psnr 45 --rows results/runs/tile_spread_45.jsonl
    python results/published/tile-spread/measure.py --summarise results/runs/tile_spread_*.jsonl

Rows are appended picture by picture, so a stopped run goes on where it was, and a summary says how many there are.
"""

import argparse
import hashlib
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from PIL import Image

from watermark.codec import Codec, Layout, Payload
from watermark.config import CONFIG_DIR, EvaluateConfig, build_named
from watermark.detection.detector import Detector
from watermark.evaluation.job import Cell, suite_cells
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson
from watermark.metrics.ssim import ssim
from watermark.metrics.worst_tile import worst_tile_psnr

KEYS = 5


def tensor(picture: Image.Image) -> torch.Tensor:
    """A Pillow picture as ``(1, 3, H, W)`` in [0, 1]."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def load(path: Path) -> torch.Tensor:
    """A picture file as ``(1, 3, H, W)`` in [0, 1]."""
    return tensor(Image.open(path))


def attack_cells(suite: str, overrides: list[str]) -> list[Cell]:
    """Every attack of a suite at every strength, the untouched picture first; overrides as ``watermark evaluate``."""
    ConfigStore.instance().store(name="evaluate_schema", node=EvaluateConfig)
    with initialize_config_dir(str(CONFIG_DIR), version_base=None):
        composed = compose("evaluate", overrides=[f"suite={suite}", *overrides])
    return suite_cells(OmegaConf.to_container(composed.suite, resolve=True))


def seeded(*parts: object) -> int:
    """A seed that follows from what it is for."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "little")


def attacked(cell: Cell, picture: torch.Tensor, name: str) -> torch.Tensor:
    """The attacked picture as a file would hold it; the draw depends on picture, attack and strength alone."""
    if cell.attack is None:
        return picture
    generator = torch.Generator().manual_seed(seeded(name, cell.name, cell.strength))
    return to_8bit(cell.attack(picture, [generator]))


def measure_marked(path: Path, index: int, args: argparse.Namespace, cells: list[Cell]) -> dict:
    """Mark with a random payload under one of five keys, attack, read; exact payload at 1e-6 or not."""
    key, original = f"measure {index % KEYS}", load(path)
    scheme = build_named("scheme", args.scheme, key=key, target_psnr=args.psnr)
    layout: Layout = build_named("codec", args.codec)
    codec = Codec(layout, scheme.message_bits, f"codec {key}")
    rng = np.random.default_rng(seeded(path.name, args.psnr))
    provider, content = (int(rng.integers(2 ** min(bits, 62))) for bits in (layout.provider_bits, layout.content_bits))
    message = codec.encode([Payload(version=1, provider_id=provider, content_id=content)])
    started = time.process_time()
    marked = to_8bit(scheme.embed(original, message))
    row = {"embed_cpu_s": time.process_time() - started, "psnr": psnr(marked, original).item()}
    row |= {"ssim": ssim(marked, original).item(), "worst_tile_psnr": worst_tile_psnr(marked, original).item()}
    row["cells"] = []
    for cell in cells:
        picture = attacked(cell, marked, path.name)
        started = time.process_time()
        readout = scheme.decode(picture)
        seconds = time.process_time() - started
        found = Detector(codec).detect(readout)[0]
        right = found.is_marked and (found.provider_id, found.content_id) == (provider, content)
        wrong = found.is_marked and not right
        row["cells"].append([cell.name, cell.strength, right, wrong, found.log10_p, seconds, found.hypotheses])
    return row


def summarise(paths: list[Path]) -> None:
    """Print one table per file of rows."""
    for path in paths:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        by_cell = defaultdict(list)
        for row in rows:
            for cell in row["cells"]:
                by_cell[cell[0], cell[1]].append(cell)
        quality = {name: np.mean([row[name] for row in rows]) for name in ("psnr", "ssim", "embed_cpu_s")}
        worst = min(row["worst_tile_psnr"] for row in rows)
        print(f"## {path.stem}: {len(rows)} pictures, {quality['psnr']:.2f} dB, SSIM {quality['ssim']:.4f}, ", end="")
        print(f"worst 64-px tile {worst:.1f} dB, embedding {quality['embed_cpu_s']:.2f} CPU s\n")
        print("| attack | strength | exact payload | 95 % interval | wrong payload | CPU s to read |")
        print("|---|---|---|---|---|---|")
        for (name, strength), cells in by_cell.items():
            right, count = sum(cell[2] for cell in cells), len(cells)
            low, high = wilson(right, count)
            wrong, seconds = sum(cell[3] for cell in cells), np.mean([cell[5] for cell in cells])
            shown = "" if strength is None else f"{strength:g}"
            print(f"| {name} | {shown} | {right}/{count} | {low:.2f}-{high:.2f} | {wrong} | {seconds:.2f} |")
        total = [cell for cells in by_cell.values() for cell in cells]
        print(f"\nAll cells: {sum(cell[2] for cell in total)}/{len(total)}.\n")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--psnr", type=float, default=45.0)
    parser.add_argument("--scheme", default="tile_spread")
    parser.add_argument("--suite", default="tile_spread")
    parser.add_argument("--override", action="append", default=[], help="attack/needs_model@suite.taesd=taesd, ...")
    parser.add_argument("--codec", default="l64")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--summarise", type=Path, nargs="+")
    args = parser.parse_args()
    if args.summarise:
        return summarise(args.summarise)
    torch.set_num_threads(1)
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    order = sorted(range(len(paths)), key=lambda index: seeded("order", paths[index].name))[: args.limit]
    args.rows.parent.mkdir(parents=True, exist_ok=True)
    done = {json.loads(line)["image"] for line in args.rows.read_text().splitlines()} if args.rows.exists() else set()
    cells = attack_cells(args.suite, args.override)
    with args.rows.open("a") as out:
        for index in order:
            if paths[index].name not in done:
                row = measure_marked(paths[index], index, args, cells)
                out.write(json.dumps({"image": paths[index].name} | row) + "\n")
                out.flush()
    return None


if __name__ == "__main__":
    main()
