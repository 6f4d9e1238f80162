# ruff: noqa: T201 - a script prints
"""Mark many small pictures with `watermark pipeline embed`, kill it twice, and look for what is lost, doubled or different.

    OMP_NUM_THREADS=1 python results/published/pipeline/measure.py PHOTOS WORK OUTPUT.json [--pictures 20000] [--engine ray]

PHOTOS is a folder of photographs of which crops are made, WORK an empty folder. The shards that were in work at a kill are
made once more by a run that nothing happens to, from the registry as it was when the plan was made, and compared.

The driver is killed at two thirds, and whenever ``--seconds`` are over; then exit status 3 says: call it again.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from hashlib import sha256
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from PIL import Image

from watermark import files
from watermark.files import find_pictures
from watermark.identity.markers import marker_for
from watermark.keystore import KeyFile
from watermark.registry import Registry, Slot

SIDE, CODE = 256, "0011" + "0" * 18 + "10001"
SHARES = {"worker": 1 / 3, "driver": 2 / 3}
"""Of the shards, at which something is killed."""


def crops(photos, folder, count):
    """Squares of 256 px from everywhere in the photographs, which are made 512 px high or wide first; JPEG 95."""
    rng, found = random.Random(0), sorted(find_pictures(photos))
    folder.mkdir(parents=True)
    for number in range(count):
        if number % 25 == 0:
            image = files.look(found[number // 25 % len(found)]).convert("RGB")
            scale = 2 * SIDE / min(image.size)
            image = image.resize([max(2 * SIDE, round(scale * side)) for side in image.size], Image.Resampling.LANCZOS)
        left, top = rng.randrange(image.width - SIDE + 1), rng.randrange(image.height - SIDE + 1)
        image.crop((left, top, left + SIDE, top + SIDE)).save(folder / f"{number:06d}.jpg", quality=95)


class Watched:
    """The pipeline as a process, and the processor time of all that it started."""

    def __init__(self, words):
        self.process = subprocess.Popen([sys.executable, "-m", "watermark", *words], stdout=subprocess.DEVNULL)
        self.top, self.spent, self.seen = psutil.Process(self.process.pid), {}, {}
        self.began = time.monotonic()

    def look(self):
        """Note what each process has used so far."""
        try:
            family = [self.top, *self.top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in family:
            try:
                times, name = one.cpu_times(), (one.pid, one.create_time())
                self.spent[name], self.seen[one.pid] = times.user + times.system, one
            except psutil.Error:
                continue

    def worker(self):
        """Some process that makes shards: the one that used most."""
        busy = sorted(self.spent.items(), key=lambda item: -item[1])
        return next(pid for (pid, _), _ in busy if pid != self.process.pid and psutil.pid_exists(pid))

    def until(self, done):
        """Watch until something is so, or the process ends; its exit status if it did."""
        while self.process.poll() is None:
            self.look()
            if done():
                return None
            time.sleep(0.5)
        return self.process.returncode

    def end(self):
        """Kill what is left of it."""
        self.look()
        self.process.kill()
        self.process.wait()


def disturbed(words, target, shards, seconds, kills):
    """Run it, and kill -9 what is named in ``kills`` at its share of the shards, or all when the time is up; what happened."""
    rows = lambda: {int(path.stem) for path in target.glob("[0-9]*.parquet")}  # noqa: E731
    run, told = Watched(words), {"killed": [], "in_work": []}
    late = lambda: time.monotonic() - run.began > seconds  # noqa: E731
    for name, share in kills.items():
        if run.until(lambda share=share: late() or len(rows()) >= share * shards) is not None or name == "driver":
            break
        if not late():
            told["killed"].append(name)
            told["in_work"] += sorted(set(range(shards)) - rows())[:2]
            os.kill(run.worker(), signal.SIGKILL)
    else:
        run.until(late)
    if run.process.poll() is None:
        told["killed"].append("driver")
        told["in_work"] += sorted(set(range(shards)) - rows())[:2]
        run.end()
    else:
        assert run.process.returncode in (0, 1), f"ended with {run.process.returncode}"
    return told | {"seconds": time.monotonic() - run.began, "core_seconds": sum(run.spent.values())}


def planned(words, target, database, copy):
    """Begin, and end as soon as the plan is there; keep the registry as it is then."""
    first = Watched(words)
    assert first.until((target / "_plan" / "plan.json").exists) is None
    first.end()
    with sqlite3.connect(database) as held, sqlite3.connect(copy) as kept:
        held.backup(kept)


def undisturbed(words, target, registry, numbers):
    """Make some shards once more elsewhere, from the plan and a registry that knows nothing of them; which are the same."""
    again = target.with_name(f"{target.name}-again")
    shutil.copytree(target, again, ignore=shutil.ignore_patterns("*.tar", "manifest.json", ".*"))
    for number in numbers:
        (again / f"{number:05d}.parquet").unlink()
    words = [{str(target): str(again)}.get(word, word) for word in words]
    words[words.index("--registry") + 1] = str(registry)
    assert subprocess.run([sys.executable, "-m", "watermark", *words], check=False).returncode in (0, 1)
    names = [f"{number:05d}{suffix}" for number in numbers for suffix in (".tar", ".parquet")]
    return [(target / name).read_bytes() == (again / name).read_bytes() for name in names]


def checked(target, registry, count, key):
    """What the target holds: one row a picture, no ID twice, tars that hold the bytes of the rows and nothing else."""
    rows = [row for path in sorted(target.glob("[0-9]*.parquet")) for row in pq.read_table(path).to_pylist()]
    for name in ("uri", "key", "content"):
        assert len(rows) == len({row[name] for row in rows}) == count, f"{len(rows)} rows of {count} pictures"
    marker = marker_for(registry.slot(7), key)
    held = {row["file"]: row for row in rows if row["file"]}
    asked = right = 0
    for path in sorted(target.glob("[0-9]*.tar")):
        with tarfile.open(path) as archive:
            for number, member in enumerate(archive):
                content, row = archive.extractfile(member).read(), held.pop(member.name)  # each once
                assert sha256(content).hexdigest() == row["sha256"]
                assert registry.find(7, int(row["content"])).record.released_sha256 == row["sha256"]
                if number < 5:
                    asked += 1
                    right += marker.detect(files.decode(content, member.name)).content_id == int(row["content"])
    assert not held, "rows of pictures that are in no tar"
    whole = registry.verify(full=True)
    failed = [row for row in rows if row["error"]]
    return {
        "pictures": count,
        "failed": len(failed),
        "failed_as_too_faint_to_be_read_back": sum("cannot be read back" in row["error"] for row in failed),
        "asked": asked,
        "named_rightly": right,
        "records": whole.count - 1,
        "registry_whole": whole.ok,
        "bytes_written": sum(row["bytes"] or 0 for row in rows),
    }


def sources(args):
    """The pictures, made where they are not there, and a key."""
    if not (args.work / "photos").exists():
        crops(args.photos, args.work / "photos", args.pictures)
    if not (args.work / "my.key").exists():
        KeyFile.new().save(args.work / "my.key")
    return sorted((args.work / "photos").iterdir())[: args.pictures], KeyFile.load(args.work / "my.key")


def opened(database, key, scheme):
    """A registry with slot 7; ``scheme`` is its name and its version."""
    registry = Registry(database, key.registry_key)
    if registry.slot(7) is None:
        registry.add_slot(Slot(7, CODE, key.key_id, *scheme, "l64", 40))
    return registry


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--shard-size", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="ray")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--scheme", nargs=2, metavar=("NAME", "VERSION"), default=["tile_spread", "3"])
    args = parser.parse_args()
    paths, key = sources(args)
    target = args.work / f"out-{args.engine}-{args.workers}"
    database = args.work / f"{target.name}.db"
    registry = opened(database, key, args.scheme)
    words = ["pipeline", "embed", str(args.work / "photos"), str(target), "--provider", "7"]
    words += ["--key-file", str(args.work / "my.key"), "--registry", str(database), "--visible", "elsewhere"]
    words += ["--engine", args.engine, "--shard-size", str(args.shard_size), "--workers", str(args.workers)]
    before, log, shards = database.with_suffix(".before.db"), args.work / "runs.json", -(-len(paths) // args.shard_size)
    if not before.exists():
        planned(words, target, database, before)
    runs = json.loads(log.read_text()) if log.exists() else []
    if not (target / "manifest.json").exists():
        killed = [name for one in runs for name in one["killed"]]
        kills = {name: share for name, share in SHARES.items() if name not in killed}
        runs.append(disturbed(words, target, shards, args.seconds, kills))
        log.write_text(json.dumps(runs, indent=1))
        if not (target / "manifest.json").exists():
            return 3
    same = undisturbed(words, target, before, sorted({number for one in runs for number in one["in_work"]}))
    stats = [json.loads(path.read_text()) for path in sorted((target / "_plan").glob("*_stats.json"))]
    result = {
        "engine": args.engine,
        "scheme": args.scheme[0],
        "workers": args.workers,
        "shard_size": args.shard_size,
        "shard_core_seconds": [one["core_seconds"] for one in stats],
        "shard_pictures": [one["pictures"] for one in stats],
        "bytes_read": sum(path.stat().st_size for path in paths),
        "registry_bytes": sum(path.stat().st_size for path in args.work.glob(f"{target.name}.db*")),
        "runs": runs,
        "core_seconds": sum(one["core_seconds"] for one in runs),
        "seconds": sum(one["seconds"] for one in runs),
        "kills": {name: sum(name in one["killed"] for one in runs) for name in ("worker", "driver")},
        "files_made_again": len(same),
        "files_that_are_the_same": sum(same),
        **checked(target, registry, len(paths), key),
    }
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: value for name, value in result.items() if not isinstance(value, list)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
