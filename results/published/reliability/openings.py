# ruff: noqa: T201 - a script prints
"""Eight processes open the same empty database at once and issue at once: ``python openings.py [URL] --rounds 10``.

Without a URL: a SQLite file, a new one each round. With one: that database, whose schema ``public`` IS EMPTIED each
round. Every process opens the registry, adds slot 7 (one may, seven are refused), allocates five IDs and records them.
"""

import argparse
import collections
import multiprocessing
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, text

from watermark.errors import UserError
from watermark.registry import IssueRecord, Registry, Slot

PROCESSES, IDS = 8, 5
CODE = "0011" + "0" * 18 + "10001"
SLOT = Slot(7, CODE, "0" * 16, "tile_spread", "3", "l64", 40)


def record_of(number):
    """A record of no picture."""
    return IssueRecord(
        version=1,
        slot=7,
        content_id=number,
        content_producer=CODE,
        produce_id=f"test-{number}",
        label="1",
        algorithm="tile_spread",
        algorithm_version="3",
        key_id="0" * 16,
        released_sha256="0" * 64,
        perceptual_hash="phash64:" + "0" * 16,
        explicit_label=True,
    )


def work(where, start, answers):
    """Open, add, allocate and record; what came of each."""
    said = {"opened": False, "added": False, "ids": [], "errors": []}
    start.wait()
    try:
        registry = Registry(where, b"registry key")
        said["opened"] = True
        try:
            registry.add_slot(SLOT)
            said["added"] = True
        except UserError as error:
            said["errors"] += [] if "slot 7 is taken" in str(error) else [str(error)]
        for _ in range(IDS):
            number = registry.allocate(7)
            registry.record([record_of(number)])
            said["ids"].append(number)
    except Exception as error:
        said["errors"].append(f"{type(error).__name__}: {error}")
    answers.put(said)


def main():
    """Rounds, then one line of counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    context, counts = multiprocessing.get_context("fork"), collections.Counter()
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            where = arguments.url or Path(folder) / "registry.db"
            if arguments.url:
                with create_engine(arguments.url).begin() as connection:
                    connection.execute(text("DROP SCHEMA public CASCADE"))
                    connection.execute(text("CREATE SCHEMA public"))
            start, answers = context.Barrier(PROCESSES), context.Queue()
            processes = [context.Process(target=work, args=(where, start, answers)) for _ in range(PROCESSES)]
            for process in processes:
                process.start()
            said = [answers.get(timeout=300) for _ in processes]
            for process in processes:
                process.join()
            registry = Registry(where, b"registry key")
            result = registry.verify(full=True)
            registry.close()
        ids = [number for one in said for number in one["ids"]]
        counts["rounds"] += 1
        counts["processes"] += len(said)
        for name in ("opened", "added"):
            counts[name] += sum(one[name] for one in said)
        counts["ids"] += len(ids)
        counts["collisions"] += len(ids) - len(set(ids))
        counts["records"] += result.count
        counts["broken chains"] += not result.ok
        counts["errors"] += sum(len(one["errors"]) for one in said)
        for line in {line for one in said for line in one["errors"]}:
            print("error:", line)
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
