"""What `search="quick"` saves on unmarked pictures, and what it loses of marked and attacked ones.

    python results/published/platform/quick.py PICTURES rows.jsonl --every 9 --count 20     # goes on where it was stopped
    python results/published/platform/quick.py rows.jsonl --table

Every picture is marked at 45 dB and goes through the suite `tile_spread`, or with `--cells` through so many drawn
cells of it, equally many of each; unmarked it is read at each size of
SIZES, by both searches in turn, on one thread. A mark that quick finds is found by thorough too, in the same way, for
quick only leaves earlier. So thorough is asked only where quick says no.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from watermark import Watermarker, files
from watermark.config import compose
from watermark.evaluation.draw import draw
from watermark.evaluation.suite import Cell, suite_cells
from watermark.metrics.clustered import clustered_rate
from watermark.pixels import to_tensor

SIZES = ((256, 256), (768, 512), (1920, 1080))
PROVIDER, CONTENT = 7, 12345


def markers(scheme: str) -> dict[str, Watermarker]:
    known = {"key": "quick and thorough", "device": "cpu", "target_psnr": 45.0}
    return {search: Watermarker.load(scheme, search=search, **known) for search in ("quick", "thorough")}


def hands(paths: list[Path], each: int) -> dict[str, dict[str, Cell]]:
    """The cells of every picture, by name."""
    cells = {(cell.name, cell.strength): cell for cell in suite_cells(compose("suite", "tile_spread"))}
    names = [path.name for path in paths]
    dealt = draw({key: key[0] for key in cells}, names, each or len(cells), seed=0).hands()
    return {
        names[picture]: {
            f"{name} {strength or ''}".strip(): cells[name, strength] for name, strength in sorted(hand, key=str)
        }
        for (picture, _), hand in dealt.items()
    }


def attacked(
    both: dict[str, Watermarker], picture: Image.Image, done: set[str], hand: dict
) -> Iterator[dict[str, object]]:
    """One row a cell: what each search says."""
    if hand.keys() <= done:
        return
    marked = to_tensor(both["quick"].embed(picture, PROVIDER, CONTENT))
    for name, cell in hand.items():
        if name in done:
            continue
        seen = marked if cell.attack is None else cell.attack(marked, [torch.Generator().manual_seed(0)])
        quick = both["quick"].detect(seen)[0].content_id == CONTENT
        yield {
            "cell": name,
            "quick": quick,
            "thorough": quick or both["thorough"].detect(seen)[0].content_id == CONTENT,
        }


def unmarked(
    both: dict[str, Watermarker], picture: Image.Image, done: set[str], _: dict
) -> Iterator[dict[str, object]]:
    """One row a size: CPU seconds of each search, and whether quick left early."""
    for size in SIZES:
        name = f"unmarked {size[0]}x{size[1]}"
        if name in done:
            continue
        seen = picture.resize(size if picture.width >= picture.height else size[::-1], Image.Resampling.LANCZOS)
        seconds, readings = {}, {}
        for search, marker in both.items():
            before = time.process_time()
            found = marker.detect(seen)
            seconds[search], readings[search] = time.process_time() - before, found.readings
            if found.is_marked:
                raise SystemExit(f"{search} calls an unmarked picture marked")
        yield {"cell": name, **seconds, "left": readings["quick"] <= 2}


def table(rows: list[dict]) -> None:
    print("| unmarked | n | quick, CPU s | thorough, CPU s | ratio | quick went on in |\n|---|---|---|---|---|---|")
    for size in SIZES:
        here = [row for row in rows if row["cell"] == f"unmarked {size[0]}x{size[1]}"]
        if not here:
            continue
        quick, thorough = (np.array([row[name] for row in here]) for name in ("quick", "thorough"))
        draws = np.random.default_rng(0).integers(0, len(here), (2000, len(here)))
        low, high = np.quantile(quick[draws].mean(1) / thorough[draws].mean(1), [0.025, 0.975])
        print(
            f"| {size[0]}x{size[1]} | {len(here)} | {quick.mean():.2f} (worst {quick.max():.2f}) | {thorough.mean():.2f} | "
            f"{quick.mean() / thorough.mean():.2f} [{low:.2f} to {high:.2f}] | {sum(not row['left'] for row in here)} |"
        )
    cells = [row for row in rows if not row["cell"].startswith("unmarked")]
    lost = [row for row in cells if row["thorough"] and not row["quick"]]
    print(
        "\n| marked and attacked | readings | pictures | thorough reads | lost by quick, points |\n|---|---|---|---|---|"
    )
    names = [row["picture"] for row in cells]
    share = clustered_rate([row in lost for row in cells], [names.index(name) for name in names])
    print(
        f"| suite tile_spread, 45 dB | {len(cells)} | {len(set(names))} | {sum(row['thorough'] for row in cells)} | "
        f"{len(lost)}: {100 * share.rate:.2f} [{100 * share.low:.2f} to {100 * share.high:.2f}] |"
    )
    for row in lost:
        print(f"lost: {row['picture']}, {row['cell']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?")
    parser.add_argument("rows", type=Path)
    parser.add_argument("--scheme", default="tile_spread")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--every", type=int, default=9)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--cells", type=int, default=0, help="drawn cells a picture; 0: all")
    parser.add_argument("--what", choices=["both", "attacked", "unmarked"], default="both")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.rows.read_text().splitlines()] if args.rows.exists() else []
    if args.table:
        return table(rows)
    torch.set_num_threads(1)
    both = markers(args.scheme)
    for marker in both.values():  # what is loaded at the first picture is no cost of it
        marker.detect(Image.effect_noise((256, 256), 40).convert("RGB"))
    paths = sorted(path for path in args.pictures.iterdir() if path.suffix in (".webp", ".png"))
    paths = paths[args.first :: args.every][: args.count]
    dealt = hands(paths, args.cells)
    for path in paths:
        done = {row["cell"] for row in rows if row["picture"] == path.name}
        picture = files.load(path).convert("RGB")
        ways = {"both": (unmarked, attacked), "attacked": (attacked,), "unmarked": (unmarked,)}[args.what]
        for way in ways:
            for row in way(both, picture, done, dealt[path.name]):
                with args.rows.open("a") as out:
                    out.write(json.dumps({"picture": path.name, **row}) + "\n")


if __name__ == "__main__":
    main()
