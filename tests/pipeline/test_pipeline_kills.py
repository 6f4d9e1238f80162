"""kill -9 of a worker, of the driver, of everything: what is there is whole, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from pipeline_fakes import contents, job

from watermark.errors import UserError
from watermark.pipeline import run
from watermark.pipeline.executors import in_processes, on_ray

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
ENGINES = [in_processes, pytest.param(on_ray, marks=pytest.mark.slow)]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)


@pytest.fixture(autouse=True)
def _fakes_for_everybody(monkeypatch):
    """Ray's actors look for modules where the driver's script is, and where this says."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def finished(folder, engine, **worker):
    return run(job(folder, **worker), partial(engine, workers=1), lambda *_: nullcontext(lambda _: None))


@pytest.fixture(scope="module", name="ray")
def _one_ray():
    """Started once; only the drivers that are killed start their own."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: uv sync --group ci")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield ray
    ray.shutdown()


@pytest.fixture
def undisturbed(photos, tmp_path):
    """What a run writes that nothing happens to."""
    run(job(tmp_path), here, lambda *_: nullcontext(lambda _: None))
    expected = contents(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "before")
    assert {"00000.tar", "00004.parquet", "manifest.json", "_plan/plan.json"} <= expected.keys()
    return expected


def here(build, numbers):
    yield from map(build(), numbers)


@engines
def test_a_worker_that_is_killed_is_replaced_and_its_shard_repeated(tmp_path, undisturbed, engine, request):
    if engine is on_ray:
        request.getfixturevalue("ray")
    outcome = finished(tmp_path, engine, deadly=(1, 3))
    assert {"1", "3"} <= {path.name for path in (tmp_path / "deaths").iterdir()}
    assert outcome.made == 5
    assert contents(tmp_path / "out") == undisturbed


def test_workers_that_always_die_end_the_run_in_one_line(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("watermark.pipeline.executors.RETRIES", 1)
    with pytest.raises(UserError, match=r"workers were killed 2 times in a row at shards \[0\]"):
        finished(tmp_path, in_processes, deadly=Always())


class Always:
    """Contains every shard, and forgets that it was there."""

    def __contains__(self, number):
        os.kill(os.getpid(), signal.SIGKILL)


@engines
def test_what_fails_for_all_pictures_is_one_line_of_ours(photos, tmp_path, engine, request):
    if engine is on_ray:
        request.getfixturevalue("ray")
    with pytest.raises(UserError, match=r"^the registry's database is gone$"):
        finished(tmp_path, engine, refused=2)


@pytest.mark.parametrize(
    ("engine", "whole"),
    [(in_processes, False), (in_processes, True), pytest.param(on_ray, False, marks=pytest.mark.slow)],
    ids=["driver", "everything", "driver_on_ray"],
)
def test_a_run_whose_driver_was_killed_leaves_no_process_and_goes_on(tmp_path, undisturbed, engine, whole, monkeypatch):
    if engine is on_ray:
        pytest.importorskip("ray", reason="Ray is not installed: uv sync --group ci")
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # somebody else's cluster; ours is started all the same
    words = [sys.executable, str(Path(__file__).with_name("drive.py")), str(tmp_path), engine.__name__, "0.3"]
    (tmp_path / "deaths").mkdir(exist_ok=True)
    with (tmp_path / "said").open("wb") as said:
        running = subprocess.Popen(words, stderr=said, stdout=said)
    started = []
    try:
        until(lambda: running.poll() is not None or (tmp_path / "out" / "00001.parquet").exists())
        assert running.poll() is None, (tmp_path / "said").read_text()
        started = psutil.Process(running.pid).children(recursive=True)
        assert started
        agents = [process for process in started if is_agent(process)]
        for process in started if whole else ():
            process.kill()
        running.kill()
        running.wait()
        ours = [process for process in started if process not in agents]
        until(lambda: not any(map(at_work, ours)), 60)
    finally:
        for process in filter(at_work, started):
            process.kill()
        running.kill()
    assert "log level" not in (tmp_path / "said").read_text()  # Ray's core tells of it, unless it is not heard
    assert not (tmp_path / "out" / "manifest.json").exists()
    outcome = finished(tmp_path, in_processes)
    assert 0 < outcome.made < 5
    assert contents(tmp_path / "out") == undisturbed


def until(done, seconds=300):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_agent(process):
    """Two helpers of Ray's, which wait a minute for a dead server; they hold nothing of ours."""
    with suppress(psutil.NoSuchProcess):
        return any(name in " ".join(process.cmdline()) for name in ("DashboardAgent", "RuntimeEnvAgent"))
    return False


def at_work(process):
    """No longer, once it is a zombie that nobody has waited for, or another process has its number."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
