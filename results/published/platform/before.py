"""What an unmarked picture costs, in several checkouts of this repository, turn by turn in one run.

    python results/published/platform/before.py PICTURES NAME=CHECKOUT NAME=CHECKOUT... --count 12

One process a checkout, of one thread, each with the defaults of its own code. Every picture, brought to 768x512, is
read by all of them before the next one is. The first checkout is what the others are compared with.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

READER = """
import sys, time, torch
from PIL import Image
from watermark import Watermarker
torch.set_num_threads(1)
marker = Watermarker.load("tile_spread", key="quick and thorough", device="cpu")
marker.detect(Image.effect_noise((256, 256), 40).convert("RGB"))  # what is loaded at the first picture is no cost of it
for line in sys.stdin:
    picture = Image.open(line.strip()).convert("RGB")
    picture = picture.resize((768, 512) if picture.width >= picture.height else (512, 768), Image.Resampling.LANCZOS)
    before = time.process_time()
    found = marker.detect(picture)
    print(time.process_time() - before, int(found.is_marked), flush=True)
"""


def main() -> None:
    """Read, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("checkouts", nargs="+", metavar="NAME=CHECKOUT")
    parser.add_argument("--count", type=int, default=12)
    arguments = parser.parse_args()
    folders = dict(each.split("=", 1) for each in arguments.checkouts)
    readers = {
        name: subprocess.Popen(
            [sys.executable, "-c", READER],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, folder in folders.items()
    }
    paths = sorted(path for path in arguments.pictures.iterdir() if path.suffix in (".webp", ".png"))
    paths = paths[:: max(1, len(paths) // arguments.count)][: arguments.count]
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for path in paths:
        for name, reader in readers.items():
            print(path.absolute(), file=reader.stdin, flush=True)
            spent, marked = reader.stdout.readline().split()
            if int(marked):
                raise SystemExit(f"{name} calls {path.name} marked")
            seconds[name].append(float(spent))
    base = np.array(next(iter(seconds.values())))
    draws = np.random.default_rng(0).integers(0, len(paths), (2000, len(paths)))
    print("| code | pictures | CPU s | ratio |\n|---|---|---|---|")  # noqa: T201 - a script prints
    for name, spent in seconds.items():
        own = np.array(spent)
        low, high = np.quantile(own[draws].mean(1) / base[draws].mean(1), [0.025, 0.975])
        print(f"| {name} | {len(own)} | {own.mean():.3f} | {own.mean() / base.mean():.2f} [{low:.2f} to {high:.2f}] |")  # noqa: T201


if __name__ == "__main__":
    main()
