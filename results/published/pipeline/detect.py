# ruff: noqa: T201 - a script prints
"""Read marked and unmarked pictures with `watermark pipeline detect` and say what one costs; after measure.py, in its folder.

OMP_NUM_THREADS=1 python results/published/pipeline/detect.py WORK OUTPUT.json [--marked 200] [--unmarked 80]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow.parquet as pq

SHARD = 20


def detected(work, source, name, *more):
    """Core-seconds of every shard, and how many pictures were called marked."""
    words = [sys.executable, "-m", "watermark", "pipeline", "detect", str(source), str(work / f"found-{name}")]
    words += [
        "--key-file",
        str(work / "my.key"),
        "--engine",
        "processes",
        "--workers",
        "2",
        "--shard-size",
        str(SHARD),
        *more,
    ]
    assert subprocess.run(words, check=False).returncode in (0, 1)
    found = work / f"found-{name}"
    rows = [row for path in sorted((found / "_rows").iterdir()) for row in pq.read_table(path).to_pylist()]
    stats = [json.loads(path.read_text()) for path in sorted((found / "_plan").glob("*_stats.json"))]
    return {
        "pictures": len(rows),
        "failed": sum(row["error"] is not None for row in rows),
        "called_marked": sum(bool(row["is_marked"]) for row in rows),
        "shard_core_seconds": [one["core_seconds"] for one in stats],
        "shard_pictures": [one["pictures"] for one in stats],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--marked", type=int, default=200)
    parser.add_argument("--unmarked", type=int, default=80)
    args = parser.parse_args()
    (target,) = (path for path in args.work.glob("out-*") if path.is_dir())
    (args.work / "marked").mkdir()
    left = args.marked
    for path in sorted(target.glob("*.tar")):
        with tarfile.open(path) as archive:
            members = archive.getmembers()[:left]
            archive.extractall(args.work / "marked", members, filter="data")
        left -= len(members)
    (args.work / "unmarked").mkdir()
    for path in sorted((args.work / "photos").iterdir())[: args.unmarked]:
        shutil.copy(path, args.work / "unmarked")
    told = {
        "marked": detected(args.work, args.work / "marked", "marked", "--search", "thorough"),
        "unmarked": detected(args.work, args.work / "unmarked", "unmarked", "--search", "thorough"),
        "unmarked, quick": detected(args.work, args.work / "unmarked", "quick", "--search", "quick"),
        "marked, quick": detected(args.work, args.work / "marked", "marked-quick", "--search", "quick"),
    }
    args.output.write_text(json.dumps(told, indent=1) + "\n")
    print({name: {key: value for key, value in one.items() if "shard" not in key} for name, one in told.items()})


if __name__ == "__main__":
    main()
