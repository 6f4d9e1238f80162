"""How often the pre-flight's word holds: what `embed` warned of, against what the cells of suite `quick` did.

    python results/published/files/preflight.py PHOTOS --cells alike --output results/published/files/preflight.jsonl
    python results/published/files/preflight.py PHOTOS --output results/published/files/preflight-cells.jsonl
    python results/published/files/preflight.py --table results/published/files/preflight.jsonl

Photographs (26 of the folder, evenly spread) and drawings (14, of `data=graphics`) in turn. Every picture is
marked at each strength as `embed` does it, and the written file goes through the cells. One line a picture and
strength; a second call goes on where the first ended. ``--cells alike`` asks only the two cells that do about what the
quick pre-flight does, at a fifth of the cost.
"""

import argparse
import json
import tempfile
import time
from itertools import chain, zip_longest
from pathlib import Path

import torch
from PIL import Image

from watermark import Watermarker, files
from watermark.config import compose
from watermark.data.graphics import FlatGraphics
from watermark.errors import UserError
from watermark.evaluation.suite import suite_cells
from watermark.mark_file import QUICK, mark_file
from watermark.metrics.clustered import clustered_rate
from watermark.pixels import to_tensor

STRENGTHS = (45.0, 51.0, 54.0)
SIDE = 512
PHOTOS, DRAWINGS = 26, 14
ALIKE = {("jpeg", 70.0), ("reshare", 720.0)}
"""The cells that do about what the quick pre-flight does."""


def measure(picture: Image.Image, target_psnr: float, alike: bool) -> dict[str, object]:
    marker = Watermarker.load("tile_spread", key="preflight", device="cpu", target_psnr=target_psnr)
    picture.thumbnail((SIDE, SIDE))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.png", Path(folder) / "out.png"
        picture.save(source)
        made = mark_file(marker, source, target, 1, 2, preflight="quick" if alike else "thorough")
        images = to_tensor(files.load(target))
    read = {}
    for cell in suite_cells(compose("suite", "quick")):
        if cell.attack is not None and (not alike or (cell.name, cell.strength) in ALIKE):
            attacked = cell.attack(images, [torch.Generator().manual_seed(0)])
            found = marker.detect(attacked)[0]
            read[f"{cell.name} {cell.strength:g}"] = found.is_marked and found.content_id == 2
    return {"psnr": made.psnr, "weak": dict(made.weak), "read": read}


def pictures(folder: Path) -> list[tuple[str, Image.Image]]:
    """Names and pictures: two photographs, a drawing, two photographs, ..."""
    paths = sorted(folder.glob("*.webp"))
    photos = [(path.name, files.load(path).convert("RGB")) for path in paths[:: max(1, len(paths) // PHOTOS)][:PHOTOS]]
    drawn = FlatGraphics(DRAWINGS)
    drawings = [(one.id, drawn.open(number)) for number, one in enumerate(drawn.describe())]
    turns = zip_longest(photos[::2], photos[1::2], drawings)
    return [one for one in chain.from_iterable(turns) if one is not None]


def table(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    names = [str(one) for one in QUICK]
    alike = {f"{name} {strength:g}" for name, strength in ALIKE}
    print(
        "| dB | pre-flight | pictures | JPEG 70 and reshare 720 both read | cells of suite quick read |\n|---|---|---|---|---|"
    )
    for target in sorted({row["target_psnr"] for row in rows if "read" in row}):
        for warned in (False, True):
            here = [
                r
                for r in rows
                if r["target_psnr"] == target and "read" in r and any(n in r["weak"] for n in names) == warned
            ]
            both = [all(row["read"][name] for name in alike) for row in here]
            whole = [row for row in here if len(row["read"]) > len(ALIKE)]
            cells = [(row["picture"], hit) for row in whole for hit in row["read"].values()]
            shares = [
                _share(both, range(len(both))),
                _share([hit for _, hit in cells], [hash(name) for name, _ in cells]),
            ]
            print(
                f"| {target:g} | {'a warning' if warned else 'no warning'} | {len(here)} | {shares[0]} | {shares[1]} |"
            )
    refused = [row for row in rows if "read" not in row]
    print(f"\n{len(refused)} of {len(rows)} not written, for the mark could not be read back")


def _share(hits, clusters) -> str:
    if not hits:
        return "-"
    found = clustered_rate(hits, list(clusters))
    return f"{found.successes} of {found.n} [{100 * found.low:.0f} to {100 * found.high:.0f} %]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--cells", choices=["all", "alike"], default="all")
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    if args.table:
        return table(args.table)
    torch.set_num_threads(1)
    done = (
        {(r["picture"], r["target_psnr"]) for r in map(json.loads, args.output.read_text().splitlines())}
        if args.output.exists()
        else set()
    )
    for name, picture in pictures(args.photos):
        for target in STRENGTHS:
            if (name, target) in done:
                continue
            row: dict[str, object] = {"picture": name, "target_psnr": target}
            started = time.process_time()
            try:
                row |= measure(picture.copy(), target, args.cells == "alike")
            except UserError as error:
                row["refused"] = str(error)
            row["cpu_s"] = round(time.process_time() - started, 1)
            with args.output.open("a") as out:
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
