"""kill -9 of a command leaves no process behind, whenever it comes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")

POOL = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from watermark.lifeline import end_with_parent

def work(seconds):
    print("working", flush=True)
    time.sleep(seconds)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, get_context("spawn"), end_with_parent) as pool:
        list(pool.map(work, [600, 600, 600]))
"""
ALONE = """
import subprocess, sys, time
child = "from watermark.lifeline import end_with_parent; end_with_parent(); print('working', flush=True)"
subprocess.run([sys.executable, "-c", child + "; import time; time.sleep(600)"])
"""
EVALUATE = "from watermark.cli import main; import sys\nif __name__ == '__main__': sys.exit(main())"
WORDS = ["evaluate", "scheme=dwt_dct", "suite=smoke", "data=synthetic", "data.count=200", "workers=2"]


def session(leader):
    """Living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(sid) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def until(done, seconds=400):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def started(script, tmp_path, *words):
    (tmp_path / "script.py").write_text(script)
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=tmp_path,
    )


def killed_leaves_nothing(running):
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    try:
        until(lambda: not session(running.pid), 60)
    finally:
        for pid in session(running.pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("script", [POOL, ALONE], ids=["pool", "another process"])
def test_children_end_with_a_parent_that_was_killed_at_work(tmp_path, script):
    running = started(script, tmp_path)
    assert running.stdout.readline() == b"working\n"
    killed_leaves_nothing(running)


def test_children_end_with_a_parent_that_was_killed_while_they_start(tmp_path):
    running = started(POOL, tmp_path)
    until(lambda: len(session(running.pid)) >= 3)  # the resource tracker and a worker that imports
    killed_leaves_nothing(running)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start-up", "measuring"])
def test_kill_9_of_an_evaluation_leaves_no_worker(tmp_path, moment):
    running = started(EVALUATE, tmp_path, *WORDS, f"output={tmp_path}", "name=run")
    try:
        if moment == "start-up":
            until(lambda: len(session(running.pid)) >= 3)
        else:
            until(lambda: list((tmp_path / "run" / "parts").glob("*.rows.parquet")))
    finally:
        killed_leaves_nothing(running)


@pytest.mark.slow
def test_kill_9_of_torchrun_leaves_no_trainer(tmp_path):
    script = """
import os, time
from watermark.training.processes import Processes
Processes.start("cpu")
os.write(1, b"working\\n")  # at once: the other trainer writes to the same pipe
time.sleep(600)
"""
    (tmp_path / "script.py").write_text(script)
    launch = "import sys, runpy; sys.argv = ['torchrun', '--standalone', '--nproc-per-node=2', 'script.py'];"
    launch += "runpy.run_module('torch.distributed.run', run_name='__main__')"
    (tmp_path / "launch.py").write_text(launch)
    running = subprocess.Popen(
        [sys.executable, "launch.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=tmp_path,
    )
    children = []
    try:
        assert running.stdout.readline() == b"working\n"
        children = psutil.Process(running.pid).children(recursive=True)  # torchrun puts each into a session of its own
        assert len(children) >= 2
        running.kill()
        running.wait()
        until(lambda: not any(at_work(child) for child in children), 60)
    finally:
        running.kill()
        for child in filter(at_work, children):
            child.kill()


def at_work(process):
    """No longer, once it is a zombie that nobody has waited for, or another process has its number."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
