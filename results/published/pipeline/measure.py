# ruff: noqa: T201 - a script prints
"""Mark many small pictures with `watermark pipeline embed`, kill it twice, and compare it with a loop over the library.

    OMP_NUM_THREADS=1 python results/published/pipeline/measure.py PHOTOS WORK OUTPUT.json [--pictures 2000] [--engine ray]

PHOTOS is a folder of photographs of which crops are made, WORK an empty folder. The machine is shared with whatever else runs on
it, so what is compared is processor time: of all processes of the pipeline, those that were killed included, on one side, of
the loop on the other.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from PIL import Image

from watermark import files
from watermark.errors import UserError
from watermark.files import find_pictures
from watermark.identity.issuing import Request, prepare
from watermark.identity.markers import marker_for
from watermark.keystore import KeyFile
from watermark.registry import Registry, Slot

SIDE, CODE = 256, "0011" + "0" * 18 + "10001"


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


def disturbed(words, target, shards):
    """Run it, kill -9 a worker at a third, kill -9 the driver at two thirds, run it again; processor and clock seconds."""
    rows = lambda: len(list(target.glob("[0-9]*.parquet")))  # noqa: E731
    first = Watched(words)
    status = first.until(lambda: rows() >= shards // 3)
    assert status is None, f"ended early with {status}"
    os.kill(first.worker(), signal.SIGKILL)
    status = first.until(lambda: rows() >= 2 * shards // 3)
    assert status is None, f"ended early with {status}"
    first.end()
    told = {"shards_when_driver_was_killed": rows()}
    time.sleep(5)
    second = Watched(words)
    status = second.until(lambda: False)
    assert status in (0, 1), f"ended with {status}"
    told["core_seconds"] = sum(first.spent.values()) + sum(second.spent.values())
    return told


def checked(target, registry, count, tried):
    """What the target holds: one row a picture, no ID twice, tars that say what the rows say."""
    rows = [row for path in sorted(target.glob("[0-9]*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert len(rows) == count, f"{len(rows)} rows of {count} pictures"
    assert len({row["content"] for row in rows}) == count
    slot = registry.slot(7)
    marker = marker_for(slot, tried)
    good = 0
    with tarfile.open(target / "00000.tar") as archive:
        held = {row["file"]: row for row in rows if row["file"]}
        members = archive.getmembers()[:100]
        for member in members:
            found = marker.detect(files.decode(archive.extractfile(member).read(), member.name))
            good += found.content_id == int(held[member.name]["content"])
    whole = registry.verify(full=True)
    failed = [row for row in rows if row["error"]]
    return {
        "pictures": count,
        "failed": len(failed),
        "failed_as_too_faint_to_be_read_back": sum("cannot be read back" in row["error"] for row in failed),
        "read_from_the_first_tar": len(members),
        "named_rightly": good,
        "records": whole.count - 1,
        "registry_whole": whole.ok,
        "bytes_written": sum(row["bytes"] or 0 for row in rows),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--shard-size", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="ray")
    args = parser.parse_args()
    source, target = args.work / "photos", args.work / f"out-{args.engine}-{args.workers}"
    if not source.exists():
        crops(args.photos, source, args.pictures)
    paths = sorted(source.iterdir())[: args.pictures]
    if not (args.work / "my.key").exists():
        KeyFile.new().save(args.work / "my.key")
    key = KeyFile.load(args.work / "my.key")
    registry = Registry(args.work / f"{target.name}.db", key.registry_key)
    registry.add_slot(Slot(7, CODE, key.key_id, "tile_spread", "3", "l64", 40))
    before = loop(paths[::4], registry.slot(7), key)
    words = ["pipeline", "embed", str(source), str(target), "--provider", "7", "--key-file", str(args.work / "my.key")]
    words += ["--registry", str(args.work / f"{target.name}.db"), "--visible", "elsewhere", "--engine", args.engine]
    words += ["--shard-size", str(args.shard_size), "--workers", str(args.workers)]
    told = disturbed(words, target, -(-len(paths) // args.shard_size))
    after = loop(paths[1::4], registry.slot(7), key)
    stats = [json.loads(path.read_text()) for path in sorted((target / "_plan").glob("*_stats.json"))]
    result = {
        "engine": args.engine,
        "workers": args.workers,
        "shard_size": args.shard_size,
        "loop_core_seconds_a_picture": {"before": before, "after": after},
        "shard_core_seconds": [one["core_seconds"] for one in stats],
        "shard_pictures": [one["pictures"] for one in stats],
        "bytes_read": sum(path.stat().st_size for path in paths),
        "registry_bytes": sum(path.stat().st_size for path in args.work.glob(f"{target.name}.db*")),
        **told,
        **checked(target, registry, len(paths), key),
    }
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: value for name, value in result.items() if not isinstance(value, list | dict)}, indent=1))


if __name__ == "__main__":
    main()
