"""Worker processes behind a queue of bounded length, with a time limit that ends the work and not only the waiting."""

import asyncio
import logging
import math
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from watermark.errors import UserError
from watermark.service.problems import ProblemError
from watermark.service.process import main

log = logging.getLogger(__name__)
START_SECONDS = 180.0
RECYCLE_BYTES = 1_500_000_000
"""A worker that holds more memory than this after a picture makes room for a fresh one."""
Begin = tuple[str, str, tuple[Any, ...]]
"""Module, name and arguments of what examines pictures in a worker; see ``watermark.service.process.main``."""


@dataclass
class Counts:
    """What happened so far, for the metrics."""

    started: int = 0
    timed_out: int = 0
    lost: int = 0


class Pool:
    """``workers`` processes, each with its models in memory.

    Args:
        begin: what each of them runs.
        workers: how many.
        queue: jobs that may wait for one; one more is refused.
        seconds: for one job, after which its process is killed.
    """

    def __init__(self, begin: Begin, workers: int, queue: int, seconds: float) -> None:
        self.queue, self.seconds, self.counts = queue, seconds, Counts()
        self.waiting = self.working = 0
        self._mean = 0.1  # seconds of a job, a running mean
        methods = multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            context.set_forkserver_preload([begin[0]])  # torch is imported once, not n times
        self._workers = [_Worker(context, begin) for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, "worker")
        self._closing = threading.Event()
        self._idle: asyncio.Queue[_Worker] | None = None

    def start(self) -> None:
        """Start every process and wait until its models are loaded.

        Raises:
            UserError: what a worker could not be built of; none is left.
        """
        for name in (
            "MALLOC_MMAP_THRESHOLD_",
            "MALLOC_TRIM_THRESHOLD_",
        ):  # giving tensors back costs a fifth of the time
            os.environ.setdefault(name, str(2**30))
        try:
            for worker in self._workers:
                worker.begin()
            for worker in self._workers:
                worker.wait_until_ready()
        except BaseException:
            self.close()
            raise
        self.counts.started = len(self._workers)

    @property
    def ready(self) -> int:
        """Processes that are alive."""
        return sum(worker.is_alive for worker in self._workers)

    @property
    def retry_after(self) -> int:
        """Seconds until a place should be free."""
        return max(1, math.ceil(self._mean * (self.waiting + 1) / len(self._workers)))

    async def run(self, kind: str, content: bytes) -> tuple[Any, float]:
        """One job's answer and the seconds that it took. Cancelled while it waits, it is never begun.

        Raises:
            ProblemError: 429 too many wait already, 503 no worker came free or its process was lost, 504 it took too
                long.
        """
        if self._idle is None:
            self._idle = asyncio.Queue()
            for worker in self._workers:
                self._idle.put_nowait(worker)
        if self._idle.empty() and self.waiting >= self.queue:
            raise ProblemError(429, "busy", "too many pictures are waiting; try again later", self.retry_after)
        worker = await self._next(self._idle)
        self.working += 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[Any, float]] = loop.create_future()
        self._threads.submit(self._do, loop, self._idle, future, worker, kind, content)
        return await future

    async def _next(self, idle: "asyncio.Queue[_Worker]") -> "_Worker":
        self.waiting += 1
        try:
            async with asyncio.timeout(self.seconds + self._mean * self.queue):
                return await idle.get()
        except TimeoutError:
            raise ProblemError(503, "busy", "no worker came free; try again later", self.retry_after) from None
        finally:
            self.waiting -= 1

    def _do(self, loop: Any, idle: Any, future: Any, worker: "_Worker", kind: str, content: bytes) -> None:
        """In a thread: hand the job over, wait for the answer, and see to it that the worker is fit for the next."""
        began = time.perf_counter()
        try:
            answer, memory = worker.do(kind, content, self.seconds)
            seconds = time.perf_counter() - began
            self._mean += 0.1 * (seconds - self._mean)
            _tell(loop, self._settle, future, (answer, seconds), None)
        except ProblemError as problem:
            memory = RECYCLE_BYTES + 1
            self.counts.timed_out += problem.status == 504
            self.counts.lost += problem.status == 503
            log.warning(problem.code)
            _tell(loop, self._settle, future, None, problem)
        if memory > RECYCLE_BYTES:
            self._renew(worker)
        _tell(loop, idle.put_nowait, worker)

    def _settle(self, future: Any, answer: Any, problem: ProblemError | None) -> None:
        self.working -= 1
        if future.done():
            return
        if problem is None:
            future.set_result(answer)
        else:
            future.set_exception(problem)

    def _renew(self, worker: "_Worker") -> None:
        worker.kill()
        pause = 0.5
        while not self._closing.is_set():
            try:
                worker.begin()
                worker.wait_until_ready()
                self.counts.started += 1
                return
            except (UserError, OSError) as error:  # the database is away, or memory is short: it will come back
                log.error("worker-not-started", extra={"fields": {"kind": type(error).__name__}})
                self._closing.wait(pause)
                pause = min(30.0, 2 * pause)

    def close(self) -> None:
        """End every process; what is still in work is lost."""
        self._closing.set()
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, context: Any, begin: Begin) -> None:
        self._context, self._begin = context, begin
        self._process: Any = None
        self._pipe: Any = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def begin(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=main, args=(theirs, *self._begin), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        try:
            error = self._pipe.recv() if self._pipe.poll(START_SECONDS) else UserError("a worker did not start in time")
        except (EOFError, OSError):
            error = UserError("a worker process ended while it started")
        if error is not None:
            self.kill()
            raise error

    def do(self, kind: str, content: bytes, seconds: float) -> tuple[Any, int]:
        try:
            self._pipe.send((kind, content))
            if not self._pipe.poll(seconds):
                raise ProblemError(504, "timed-out", f"this picture took longer than {seconds:g} seconds")
            answer: tuple[Any, int] = self._pipe.recv()
            return answer
        except (EOFError, OSError):
            raise ProblemError(
                503, "worker-lost", "the process that looked at this picture ended; try again", 5
            ) from None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()


def _tell(loop: Any, call: Any, *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:  # the loop is closed: nobody waits any more
        log.info("nobody-waits")
