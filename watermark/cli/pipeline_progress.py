"""What a person sees while a pipeline runs: a bar with the time left, or a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from watermark.cli import progress

if TYPE_CHECKING:
    from watermark.pipeline import Done, Plan

LOG_SECONDS = 30.0


@contextmanager
def watch(plan: "Plan", done: set[int]) -> "Iterator[Callable[[Done], None]]":
    """Show how far a run is; its value is told of every shard."""
    console = progress.console()
    before = sum(_pictures(plan, number) for number in done)
    if before:
        console.print(f"goes on: {len(done):,} of {plan.shards:,} shards are done")
    else:
        shards = f"{plan.shards:,} shard{'' if plan.shards == 1 else 's'} of up to {plan.settings['shard_size']:,}"
        pictures = f"{plan.pictures:,} picture{'' if plan.pictures == 1 else 's'}"
        console.print(f"{pictures} in {shards} (--shard-size); the count moves when a shard is done")
    with _bar(plan, before, console) if console.is_terminal else _lines(plan, before, console) as tell:
        yield tell


@contextmanager
def _bar(plan: "Plan", before: int, console: Console) -> "Iterator[Callable[[Done], None]]":
    columns = (
        TextColumn("Pictures"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed, left"),
        TimeRemainingColumn(),
    )
    with progress.bar(*columns, console=console, speed_estimate_period=600) as shown:
        task = shown.add_task("", total=plan.pictures, completed=before, failed=0)
        failed = 0

        def tell(one: "Done") -> None:
            nonlocal failed
            failed += one.failed
            shown.update(task, advance=one.pictures, failed=failed)

        yield tell


@contextmanager
def _lines(plan: "Plan", before: int, console: Console) -> "Iterator[Callable[[Done], None]]":
    began = last = time.monotonic()
    count = failed = 0

    def tell(one: "Done") -> None:
        nonlocal count, failed, last
        count, failed, now = count + one.pictures, failed + one.failed, time.monotonic()
        if now - last >= LOG_SECONDS:
            last, left = now, (plan.pictures - before - count) * (now - began) / count
            words = f"{before + count:,} of {plan.pictures:,} pictures, {failed:,} failed, {_span(left)} left"
            console.print(words)

    yield tell


def _pictures(plan: "Plan", number: int) -> int:
    size = int(plan.settings["shard_size"])
    return min(size, plan.pictures - number * size)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
