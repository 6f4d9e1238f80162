# ruff: noqa: T201 - a script prints
"""Read marked and unmarked pictures with `watermark pipeline detect` and say what one costs; after scaling.py, in its folder.

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

SHARD = 8


def detected(work, source, name, *more):
    """Core-seconds of every shard, and how many pictures were called marked."""
    words = [sys.executable, "-m", "watermark", "pipeline", "detect", str(source), str(work / f"found-{name}")]
    words += [
        "--key-file",
        str(work / "my.key"),
        "--engine",
        "processes",
        "--workers",
        "1",
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
    (args.work / "marked").mkdir()
    tars = sorted(args.work.glob("block-*/out-1/*.tar"))
    for number, path in enumerate(tars):
        with tarfile.open(path) as archive:
            for member in archive.getmembers()[: -(-args.marked // len(tars))]:
                content = archive.extractfile(member).read()
                (args.work / "marked" / f"{number:03d}-{member.name}").write_bytes(content)
    (args.work / "unmarked").mkdir()
    every = sorted((args.work / "photos").iterdir())
    for path in every[1 :: len(every) // args.unmarked][: args.unmarked]:
        shutil.copy(path, args.work / "unmarked")
    told = {
        "marked": detected(args.work, args.work / "marked", "marked", "--search", "thorough"),
        "unmarked": detected(args.work, args.work / "unmarked", "unmarked", "--search", "thorough"),
        "unmarked, quick": detected(args.work, args.work / "unmarked", "quick", "--search", "quick"),
    }
    args.output.write_text(json.dumps(told, indent=1) + "\n")
    print({name: {key: value for key, value in one.items() if "shard" not in key} for name, one in told.items()})


if __name__ == "__main__":
    main()
