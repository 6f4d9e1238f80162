# ruff: noqa: T201 - a script prints
"""Plan a number of pictures from what was measured: the tables of the README.

python results/published/pipeline/plan.py [--pictures 1_000_000_000] [--days 30] [--shard-size 10_000]
"""

import argparse
import json
import math
import random
from pathlib import Path

HERE = Path(__file__).parent
DRAWS = 2000


def mean(numbers):
    return sum(numbers) / len(numbers)


def interval(shards, of):
    """A figure of the shards and its 95 % interval: shards drawn again, with replacement."""
    rng = random.Random(0)
    drawn = sorted(of([rng.choice(shards) for _ in shards]) for _ in range(DRAWS))
    return of(shards), drawn[DRAWS // 40], drawn[-DRAWS // 40]


def per_picture(told):
    """Core-seconds a picture."""
    shards = list(zip(told["shard_core_seconds"], told["shard_pictures"], strict=True))
    return interval(shards, lambda drawn: sum(one[0] for one in drawn) / sum(one[1] for one in drawn))


def against_loop(told):
    """Pictures a core-second in shards, over those of the loop on half of the pictures of the same shards."""
    size = told["shard_size"]
    loops = [[] for _ in told["shard_pictures"]]
    for start, each in enumerate(told["loop_core_seconds_a_picture"].values()):
        for number, seconds in enumerate(each):
            loops[(4 * number + start) // size].append(seconds)
    shards = list(zip(map(mean, loops), told["shard_core_seconds"], told["shard_pictures"], strict=True))

    def ratio(drawn):
        return sum(loop * count for loop, _, count in drawn) / sum(seconds for _, seconds, _ in drawn)

    return interval(shards, ratio)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10**9)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--shard-size", type=int, default=10_000)
    args = parser.parse_args()
    marked = json.loads((HERE / "measured.json").read_text())
    read = json.loads((HERE / "detected.json").read_text())
    n, count = args.pictures, marked["pictures"]
    looped = sum(len(each) for each in marked["loop_core_seconds_a_picture"].values())
    print("| measured here | |\n|---|---|")
    middle, low, high = against_loop(marked)
    print(
        f"| pictures a core-second, shards over loop | {middle:.2f} [{low:.2f} to {high:.2f}] (n = {count}, {looped}) |"
    )
    print(f"| core-seconds a picture, all processes of both runs | {marked['core_seconds'] / count:.2f} |")
    print(f"| pictures that failed, all too faint to be read back | {marked['failed']} of {count} |")
    print(
        f"| pictures of the first tar that name their ID | {marked['named_rightly']} of {marked['read_from_the_first_tar']} |"
    )
    print(f"| records, chain whole | {marked['records']}, {'yes' if marked['registry_whole'] else 'no'} |")
    for name, told in read.items():
        print(f"| {name} pictures called marked | {told['called_marked']} of {told['pictures']} |")
    print(
        f"\n| {n:,} pictures of 256 px | core-seconds a picture | core-hours | cores for {args.days:g} days |\n|---|---|---|---|"
    )
    for name, told in {"embed": marked, **{f"detect, {name}": told for name, told in read.items()}}.items():
        middle, low, high = per_picture(told)
        hours = n * middle / 3600
        cores = math.ceil(hours / 24 / args.days)
        print(f"| {name} | {middle:.3f} [{low:.3f} to {high:.3f}] | {hours:,.0f} | {cores:,} |")
    print(f"\n| {n:,} pictures of 256 px | |\n|---|---|")
    print(f"| bytes read (JPEG 95) | {n * marked['bytes_read'] / count / 1e12:,.1f} TB |")
    print(f"| bytes written | {n * marked['bytes_written'] / count / 1e12:,.1f} TB |")
    megabytes = args.shard_size * marked["bytes_written"] / count / 1e6
    print(f"| shards of {args.shard_size:,} | {-(-n // args.shard_size):,}, of {megabytes:,.0f} MB |")
    size = marked["registry_bytes"] / marked["records"]
    print(f"| registry rows | {n * marked['records'] // count:,}, {n * size / 1e12:,.1f} TB as in SQLite |")
    print(f"| pictures that would fail | {n * marked['failed'] // count:,} |")


if __name__ == "__main__":
    main()
