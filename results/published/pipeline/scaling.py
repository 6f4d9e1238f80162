# ruff: noqa: T201 - a script prints
"""Mark the same pictures by a loop over the library, by one worker and by two, in turn, and compare; after measure.py.

    OMP_NUM_THREADS=1 python results/published/pipeline/scaling.py WORK OUTPUT.json [--pictures 120] [--blocks 4]

WORK holds ``photos`` and ``my.key`` of measure.py. Every block has its own pictures. OUTPUT.json is written after each.
"""

import argparse
import contextlib
import json
import os
import shutil
import time
from pathlib import Path

from measure import Watched, opened

from watermark import files
from watermark.errors import UserError
from watermark.identity.issuing import Request, prepare
from watermark.identity.markers import marker_for
from watermark.keystore import KeyFile


def loop(paths, slot, key):
    """Seconds of the processor a picture: read, mark, label and read back one after the other, as `issue` does."""
    import torch

    torch.set_num_threads(1)
    marker, spent = marker_for(slot, key), []
    marker.embed(files.look(paths[0]), 7, 0)  # first uses cost once
    for number, path in enumerate(paths):
        began = time.process_time()
        request = Request(path, path, slot.slot, draw_visible=False)
        with contextlib.suppress(UserError):  # too faint to be read back; looking for it takes its time all the same
            prepare(request, slot, files.decode(path.read_bytes(), path), number, None, marker)
        spent.append(time.process_time() - began)
    return spent


def piped(folder, paths, workers, shard_size):
    """What shards of the same pictures cost with so many workers: processor and clock seconds, and those of it all."""
    source, target, database = folder / "in", folder / f"out-{workers}", folder / f"{workers}.db"
    if not source.exists():
        source.mkdir()
        for path in paths:
            shutil.copy(path, source)
    key = KeyFile.load(folder.parent / "my.key")
    opened(database, key, ("tile_spread", "3")).close()
    words = ["pipeline", "embed", str(source), str(target), "--provider", "7", "--engine", "processes"]
    words += ["--key-file", str(folder.parent / "my.key"), "--registry", str(database), "--visible", "elsewhere"]
    run = Watched([*words, "--shard-size", str(shard_size), "--workers", str(workers)])
    assert run.until(lambda: False) in (0, 1)
    stats = sorted((target / "_plan").glob("*_stats.json"))
    each = [json.loads(path.read_text()) for path in stats]
    ended = [path.stat().st_mtime for path in stats]
    begun = min(at - one["seconds"] for at, one in zip(ended, each, strict=True))
    return {
        "shard_core_seconds": [one["core_seconds"] for one in each],
        "shard_seconds": [one["seconds"] for one in each],
        "shard_pictures": [one["pictures"] for one in each],
        "load": os.getloadavg()[0],
        "failed": sum(one["failed"] for one in each),
        "seconds": max(ended) - begun,  # from the first shard's beginning to the last one's end: without the start
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--shard-size", type=int, default=15)
    parser.add_argument("--blocks", type=int, default=4)
    args = parser.parse_args()
    every = sorted((args.work / "photos").iterdir())
    key, blocks = KeyFile.load(args.work / "my.key"), []
    for number in range(args.blocks):
        folder = args.work / f"block-{number}"
        folder.mkdir()
        registry = opened(folder / "loop.db", key, ("tile_spread", "3"))
        paths = every[number :: max(args.blocks, len(every) // args.pictures)][: args.pictures]
        said = {"loop_core_seconds": loop(paths, registry.slot(7), key)}
        for workers in (1, 2) if number % 2 else (2, 1):
            said[f"workers_{workers}"] = piped(folder, paths, workers, args.shard_size)
        blocks.append(said)
        args.output.write_text(json.dumps({"scheme": "tile_spread", "blocks": blocks}, indent=1) + "\n")
        print(number, {name: one.get("seconds") for name, one in said.items() if isinstance(one, dict)}, flush=True)


if __name__ == "__main__":
    main()
