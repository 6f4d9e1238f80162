# ruff: noqa: T201 - a script prints
"""Plan a number of pictures from what was measured: the tables of the README.

python results/published/pipeline/plan.py [--pictures 1_000_000_000] [--days 30] [--shard-size 10_000]
"""

import argparse
import json
import math
import random
from pathlib import Path
from statistics import fmean

HERE = Path(__file__).parent
DRAWS = 2000
WORKERS = {"workers_1": 1, "workers_2": 2}


def interval(shards, of):
    """A figure of the shards and its 95 % interval: shards drawn again, with replacement."""
    rng = random.Random(0)
    drawn = sorted(of([rng.choice(shards) for _ in shards]) for _ in range(DRAWS))
    return of(shards), drawn[DRAWS // 40], drawn[-DRAWS // 40]


def per_picture(told):
    """Core-seconds a picture, without what a worker pays once."""
    shards = list(zip(told["shard_core_seconds"], told["shard_pictures"], strict=True))[1:]  # see runs_of
    return interval(shards, lambda drawn: sum(one[0] for one in drawn) / sum(one[1] for one in drawn))


def runs_of(told, name, begun=0):
    """Of every shard of the blocks: the loop's seconds on its pictures, its own, and how many they are.

    ``begun``: 1 for those that workers begin with, where imports and first uses are paid, 0 for the others.
    """
    rows = []
    for block in told["blocks"]:
        loop, at = block["loop_core_seconds"], 0
        each = zip(block[name]["shard_core_seconds"], block[name]["shard_pictures"], strict=True)
        for number, (seconds, count) in enumerate(each):
            if (number < WORKERS[name]) == begun:
                rows.append((sum(loop[at : at + count]), seconds, count))
            at += count
    return rows


def ratio(rows):
    """Pictures a core-second in shards, over those of the loop."""
    return sum(loop for loop, _, _ in rows) / sum(seconds for _, seconds, _ in rows)


def cores_of(run):
    """Processor seconds a second that the workers of a run got."""
    return sum(run["shard_core_seconds"]) / run["seconds"]


def killed(marked, beside):
    """What came of a run that was killed, and what it cost next to a loop."""
    count, kills = marked["pictures"], marked["kills"]
    print(f"| {count:,} pictures, {marked['scheme']} | |\n|---|---|")
    print(f"| killed with -9: workers, drivers | {kills['worker']}, {kills['driver']} |")
    print(f"| rows, IDs: one each | {count:,} |")
    print(f"| pictures in tars, each once, with the bytes of its row | {count - marked['failed']:,} |")
    made, same = marked["files_made_again"], marked["files_that_are_the_same"]
    print(f"| files of shards in work at a kill that equal those of an undisturbed run | {same} of {made} |")
    print(f"| pictures that name their ID | {marked['named_rightly']} of {marked['asked']} |")
    print(f"| records, chain whole | {marked['records']:,}, {'yes' if marked['registry_whole'] else 'no'} |")
    print(f"| core-seconds a picture, all processes of all runs | {marked['core_seconds'] / count:.3f} |")
    print(f"| of these in shards that were finished | {sum(marked['shard_core_seconds']) / count:.3f} |")
    shards = zip(sorted(beside), marked["shard_core_seconds"], marked["shard_pictures"], strict=True)
    rows = [(fmean(beside[name]["loop_core_seconds"]) * pictures, spent, pictures) for name, spent, pictures in shards]
    middle, low, high = interval(rows, ratio)
    looped = sum(len(one["loop_core_seconds"]) for one in beside.values())
    words = f"{middle:.2f} [{low:.2f} to {high:.2f}], {len(rows)} shards, {looped:,} pictures in the loop"
    print(f"| pictures a core-second, over a loop beside it on the same pictures | {words} |")
    loads = [one["load"] for one in beside.values()]
    print(f"| processes that wanted one of two cores meanwhile | {min(loads):.0f} to {max(loads):.0f} |")
    print(f"| too faint to be read back | {marked['failed_as_too_faint_to_be_read_back']} |")


def two_workers(scaled):
    """One worker and two over a loop, and by the clock."""
    print(f"\n| {scaled['scheme']}, the same pictures three times | |\n|---|---|")
    pairs = {name: runs_of(scaled, name) for name in WORKERS}
    for name, rows in pairs.items():
        middle, low, high = interval(rows, ratio)
        words = f"{name[-1]} worker{'s' * (name[-1] != '1')}"
        text = f"{middle:.2f} [{low:.2f} to {high:.2f}], {len(rows)} shards"
        print(f"| pictures a core-second, {words} over loop, but for a worker's first shard | {text} |")
    begun = [seconds - loop for name in WORKERS for loop, seconds, _ in runs_of(scaled, name, 1)]
    print(f"| core-seconds more of a worker's first shard | {sum(begun) / len(begun):.1f} ({len(begun)} workers) |")
    clock = [one["workers_1"]["seconds"] / one["workers_2"]["seconds"] for one in scaled["blocks"]]
    print(f"| by the clock, two workers over one, each block | {', '.join(f'{one:.2f}' for one in clock)} |")
    got = [cores_of(each["workers_2"]) / cores_of(each["workers_1"]) for each in scaled["blocks"]]
    print(f"| cores that two got over those that one got, each block | {', '.join(f'{one:.2f}' for one in got)} |")
    loads = [each[name]["load"] for each in scaled["blocks"] for name in WORKERS]
    print(f"| processes that wanted one of two cores meanwhile | {min(loads):.0f} to {max(loads):.0f} |")
    pictures = sum(len(block["loop_core_seconds"]) for block in scaled["blocks"])
    failed = sum(block["workers_1"]["failed"] for block in scaled["blocks"])
    print(f"| pictures, too faint to be read back | {pictures}, {failed} |")


def planned(marked, read, args):
    """What so many pictures would take."""
    n, count = args.pictures, marked["pictures"]
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
    faint = n * marked["failed_as_too_faint_to_be_read_back"] // count
    print(f"| pictures that would be too faint to be read back | {faint:,} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10**9)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--shard-size", type=int, default=10_000)
    args = parser.parse_args()
    marked = json.loads((HERE / "measured.json").read_text())
    read = json.loads((HERE / "detected.json").read_text())
    scaled = json.loads((HERE / "scaling.json").read_text())
    beside = json.loads((HERE / "beside.json").read_text())["shards"]
    killed(marked, beside)
    two_workers(scaled)
    print("\n| read | |\n|---|---|")
    for name, told in read.items():
        print(f"| {name} pictures called marked | {told['called_marked']} of {told['pictures']} |")
    planned(marked, read, args)


if __name__ == "__main__":
    main()
