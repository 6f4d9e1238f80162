"""One run: make or find the plan, have the missing shards made, and write the manifest last."""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from watermark.errors import UserError
from watermark.files import sweep
from watermark.pipeline import plan as plans
from watermark.pipeline import shards, store
from watermark.pipeline.executors import Build
from watermark.pipeline.plan import Plan
from watermark.pipeline.shards import Done
from watermark.pipeline.sources import Entry
from watermark.pipeline.store import Place
from watermark.shown import shown

try:
    import fcntl
except ImportError:  # no locks on Windows
    fcntl = None  # type: ignore[assignment]

MANIFEST = "manifest.json"
Execute = Callable[[Build, Sequence[int]], Iterator[Done]]


@dataclass(frozen=True)
class Job:
    """What is to be done with a source.

    Attributes:
        target: the folder to fill.
        settings: everything that changes results, as plain values; a target has one set of them for ever.
        entries: lists the source, where there is no plan yet.
        reserve: takes content IDs of a provider, and gives first and last-but-one counter value; None: none are needed.
        build: makes a worker.
        shard_size: pictures a shard.
        tars: whether the shards are tars.
        check: looks at a plan of an earlier run, and raises ``UserError`` where it cannot go on with it.
    """

    target: Place
    settings: dict[str, Any]
    entries: Callable[[], Iterable[Entry]]
    reserve: Callable[[int | None, int], tuple[int, int]] | None
    build: Build
    shard_size: int
    tars: bool
    check: Callable[[Plan], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a target holds in the end.

    Attributes:
        plan: what was to be done.
        failed: pictures whose row holds an error.
        bytes_written: without rows.
        core_seconds: of all shards, also of those that earlier runs made.
        made: shards that this run made.
    """

    plan: Plan
    failed: int
    bytes_written: int
    core_seconds: float
    made: int


def run(
    job: Job, execute: Execute, watch: Callable[[Plan, set[int]], contextlib.AbstractContextManager[Any]]
) -> Outcome:
    """Do what is left of a job.

    Args:
        job: what.
        execute: has shards made (``watermark.pipeline.executors``).
        watch: told the plan and the shards that are done; gives a context whose value is told of each shard.

    Raises:
        UserError: the target belongs to another configuration, or something fails for all pictures.
    """
    with _alone(job.target):
        plan = _plan(job)
        done = shards.finished(job.target, beside_tar=job.tars)
        left = [number for number in range(plan.shards) if number not in done]
        with watch(plan, done) as tell:
            for one in execute(job.build, left) if left else ():
                tell(one)
        return _closed(job, plan, len(left))


def _plan(job: Job) -> Plan:
    plan = plans.load(job.target)
    if plan is None:
        held = store.files_below(job.target)
        if any(not one.name.startswith((f"{plans.FOLDER}/", ".")) for one in held):
            raise UserError(f"{shown(job.target)}: expected an empty folder, or one that this command began to fill")
        return plans.make(job.target, job.settings, job.entries(), job.shard_size, job.reserve)
    if other := list(plans.differences(plan, job.settings)):
        raise UserError(f"{shown(job.target)}: was begun with {'; '.join(other)}; name another target")
    if job.check is not None:
        job.check(plan)
    return plan


def _closed(job: Job, plan: Plan, made: int) -> Outcome:
    """The manifest, once every shard is there: what a reader of the target looks for."""
    held = [shards.figures(job.target, number) for number in range(plan.shards)]
    lines = [
        {name: value for name, value in asdict(one).items() if name not in {"seconds", "core_seconds"}} for one in held
    ]
    whole = Outcome(
        plan,
        sum(one.failed for one in held),
        sum(one.bytes_written for one in held),
        sum(one.core_seconds for one in held),
        made,
    )
    content = {
        "pictures": plan.pictures,
        "failed": whole.failed,
        "bytes_written": whole.bytes_written,
        "settings": plan.settings,
        "shards": lines,
    }
    if not job.target.scheme:
        for folder in (".", plans.FOLDER, shards.ROWS_FOLDER):
            sweep(Path(job.target.path) / folder)  # what killed workers left half written
    store.write(job.target / MANIFEST, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
    return whole


@contextlib.contextmanager
def _alone(target: Place) -> Iterator[None]:
    """One run at a time on a target of this machine; object stores have no locks."""
    if target.scheme or fcntl is None:
        yield
        return
    folder = Path(target.path) / plans.FOLDER
    with store.told(target):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{shown(target)}: another run is filling this folder") from None
        yield
    finally:
        os.close(handle)
