"""Worker processes: the time limit ends the work, a lost one is replaced, the queue is bounded."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from watermark.errors import UserError
from watermark.registry.database import RefusedError
from watermark.service.pool import Pool
from watermark.service.problems import ProblemError
from watermark.service.process import answer

SLOW = ("service_fakes", "Slow", ())


@pytest.fixture(scope="module")
def pool():
    made = Pool(SLOW, workers=1, queue=2, seconds=1.0)
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _fresh(request):
    if "pool" in request.fixturenames:
        request.getfixturevalue("pool")._idle = None  # every test has an event loop of its own


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def outcome(pool, content):
    try:
        found, _seconds = await pool.run("detect", content)
        return found if isinstance(found, str) else found.answer
    except ProblemError as problem:
        return problem


async def settled(pool, content=b"0"):
    """Ask until a worker is there again."""
    while isinstance(answer := await outcome(pool, content), ProblemError):
        await asyncio.sleep(0.1)
    return answer


def test_the_time_limit_ends_the_process_and_the_next_one_answers(pool):
    async def story():
        before = (await outcome(pool, b"0"))["pid"]
        began = time.monotonic()
        late = await outcome(pool, b"60")
        assert (late.status, late.code) == (504, "timed-out")
        assert time.monotonic() - began < 3
        after = await settled(pool)
        assert not alive(before)
        assert after["pid"] != before
        assert after["seen"] == 1

    asyncio.run(story())


def test_a_worker_that_is_killed_costs_its_picture_and_no_other(pool):
    async def story():
        lost = await outcome(pool, b"die")
        assert (lost.status, lost.code) == (503, "worker-lost")
        assert (await settled(pool))["seen"] == 1

    asyncio.run(story())


def test_models_are_built_once_and_an_error_is_one_pictures_error(pool):
    async def story():
        first = await outcome(pool, b"0")
        error = await outcome(pool, b"err")
        assert error.startswith("RuntimeError at ")
        assert "secret" not in error
        again = await outcome(pool, b"0")
        assert (again["pid"], again["seen"]) == (first["pid"], first["seen"] + 2)

    asyncio.run(story())


def test_one_more_than_may_wait_is_refused_at_once(pool):
    async def story():
        await settled(pool)
        jobs = [asyncio.create_task(outcome(pool, b"0.5"))]
        while not pool.working:  # the first one is with the worker, and the others can only wait
            await asyncio.sleep(0.01)
        jobs += [asyncio.create_task(outcome(pool, b"0.1")) for _ in range(3)]
        said = await asyncio.gather(*jobs)
        refused = [one for one in said if isinstance(one, ProblemError)]
        assert [one.status for one in refused] == [429]
        assert refused[0].retry_after >= 1
        assert pool.waiting == pool.working == 0

    asyncio.run(story())


def test_what_a_worker_cannot_be_built_of_is_said():
    with pytest.raises(UserError, match="no registry at nowhere"):
        Pool(("service_fakes", "Unbuildable", ()), 1, 1, 1.0).start()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_workers_end_with_a_parent_that_is_killed():
    code = """
import asyncio, sys
from watermark.service.pool import Pool
pool = Pool(("service_fakes", "Slow", ()), 1, 1, 600.0)
pool.start()
print(asyncio.run(pool.run("detect", b"0"))[0].answer["pid"], flush=True)
asyncio.run(pool.run("detect", b"600"))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    deadline = time.monotonic() + 10
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(worker)


class Refused:
    def examine(self, kind, content):
        raise RefusedError("the registry's database refused: it is full; nothing was read")


class Broken:
    def examine(self, kind, content):
        raise ZeroDivisionError("inside")


def test_the_variable_shows_where_an_examiner_broke(monkeypatch, caplog):
    assert answer(Broken(), "trace", b"").startswith("ZeroDivisionError at ")
    assert not caplog.records
    monkeypatch.setenv("WATERMARK_TRACEBACK", "1")
    answer(Broken(), "trace", b"")
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


def test_a_registry_that_is_away_is_no_fault_of_the_picture():
    said = answer(Refused(), "trace", b"\xff\xd8\xff")
    assert (said.status, said.code) == (503, "registry-away")
    assert "full" not in said.detail
