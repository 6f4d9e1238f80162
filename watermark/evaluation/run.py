"""Run a job: every unit once, on as many processes as it pays, stoppable at any moment."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from watermark.errors import UserError
from watermark.evaluation import worker
from watermark.evaluation.hands import OutsideHand
from watermark.evaluation.job import Job
from watermark.evaluation.lookups import write_lookups
from watermark.evaluation.maps import check_maps
from watermark.evaluation.plan import Unit
from watermark.evaluation.provenance import manifest
from watermark.evaluation.store import RunStore, write_json
from watermark.lifeline import begin
from watermark.pixels import to_image
from watermark.shown import reason, shown

Progress = Callable[[int, int], None]
"""Called with (cells done, cells in all)."""
KILLED = (
    "a process of this run was killed, often because memory ran out (workers=1 takes least); "
    "what is done is kept, and the same command goes on from here"
)


def run_folder(job: Job) -> Path:
    """Where the job's rows lie: the same job always finds the same folder, another never does."""
    config = job.config
    name = config["name"] or f"{config['suite_name']}-{job.images.name}-{job.key_hash[:10]}"
    return Path(config["output"]) / name


def run(job: Job, progress: Progress) -> Path:
    """Measure what is missing, then merge; returns the run folder.

    Raises:
        UserError: if the folder holds another job, ``shard`` is not ``i/n``, ``cells`` are more than there are, or
            ``localize`` finds nothing to map.
        KeyboardInterrupt: at any moment; the units that are done stay done.
    """
    index, count = _shard(job.config["shard"])
    check_maps(job)
    mine = {unit: len(job.cells_of(unit)) for unit in job.units[index::count]}
    facts = manifest(job)  # builds every scheme and attack once, so that a bad setting leaves no folder behind
    most = _most_workers(job)
    ask_once(job)
    store = RunStore(run_folder(job))
    store.claim(facts)
    todo = [unit for unit in mine if not store.has(unit)]
    todo.sort(key=lambda unit: unit.indices)  # an interrupted run holds the same pictures for every scheme
    workers = max(1, min(most, len(todo)))
    start = time.perf_counter()
    counter = _Counter(progress, sum(mine.values()) - sum(mine[unit] for unit in todo), sum(mine.values()))
    if workers == 1:
        _measure_here(job, store.folder, todo, counter)
    else:
        _measure_in_pool(job, store.folder, todo, counter, workers)
    rows = store.merge(job)
    if all(store.has(unit) for unit in job.units):  # the last shard to end asks, of all rows
        write_lookups(store.folder, job)
    write_json(
        store.folder / "progress.json",
        {
            "units": len(job.units),
            "units_done": sum(store.has(unit) for unit in job.units),
            "rows": rows,
            "wall_seconds_of_last_call": round(time.perf_counter() - start, 1),
            "units_of_last_call": len(todo),
        },
    )
    return store.folder


def ask_once(job: Job) -> None:
    """Ask every outside detector about one picture, so that a wrong word is told before anything is measured.

    Raises:
        UserError: if it gives no answer.
    """
    for name, outside in job.outside.items():
        last: Exception = UserError("no picture can be read")
        for index, info in enumerate(job.images.infos):
            try:
                picture = to_image(OutsideHand(outside, [info]).mark(job.images.load(index)))
            except Exception as error:  # a broken or missing file becomes a row that says so
                last = error
                continue
            try:
                outside.ask(picture)
            except Exception as error:
                said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {reason(error)}"
                raise UserError(f"{name}: no answer to {shown(info.id)}: {said}") from None
            break
        else:
            raise UserError(f"{name}: {reason(last)}")


def _shard(text: str) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        raise UserError(f"shard: expected i/n, for example 1/4, got {text}") from None
    if not 1 <= index <= count:
        raise UserError(f"shard: expected i/n with 1 <= i <= n, got {text}")
    return index - 1, count


class _Counter:
    """Cells done so far; tells whoever watches."""

    def __init__(self, progress: Progress, done: int, total: int) -> None:
        self.progress, self.done, self.total = progress, done, total
        progress(done, total)

    def add(self, cells: int) -> None:
        self.done += cells
        self.progress(self.done, self.total)


def _most_workers(job: Job) -> int:
    wanted = job.config["workers"]
    if wanted is None:
        wanted = 1 if job.device.type == "cuda" else len(os.sched_getaffinity(0))
    if wanted < 1:
        raise UserError(f"workers: expected at least 1, got {wanted}")
    return int(wanted)


def _measure_here(job: Job, folder: Path, todo: list[Unit], counter: _Counter) -> None:
    here = worker.Worker(job.config, folder, job.images.infos, lambda: counter.add(1))
    for unit in todo:
        here.do(unit)


def _measure_in_pool(job: Job, folder: Path, todo: list[Unit], counter: _Counter, workers: int) -> None:
    """One unit per task; ticks come back through a queue so that the bar moves within units too."""
    context = multiprocessing.get_context("spawn")  # a forked child of a threaded torch process may hang
    ticks = context.Queue()
    infos = [astuple(info) for info in job.images.infos]
    set_up = ("watermark.evaluation.worker", "start", job.config, folder, infos, ticks)
    with ProcessPoolExecutor(workers, context, begin, set_up) as pool:
        try:
            with _deaf_to_interrupts(), _memory_kept():
                waiting: set[Future[None]] = {pool.submit(worker.do, unit) for unit in todo}
            while waiting:
                finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                while not ticks.empty():
                    counter.add(ticks.get())
                for future in finished:
                    future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()  # what a worker has not finished counts as never done
            if isinstance(error, BrokenProcessPool):
                raise UserError(KILLED) from None
            raise


@contextmanager
def _memory_kept() -> Iterator[None]:
    """Processes started in here keep freed memory; this one, and what else it starts, does as before.

    glibc gives every large tensor back to the kernel and faults its pages in again: a fifth to half of the time.
    """
    names = [n for n in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_") if n not in os.environ]
    os.environ.update(dict.fromkeys(names, str(2**30)))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started in here never see Ctrl-C: a terminal sends it to all, and only the parent has something to say.

    One that arrives meanwhile waits for the parent.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited by children, unlike a handler
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
