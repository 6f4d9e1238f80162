"""Is the right provider of a thousand named as often as with its key alone?

    python results/published/platform/providers.py PICTURES rows.jsonl --every 4 --count 6   # goes on where it was stopped
    python results/published/platform/providers.py rows.jsonl --table

Every picture is marked by provider 7 and goes through the suite `tile_spread`. Each attacked picture is read once. What
was read is shown to the key of provider 7 alone and to a ring of 1,000 keys, his among them, of one `sync_key`; both
promise 1e-6. Named is who is answered with the right provider, the mark being proven.
"""

import argparse
import json
from pathlib import Path

import torch

from watermark import Keyring, Watermarker, files
from watermark.config import compose
from watermark.evaluation.suite import suite_cells
from watermark.images import to_8bit
from watermark.metrics.clustered import clustered_rate
from watermark.pixels import to_tensor

RING, PROVIDER, CONTENT = 1000, 7, 12345
SHARED = {"sync_key": "shared by the consortium", "device": "cpu"}


def table(rows: list[dict]) -> None:
    """Markdown: how often each names the provider; 95 % intervals by picture."""
    print("| dB | readings | pictures | the key alone | 1,000 keys | lost by the ring, points | named wrongly |")  # noqa: T201
    print("|---" * 7 + "|")  # noqa: T201
    for psnr in sorted({row["psnr"] for row in rows}):
        mine = [row for row in rows if row["psnr"] == psnr]
        names = [row["picture"] for row in mine]
        places = [names.index(name) for name in names]
        lost = [row["alone"] == PROVIDER and row["ring"] != PROVIDER for row in mine]
        wrong = sum(row["ring"] not in (PROVIDER, None) for row in mine)
        share = clustered_rate(lost, places)
        named = [sum(row[who] == PROVIDER for row in mine) for who in ("alone", "ring")]
        points = f"{sum(lost)}: {100 * share.rate:.2f} [{100 * share.low:.2f} to {100 * share.high:.2f}]"
        print(f"| {psnr:g} | {len(mine)} | {len(set(names))} | {named[0]} | {named[1]} | {points} | {wrong} |")  # noqa: T201


def main() -> None:
    """Read what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PICTURES ROWS")
    parser.add_argument("--psnr", type=float, default=45.0)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    store = arguments.paths[-1]
    rows = [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []
    if arguments.table:
        table(rows)
        return
    torch.set_num_threads(1)
    marker = Watermarker.load("tile_spread", key=f"key of {PROVIDER}", target_psnr=arguments.psnr, **SHARED)
    ring = Keyring.load("tile_spread", {number: f"key of {number}" for number in range(RING)}, **SHARED)
    done = {(row["psnr"], row["picture"], row["cell"]) for row in rows}
    for path in sorted(files.find_pictures(arguments.paths[0]))[:: arguments.every][: arguments.count]:
        marked = to_8bit(to_tensor(marker.embed(files.load(path), PROVIDER, CONTENT)))
        for cell in suite_cells(compose("suite", "tile_spread")):
            name = f"{cell.name} {cell.strength or ''}".strip()
            if (arguments.psnr, path.name, name) in done:
                continue
            seen = marked if cell.attack is None else to_8bit(cell.attack(marked, [torch.Generator().manual_seed(0)]))
            readout = marker.read(seen)
            alone, among = marker.detector.detect(readout)[0], ring.detectors[0].detect(readout)[0]
            row = {
                "psnr": arguments.psnr,
                "picture": path.name,
                "cell": name,
                "alone": alone.provider_id if alone.is_marked else None,
                "ring": among.provider_id if among.is_marked else None,
            }
            with store.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
