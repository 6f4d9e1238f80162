"""What a registry of many records costs: allocate, record, find, trace, verify, bytes; and how long writers wait.

    python results/published/reliability/registry.py FOLDER --records 200000 1000000 --output results/published/reliability

FOLDER keeps the database, so a second call goes on where the first ended. Every record is as `issue` writes it, with a
thumbnail of 48 px. "Eight writers" are eight processes that each allocate and record one picture at a time; "before" is
SQLite's own waiting, in the same run.
"""

import argparse
import base64
import json
import multiprocessing
import os
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from sqlalchemy import text

from watermark.registry import IssueRecord, Registry, Slot, database

CODE, KEY = "0011" + "0" * 18 + "10001", b"a registry's key for measuring"
SLOT = Slot(7, CODE, "key-1", "tile_spread", "2", "l64", 40)


def record_of(content_id: int, rng: np.random.Generator) -> IssueRecord:
    """One issued picture."""
    thumbnail = "grey48:48x32:" + base64.b64encode(rng.bytes(48 * 32)).decode()
    return IssueRecord(
        version=1,
        slot=7,
        content_id=content_id,
        content_producer=CODE,
        produce_id=f"W1-7-{content_id:X}",
        label="1",
        algorithm="tile_spread",
        algorithm_version="2",
        key_id="key-1",
        released_sha256=rng.bytes(32).hex(),
        perceptual_hash="phash64:" + rng.bytes(8).hex(),
        explicit_label=True,
        thumbnail=thumbnail,
    )


def times(ask, count: int) -> dict[str, float]:
    """Wall milliseconds of each call: the median, the 99th of 100, the worst; and CPU milliseconds a call."""
    walls, cpu = [], time.process_time()
    for index in range(count):
        start = time.perf_counter()
        ask(index)
        walls.append(1000 * (time.perf_counter() - start))
    cpu = 1000 * (time.process_time() - cpu) / count
    return summary(walls) | {"cpu_ms": round(cpu, 3)}


def summary(walls: list[float]) -> dict[str, float]:
    """Of wall milliseconds."""
    middle, high = np.percentile(walls, [50, 99])
    return {
        "n": len(walls),
        "median_ms": round(float(middle), 2),
        "p99_ms": round(float(high), 1),
        "max_ms": round(max(walls), 1),
    }


def count_of(registry: Registry) -> int:
    """Records there are, from the head."""
    with database.transaction(registry._engine, writes=False) as connection:
        return connection.execute(text("SELECT record_count FROM head")).scalar_one()


def fill(registry: Registry, upto: int, rng: np.random.Generator) -> None:
    """Records in batches of a thousand."""
    while (have := count_of(registry)) < upto:
        ids = registry.content_ids(registry.reserve(7, min(1000, upto - have)))
        registry.record([record_of(number, rng) for number in ids])


def measure(path: Path, records: int, rng: np.random.Generator) -> dict[str, object]:
    """Everything about a registry of so many records."""
    registry = Registry(path, KEY)
    some = registry.content_ids(registry.reserve(7, 200))
    facts: dict[str, object] = {"records": records}
    facts["allocate"] = times(lambda _: registry.allocate(7), 200)
    facts["allocate and record"] = times(lambda _: registry.record([record_of(registry.allocate(7), rng)]), 200)
    registry.record([record_of(number, rng) for number in some])
    facts["find"] = times(lambda i: registry.find(7, some[i]), 200)
    facts["slots"] = times(lambda _: registry.slots(), 50)

    def trace(index: int) -> None:
        reader = Registry(path)
        reader.slots()
        reader.find(7, some[index])
        reader.close()

    facts["trace's look-up (open, slots, find)"] = times(trace, 50)
    for name, key, full in (
        ("verify without the key", None, True),
        ("verify --full", KEY, True),
        ("verify from the checkpoint", KEY, False),
    ):
        start, cpu = time.perf_counter(), time.process_time()
        result = Registry(path, key).verify(full=full)
        assert result.ok, result.problems
        spent = {"seconds": round(time.perf_counter() - start, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
        facts[name] = spent | {"records": result.count, "spared": result.spared}
    facts["bytes_per_record"] = round(path.stat().st_size / result.count)
    return facts


def write_some(path: Path, count: int, queue: bool, answers: multiprocessing.SimpleQueue) -> None:
    """One of the writers: wall milliseconds of each ``allocate`` and of each ``record``."""
    if not queue:
        database.turn = lambda *_: nullcontext()
    registry, rng, walls = Registry(path, KEY), np.random.default_rng(os.getpid()), []
    for _ in range(count):
        start = time.perf_counter()
        number = registry.allocate(7)
        middle = time.perf_counter()
        registry.record([record_of(number, rng)])
        walls += [1000 * (middle - start), 1000 * (time.perf_counter() - middle)]
    answers.put(walls)


def writers(path: Path, processes: int, each: int, queue: bool) -> dict[str, float]:
    """So many processes at once, each its own pictures."""
    answers = multiprocessing.SimpleQueue()
    workers = [multiprocessing.Process(target=write_some, args=(path, each, queue, answers)) for _ in range(processes)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    walls = [wall for _ in workers for wall in answers.get()]
    for worker in workers:
        worker.join()
    return summary(walls) | {"pictures_per_second": round(processes * each / (time.perf_counter() - start), 1)}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--each", type=int, default=100, help="pictures that each writer issues")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    rng, facts = np.random.default_rng(0), {"sizes": [], "writers": []}
    path = args.folder / "many.db"
    registry = Registry(path, KEY)
    if not registry.slots():
        registry.add_slot(SLOT)
    small = args.folder / f"writers-{os.getpid()}.db"
    Registry(small, KEY).add_slot(SLOT)
    for queue in (False, True, False, True):
        found = writers(small, args.writers, args.each, queue)
        facts["writers"].append({"waiting": "in order" if queue else "SQLite's own", "processes": args.writers} | found)
        print(facts["writers"][-1], flush=True)
    for size in sorted(args.records):
        fill(registry, size, rng)
        facts["sizes"].append(measure(path, size, rng))
        print(json.dumps(facts["sizes"][-1], indent=1), flush=True)
        (args.output / "registry.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
