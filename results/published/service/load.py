# ruff: noqa: T201 - a script prints
"""Time `watermark serve` against the bare library in the same run, overload it, break its uploads, restart its database.

    OMP_NUM_THREADS=1 python results/published/service/load.py OUTPUT.json [--block 15] [--overload 300] [--broken 2000]
    ... --database postgresql+pg8000://... --restart "pg_ctlcluster 15 main restart"

Service, clients and library share the machine with whatever else runs on it, so the ratio to the library is one of processor
time: of the service's processes on one side, of the library's on the other. OUTPUT.json is written after each part.
"""

import argparse
import collections
import http.client
import io
import itertools
import json
import math
import multiprocessing
import random
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from watermark import Watermarker
from watermark.files import decode
from watermark.keystore import KeyFile
from watermark.lifeline import end_with_parent
from watermark.registry import Registry, Slot

WORKERS = 2
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


def post(connection, content):
    connection.request("POST", "/v1/detect", content, {"Content-Type": "image/jpeg"})
    response = connection.getresponse()
    return response.status, response.read()


def clients(port, files, count, seconds):
    """``count`` clients that ask one question after the other; seconds of each answer, and the wrong ones."""
    took, wrong, statuses, until = [], [], collections.Counter(), time.perf_counter() + seconds

    def one(offset):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        for content, content_id in itertools.islice(itertools.cycle(files), offset, None):
            if time.perf_counter() > until:
                return
            at = time.perf_counter()
            status, body = post(connection, content)
            took.append(time.perf_counter() - at)
            statuses[status] += 1
            if status == 200 and not right(body, content_id):
                wrong.append(body)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, time.perf_counter() - began, dict(statuses), len(wrong)


def right(body, content_id):
    said = json.loads(body)
    return (said["is_marked"], said["content_id"]) == (content_id is not None, content_id)


def overload(port, files, rate, seconds):
    """Questions at a fixed rate, whether answered or not."""
    statuses, wrong, errors, threads = collections.Counter(), [], [], []

    def one(content, content_id):
        try:
            status, body = post(http.client.HTTPConnection("127.0.0.1", port, timeout=120), content)
        except OSError as error:
            errors.append(type(error).__name__)
            return
        statuses[status] += 1
        if status == 200 and not right(body, content_id):
            wrong.append(body)

    began = time.perf_counter()
    for number, (content, content_id) in enumerate(itertools.cycle(files)):
        if (due := began + number / rate) > began + seconds:
            break
        time.sleep(max(0.0, due - time.perf_counter()))
        threads = [thread for thread in threads if thread.is_alive()]
        threads.append(threading.Thread(target=one, args=(content, content_id)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return dict(statuses), len(wrong), collections.Counter(errors)


def small():
    """Files of 64 px, in three formats."""
    image = Image.fromarray(data.astronaut()[:64, 100:164])
    made = []
    for form in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        image.save(buffer, form)
        made.append(buffer.getvalue())
    return made


def broken(port, count, keep):
    """Files cut short, with bytes changed, or of noise."""
    draw, statuses, files = random.Random(0), collections.Counter(), small()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    for number in range(count):
        content = bytearray(draw.choice(files))
        if number % 4 == 0:
            content = content[: draw.randrange(1, len(content))]
        elif number % 4 == 1:
            for _ in range(draw.randrange(1, 60)):
                content[draw.randrange(len(content))] = draw.randrange(256)
        elif number % 4 == 2:
            at = draw.randrange(2, 700)  # headers and tables
            content[at : at + 8] = draw.randbytes(8)
        else:
            content = content[:2] + draw.randbytes(draw.randrange(1, 4000))
        statuses[post(connection, bytes(content))[0]] += 1
        if (number + 1) % 200 == 0:
            keep({"n": number + 1, "statuses": dict(statuses)})


def restart(port, files, command, seconds):
    """One trace after the other while the database restarts; which answers, and the longest wait."""
    statuses, began, longest = collections.Counter(), time.perf_counter(), 0.0
    connection, restarting = http.client.HTTPConnection("127.0.0.1", port, timeout=300), None
    marked = itertools.cycle(content for content, content_id in files if content_id is not None)
    while (now := time.perf_counter()) < began + seconds:
        if restarting is None and now > began + seconds / 4:
            restarting = subprocess.Popen(shlex.split(command))
        connection.request("POST", "/v1/trace", next(marked), {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        body = response.read()
        statuses[f"{response.status} {json.loads(body).get('answer', '')}".strip()] += 1
        longest = max(longest, time.perf_counter() - now)
    return {"statuses": dict(statuses), "longest_s": round(longest, 2), "restart_exit_status": restarting.wait()}


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
    context = multiprocessing.get_context("spawn")
    queues = [(context.Queue(), context.Queue()) for _ in range(WORKERS)]
    libraries = [context.Process(target=bare, args=(key.mark_key, files, *pair)) for pair in queues]
    for process in libraries:
        process.start()
    for _, answers in queues:
        answers.get()
    words = ["serve", "--registry", where, "--key-file", str(folder / "key.json"), "--public"]
    words += ["--port", "0", "--workers", str(WORKERS), "--queue", "64", "--rate", "0", "--near-copies", "0"]
    command = [str(Path(sys.executable).with_name("watermark")), *words]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    port = int(server.stdout.readline().split()[1].rpartition(":")[2])
    found = {"workers": WORKERS, "pictures": "256 px, JPEG 90, four marked and four not", "blocks": []}

    def keep():
        args.output.write_text(json.dumps(found, indent=1) + "\n")

    for count in args.clients:
        began = cpu_seconds(server.pid)
        took, seconds, statuses, wrong = clients(port, files, count, args.block)
        http_cpu = (cpu_seconds(server.pid) - began) / len(took)
        for asked, _ in queues[: min(count, WORKERS)]:
            asked.put(args.block)
        library = [answers.get() for _, answers in queues[: min(count, WORKERS)]]
        times = [one for part in library for one in part[0]]
        library_rate = sum(len(part[0]) / part[1] for part in library)
        block = {"clients": count, "n": len(took), "statuses": statuses, "wrong": wrong, **quantiles(took)}
        block |= {"per_second": round(len(took) / seconds, 2), "cpu_ms": round(1000 * http_cpu, 1)}
        block["library"] = {"processes": len(library), "n": len(times), "per_second": round(library_rate, 2)}
        block["library"] |= {
            "cpu_ms": round(1000 * sum(part[2] for part in library) / len(times), 1),
            **quantiles(times),
        }
        found["blocks"].append(block)
        print(block, flush=True)
        keep()
    for asked, _ in queues:
        asked.put(None)
    if args.restart:
        found["restart"] = restart(port, files, args.restart, 4 * args.block)
        print(found["restart"], flush=True)
        keep()
    if args.overload:
        eight = [block["per_second"] for block in found["blocks"] if block["clients"] == 8]
        rate = 1.5 * math.fsum(eight) / len(eight)
        before = resident(server.pid)
        statuses, wrong, errors = overload(port, files, rate, args.overload)
        found["overload"] = {
            "per_second": round(rate, 2),
            "seconds": args.overload,
            "statuses": statuses,
            "wrong": wrong,
        }
        found["overload"] |= {"errors": errors, "mib_before": before, "mib_after": resident(server.pid)}
        print(found["overload"], flush=True)
        keep()

    def so_far(counts):
        found["broken"] = counts
        print(counts, flush=True)
        keep()

    broken(port, args.broken, so_far)
    server.terminate()
    found["exit_status"] = server.wait(60)
    keep()


if __name__ == "__main__":
    main()
