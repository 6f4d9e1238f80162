"""How fast: every attack batched on the device against the per-image loop that others write.

``watermark attacks bench --size 512 --batch 1 8`` (or ``python -m attacks.bench``) times both sides in one run and
prints milliseconds per image and their ratio. Both sides get and return float tensors, as decoders want them: the loop
turns one image after the other into bytes, through Pillow, OpenCV, SciPy or scikit-image, and back; where several
would do, the fastest counts. The sides take turns, so that a busy moment of the machine meets both; the median of the
turns counts, and the spread of the ratio is printed. Threads are torch's (``OMP_NUM_THREADS=1`` for one). Where there
is a GPU it is timed in the same run, transfers not included; without one its columns say so. ``--cpu-seconds`` counts
the processor's time instead of the clock's: on a busy machine, with one thread.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import skimage.data
import torch
from torch import Tensor

from attacks.base import Attack
from attacks.bench_loops import Loop, one_by_one, pairs
from attacks.functional import warp

Clock = Callable[[], float]
LARGEST_KEPT = 31 * 2**20
"""Bytes. glibc hands memory back to the system, and clears it when it is asked again, above the largest block that was
ever freed, 32 MiB at most: without this the first rows would measure that and not the attacks, on both sides."""


@dataclass(frozen=True)
class Timing:
    """One row: medians over the repeats, milliseconds per image; ratios are loop over batch, above 1 is faster."""

    attack: str
    batch: int
    library: str
    loop_ms: float
    batched_ms: float
    ratio: float
    ratio_low: float
    """Least and greatest ratio of a repeat."""
    ratio_high: float
    gpu_ms: float | None
    """None where there was no CUDA device."""
    gpu_ratio: float | None
    loops_ms: dict[str, float]
    """Every loop's median, the fastest one's among them."""


def run(
    size: int = 512,
    batch: int = 8,
    repeats: int = 5,
    clock: Clock = time.perf_counter,
    only: Sequence[str] = ("",),
) -> Iterator[Timing]:
    """Time every pair whose name contains one of ``only``, on ``batch`` photographs of ``size`` pixels a side."""
    photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None].float() / 255
    images = warp.resize(photo, (size, size)).clamp(0, 1).expand(batch, -1, -1, -1).contiguous()
    cv2.setNumThreads(torch.get_num_threads())
    torch.empty(LARGEST_KEPT, dtype=torch.uint8)  # freed at once; from then on the allocator keeps what is smaller
    for name, pair in pairs(size).items():
        if any(part in name for part in only):
            with torch.no_grad():
                row = _row(name, *pair, images, repeats, clock)
            yield row


def _row(name: str, attack: Attack, loops: dict[str, Loop], images: Tensor, repeats: int, clock: Clock) -> Timing:
    calls = {"": partial(attack, images)} | {key: partial(one_by_one, loop, images) for key, loop in loops.items()}
    if torch.cuda.is_available():
        calls["gpu"] = partial(_on_gpu, attack, images.cuda())
    times = _take_turns(calls, repeats, len(images), clock)
    library = min(loops, key=lambda key: median(times[key]))
    ratios = [loop / ours for loop, ours in zip(times[library], times[""], strict=True)]
    loop_ms, ours_ms = median(times[library]), median(times[""])
    gpu_ms = median(times["gpu"]) if "gpu" in times else None
    return Timing(
        name, len(images), library, loop_ms, ours_ms, median(ratios), min(ratios), max(ratios),
        gpu_ms, loop_ms / gpu_ms if gpu_ms else None, {key: median(times[key]) for key in loops},
    )  # fmt: skip


def _on_gpu(attack: Attack, images: Tensor) -> None:
    attack(images)
    torch.cuda.synchronize()


def _take_turns(
    calls: Mapping[str, Callable[[], object]], repeats: int, count: int, clock: Clock
) -> dict[str, list[float]]:
    """Milliseconds per image of every call in ``repeats`` rounds, every other one backwards.

    A call is made twice and the second one timed: it finds the memory that it needs, as in a run over many pictures,
    and not what the other side has just handed back to the system.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats):
        for name, call in list(calls.items())[:: -1 if turn % 2 else 1]:
            call()
            began = clock()
            call()
            times[name].append(1000 * (clock() - began) / count)
    return times


HEADER = """| attack | batch | loop | loop, ms | batched CPU, ms | ratio (least to greatest) | GPU, ms | ratio |
|---|---|---|---|---|---|---|---|
"""


def table_row(row: Timing) -> str:
    """A row of the Markdown table that ``HEADER`` begins."""
    gpu = "no GPU | -" if row.gpu_ms is None else f"{row.gpu_ms:.2f} | {row.gpu_ratio:.1f}"
    ratio = f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"
    numbers = f"{row.loop_ms:.2f} | {row.batched_ms:.2f} | {ratio} | {gpu}"
    return f"| {row.attack} | {row.batch} | {row.library} | {numbers} |\n"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `watermark attacks bench` and of ``python -m attacks.bench``."""
    parser.add_argument("--size", type=int, default=512, help="side of the pictures in pixels")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[8], help="pictures per batch; several are run in turn"
    )
    parser.add_argument("--repeats", type=int, default=5, help="rounds; the median counts")
    parser.add_argument("--only", nargs="+", default=[""], help="only attacks whose name contains one of these")
    parser.add_argument("--cpu-seconds", action="store_true", help="processor time instead of the clock's")
    parser.add_argument("--output", type=Path, help="also write the rows here, as JSON")


def bench(options: argparse.Namespace) -> None:
    """Print a table, row by row as it is measured."""
    clock = time.process_time if options.cpu_seconds else time.perf_counter
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    facts = {"size": options.size, "repeats": options.repeats, "threads": torch.get_num_threads(), "gpu": device}
    facts |= {"clock": "processor" if options.cpu_seconds else "wall"}
    facts |= {"torch": torch.__version__, "opencv": cv2.__version__}
    sys.stdout.write(f"{facts}\n\n{HEADER}")
    rows = []
    for batch in options.batches:
        for row in run(options.size, batch, options.repeats, clock, options.only):
            rows.append(asdict(row))
            sys.stdout.write(table_row(row))
            sys.stdout.flush()
            if options.output:  # again after every row: a run that is stopped leaves what it has
                options.output.write_text(json.dumps({**facts, "rows": rows}, indent=2))


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m attacks.bench", description=__doc__)
    add_options(parser)
    bench(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
