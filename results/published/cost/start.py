"""What a start costs: processor seconds of a fresh process, and how large its environment is.

``python start.py N PYTHON...``: every Python N times, in turn, after one warm-up; one thread. A line for each.
"""

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

CODE = {
    "import torch": "import torch",
    "load tile_spread": "from watermark import Watermarker; Watermarker.load('tile_spread', key='a secret')",
}


def seconds(python: str, code: str) -> float:
    """User and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True, cwd="/", env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def megabytes(python: str) -> float:
    """Of all files of the environment, 10^6 bytes."""
    files = Path(python).absolute().parents[1].rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink()) / 1e6


def main() -> None:
    """Print the table."""
    repeats, pythons = int(sys.argv[1]), sys.argv[2:]
    taken: dict[tuple[str, str], list[float]] = {(python, name): [] for python in pythons for name in CODE}
    for repeat in range(repeats + 1):
        for (python, name), values in taken.items():
            spent = seconds(python, CODE[name])
            if repeat:  # the first one warms the disk's cache
                values.append(spent)
    for (python, name), values in taken.items():
        span = f"{min(values):.2f} to {max(values):.2f}"
        print(f"{python}: {name}: {statistics.median(values):.2f} s ({span}, {len(values)})")
    for python in pythons:
        print(f"{python}: {megabytes(python):.0f} MB")


if __name__ == "__main__":
    main()
