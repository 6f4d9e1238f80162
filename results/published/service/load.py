# ruff: noqa: T201 - a script prints
"""Time `watermark serve` against the bare library in the same run, overload it, break its uploads, restart its database.

    OMP_NUM_THREADS=1 python results/published/service/load.py OUTPUT.json [--block 15] [--overload 300] [--broken 2000]
    ... --workers 1 --queue 16 --clients 8 --block 60 --overload 1800 --broken 0
    ... --database postgresql+pg8000://... --restart "pg_ctlcluster 15 main restart"

Service, clients and library share the machine with whatever else runs on it, so the ratio to the library is one of processor
time: of the service's processes on one side, of the library's on the other. OUTPUT.json is written after each part.
"""

import argparse
import io
import itertools
import json
import math
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from asking import broken, clients, overload, restart
from PIL import Image
from skimage import data

from watermark import Watermarker
from watermark.files import decode
from watermark.keystore import KeyFile
from watermark.lifeline import end_with_parent
from watermark.registry import Registry, Slot

NAMES = ("astronaut", "coffee", "chelsea", "rocket")


def pictures(key):
    """Eight files of 256 px, JPEG 90: four marked with tile_spread at 42 dB, the same four unmarked."""
    marker = Watermarker.load("tile_spread", key=key, target_psnr=42)
    made = []
    for number, name in enumerate(NAMES):
        image = Image.fromarray(getattr(data, name)()[:256, 100:356])
        for one, content_id in ((marker.embed(image, 7, number), number), (image, None)):
            buffer = io.BytesIO()
            one.save(buffer, "JPEG", quality=90)
            made.append((buffer.getvalue(), content_id))
    return made


def bare(key, files, seconds, answers):
    """Open and read the files one after the other, as many as fit into the time, in this process."""
    import torch

    end_with_parent()
    torch.set_num_threads(1)
    marker = Watermarker.load("tile_spread", key=key)
    for content, _ in files:
        marker.detect(decode(content, "x", strict=False))
    answers.put(None)
    for block in iter(seconds.get, None):
        began, busy, took = time.perf_counter(), time.process_time(), []
        for content, _ in itertools.cycle(files):
            at = time.perf_counter()
            marker.detect(decode(content, "x", strict=False))
            took.append(time.perf_counter() - at)
            if time.perf_counter() - began > block:
                break
        answers.put((took, time.perf_counter() - began, time.process_time() - busy))


def tree(pid):
    """A process and all below it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in below for one in tree(int(child)))]


def cpu_seconds(pid):
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def resident(pid):
    """MiB of the serving process, its fork server and each worker (shared pages counted in each)."""
    return [round(int(Path(f"/proc/{one}/statm").read_text().split()[1]) * 4096 / 2**20) for one in tree(pid)]


def quantiles(took):
    return {f"p{q}_ms": round(1000 * float(np.quantile(took, q / 100)), 1) for q in (50, 95, 99)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("--block", type=float, default=15)
    parser.add_argument("--overload", type=float, default=300, help="seconds; 0 for none")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 8, 1, 64], help="of each block")
    parser.add_argument("--broken", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--time-limit", default="20", help="of the service, seconds a picture")
    parser.add_argument("--database", help="an empty PostgreSQL database; default: a SQLite file")
    parser.add_argument("--restart", help="command that restarts its server")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(args, Path(folder))


def measure(args, folder):
    key = KeyFile.new()
    key.save(folder / "key.json")
    where = args.database or str(folder / "registry.db")
    registry = Registry(where, key.registry_key)
    registry.add_slot(Slot(7, "0011" + "0" * 18 + "10001", key.key_id, "tile_spread", "3", "l64", 40))
    registry.close()
    files = pictures(key.mark_key)
    queues = start_libraries(key.mark_key, files, args.workers)
    server, port = start_server(where, folder, args)
    found = {
        "workers": args.workers,
        "queue": args.queue,
        "pictures": "256 px, JPEG 90, four marked and four not",
        "blocks": [],
    }

    def keep(name, said):
        found[name] = said
        print(said, flush=True)
        args.output.write_text(json.dumps(found, indent=1) + "\n")

    for count in args.clients:
        block = compared(server.pid, port, files, queues[:count], count, args.block)
        keep("blocks", [*found["blocks"], block])
    if args.restart:
        keep("restart", restart(port, files, args.restart, 4 * args.block))
    if args.overload:
        eight = [block["per_second"] for block in found["blocks"] if block["clients"] == 8]
        keep("overload", overloaded(server.pid, port, files, 1.5 * math.fsum(eight) / len(eight), args.overload))
        keep("after_overload", compared(server.pid, port, files, queues, 8, args.block))
    for asked, _ in queues:
        asked.put(None)
    broken(port, args.broken, lambda counts: keep("broken", counts))
    server.terminate()
    keep("exit_status", server.wait(60))


def start_libraries(key, files, count):
    """Processes that read with the bare library, each behind a queue of seconds and one of answers."""
    context = multiprocessing.get_context("spawn")
    queues = [(context.Queue(), context.Queue()) for _ in range(count)]
    for pair in queues:
        context.Process(target=bare, args=(key, files, *pair)).start()
    for _, answers in queues:
        answers.get()
    return queues


def start_server(where, folder, args):
    """`watermark serve`, and its port."""
    words = ["serve", "--registry", where, "--key-file", str(folder / "key.json"), "--public"]
    words += ["--port", "0", "--workers", str(args.workers), "--queue", str(args.queue)]
    words += ["--rate", "0", "--near-copies", "0", "--time-limit", args.time_limit]
    command = [str(Path(sys.executable).with_name("watermark")), *words]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    return server, int(server.stdout.readline().split()[1].rpartition(":")[2])


def compared(pid, port, files, queues, count, block):
    """So many clients for a while, then as many processes of the library as there are workers for them."""
    began = cpu_seconds(pid)
    took, seconds, statuses, wrong = clients(port, files, count, block)
    cpu = (cpu_seconds(pid) - began) / len(took)
    for asked, _ in queues:
        asked.put(block)
    library = [answers.get() for _, answers in queues]
    times = [one for part in library for one in part[0]]
    return {
        "clients": count,
        "n": len(took),
        "statuses": statuses,
        "wrong": wrong,
        **quantiles(took),
        "per_second": round(len(took) / seconds, 2),
        "cpu_ms": round(1000 * cpu, 1),
        "library": {
            "processes": len(library),
            "n": len(times),
            "per_second": round(sum(len(part[0]) / part[1] for part in library), 2),
            "cpu_ms": round(1000 * sum(part[2] for part in library) / len(times), 1),
            **quantiles(times),
        },
    }


def overloaded(pid, port, files, rate, seconds):
    """Statuses, wrong answers, waits, and of each minute what was answered and how much memory was held."""
    answers, wrong, errors, mib = overload(port, files, rate, seconds, lambda: resident(pid))
    minutes = [Counter() for _ in range(max(minute for minute, _, _ in answers) + 1)]
    waits = {status: [took for _, one, took in answers if one == status] for status in {one for _, one, _ in answers}}
    for minute, status, _ in answers:
        minutes[minute][status] += 1
    return {
        "per_second": round(rate, 2),
        "seconds": seconds,
        "statuses": {status: len(took) for status, took in waits.items()},
        "wrong": wrong,
        "errors": errors,
        "waits": {status: quantiles(took) for status, took in waits.items()},
        "minutes": minutes,
        "mib": mib,
    }


if __name__ == "__main__":
    main()
