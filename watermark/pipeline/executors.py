"""Who makes the shards: processes of this machine, or the actors of a Ray cluster.

Both take what builds a worker and the numbers of the shards, keep one worker per processor with its key and weights,
start another where one dies, and hand out what is done in whatever order it comes.
"""

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from watermark import lifeline
from watermark.errors import UserError
from watermark.pipeline.shards import Done
from watermark.shown import reason

if TYPE_CHECKING:
    import numpy as np

Worker = Callable[[int], Done]
Build = Callable[[], Worker]
RETRIES = 3
"""Deaths of workers in a row, without a shard done between them, after which the run gives up."""
OBJECT_STORE_BYTES = 100 * 2**20
"""Of a Ray that is started here: only numbers go through it."""
_worker: Worker | None = None


def in_processes(build: Build, numbers: Sequence[int], workers: int) -> Iterator[Done]:
    """Make shards in processes of this machine, which end with this one.

    Raises:
        UserError: what a worker could not do for all pictures, or workers die again and again.
    """
    left, deaths = list(numbers), 0
    while left:
        context = get_context("spawn")
        begin = (__name__, "_start", build)
        with ProcessPoolExecutor(min(workers, len(left)), context, lifeline.begin, begin) as pool:
            try:
                for done in _submitted(pool, left, 2 * workers):
                    left.remove(done.shard)
                    deaths = 0
                    yield done
            except BrokenProcessPool:
                deaths += 1
                if deaths > RETRIES:
                    raise UserError(f"workers were killed {deaths} times in a row at shards {left[:workers]}") from None
            finally:
                pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, numbers: Sequence[int], ahead: int) -> Iterator[Done]:
    rest, running = iter(list(numbers)), set[Future[Done]]()
    while True:
        while len(running) < ahead and (number := next(rest, None)) is not None:
            running.add(pool.submit(_make, number))
        if not running:
            return
        ready, running = wait(running, return_when=FIRST_COMPLETED)
        for one in ready:
            yield one.result()


def _start(build: Build) -> None:
    global _worker
    _one_thread()
    _worker = build()


def _make(number: int) -> Done:
    assert _worker is not None
    return _worker(number)


def set_up_ray() -> None:
    """Set what Ray reads of the environment when it is imported; what the user has set there stays."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # it would pack the working directory for each worker
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its account of its own actors is for nobody here
    os.environ.setdefault("RAY_agent_register_timeout_ms", "60000")  # on a busy machine its helpers start slowly


def on_ray(
    build: Build, numbers: Sequence[int], workers: int | None, *, address: str | None = None, gpus: int = 0
) -> Iterator[Done]:
    """Make shards with Ray Data: each worker is an actor.

    Args:
        build: makes a worker; it is sent to the actors, so it should be small and hold no secret.
        numbers: of the shards.
        workers: actors; None, or more than there is room for: as many as the cluster has cores, or GPUs.
        address: of a running cluster, or ``auto``; None starts Ray on this machine, and stops it at the end. A Ray that
            this process is connected to already is taken as it is.
        gpus: of each actor.

    Raises:
        UserError: Ray is not installed or does not start, or what a worker could not do.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError("Ray is not installed: pip install 'robust-watermark[scale]', or say --engine processes")
    set_up_ray()
    import ray
    from ray.exceptions import RayError

    local: dict[str, Any] = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES} if not address else {}
    mine = not ray.is_initialized()
    try:
        if mine:
            with _unheard():
                ray.init(
                    address=address or "local",
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **local,
                )
    except Exception as error:  # of no type of its own where a busy machine is too slow for it
        ray.shutdown()
        raise UserError(f"Ray did not start: {reason(error)} (without Ray: --engine processes)") from error
    try:
        room = int(ray.cluster_resources().get("GPU" if gpus else "CPU", 0)) // (gpus or 1)
        if room < 1:
            raise UserError(f"expected a {'GPU' if gpus else 'core'} for each worker, this Ray has none; see --device")
        yield from _through(build, numbers, min(workers or room, room), gpus)
    except (RayError, ConnectionError, RuntimeError) as error:
        raise UserError(_told(error)) from error
    finally:
        if mine:
            ray.shutdown()


@contextmanager
def _unheard() -> Iterator[None]:
    """Lose what is written to standard error: past Python, Ray's core says there that it read the level of its log."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _through(build: Build, numbers: Sequence[int], workers: int, gpus: int) -> Iterator[Done]:
    from ray import data

    context = data.DataContext.get_current()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.retry_exceptions = False  # what a worker says in one line is not asked again
    actors = min(workers, len(numbers))
    shards = data.from_items([{"shard": number} for number in numbers], override_num_blocks=len(numbers))
    made = shards.map_batches(
        _Actor,
        fn_constructor_args=(build,),
        batch_size=1,
        compute=data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
        num_cpus=1,
        num_gpus=gpus or None,
    )
    for row in made.iter_rows():
        yield Done(**row)


class _Actor:
    """A worker as Ray Data calls it: a batch is one number."""

    def __init__(self, build: Build) -> None:
        lifeline.end_with_parent()
        _one_thread()
        self.worker = build()

    def __call__(self, batch: "dict[str, np.ndarray]") -> dict[str, list[Any]]:
        return {name: [value] for name, value in asdict(self.worker(int(batch["shard"][0]))).items()}


def _one_thread() -> None:
    """One worker a core: threads of their own would fight for it, and could change what is written."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when torch is imported, which is later
        os.environ[name] = "1"


def _told(error: BaseException) -> str:
    """The line of ours that lies under Ray's account of an error, else the last line of that account."""
    cause: BaseException | None = error
    while cause is not None:
        inner = getattr(cause, "cause", None) or cause.__cause__
        if isinstance(cause, UserError):
            return str(cause)
        cause = inner
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("watermark.errors.UserError: ")]
    return ours[-1].partition(": ")[2] if ours else f"Ray: {lines[-1][:500] if lines else type(error).__name__}"
