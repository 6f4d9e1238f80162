# ruff: noqa: T201 - a script prints
"""Mark a few pictures of every shard by a loop over the library as soon as the shard is finished; beside measure.py.

    OMP_NUM_THREADS=1 python results/published/pipeline/beside.py WORK OUTPUT.json [--each 20] [--engine processes] [--workers 1]

WORK is that of measure.py, which runs meanwhile. Ends with its last shard; OUTPUT.json is written after each.
"""

import argparse
import json
import os
import time
from pathlib import Path

import pyarrow.parquet as pq
from measure import opened
from scaling import loop

from watermark.keystore import KeyFile


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--engine", default="processes")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    target = args.work / f"out-{args.engine}-{args.workers}"
    key, shards = KeyFile.load(args.work / "my.key"), {}
    slot = opened(args.work / "loop.db", key, ("tile_spread", "3")).slot(7)
    while True:
        ended = (target / "manifest.json").exists()  # asked first, so that no shard is missed
        fresh = sorted({path.stem for path in target.glob("[0-9]*.parquet")} - set(shards))
        for name in fresh:
            rows = pq.read_table(target / f"{name}.parquet").to_pylist()
            paths = [
                args.work / "photos" / Path(row["uri"]).name
                for row in rows[int(name) % args.each :: len(rows) // args.each]
            ]
            shards[name] = {"load": os.getloadavg()[0], "loop_core_seconds": loop(paths, slot, key)}
            args.output.write_text(json.dumps({"scheme": "tile_spread", "shards": shards}, indent=1) + "\n")
            print(name, sum(shards[name]["loop_core_seconds"]) / len(paths), flush=True)
        if ended and not fresh:
            return
        time.sleep(2)


if __name__ == "__main__":
    main()
