import logging
import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
"""Else, under `uv run pytest`, Ray starts its workers in an environment without Ray; it asks once, when imported."""
os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Of programs that tests start: with two, a notebook beside another test took 86 s of processor time, else 11."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Two threads on a shared machine are slower than one, and results must not depend on the number of cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of facts and photographs beside the repository; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared folder here")
    return folder


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """`watermark serve` replaces the handlers of the process; one that writes to a test's capture outlives it."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


PROGRAMS = {"subprocess", "multiprocessing", "psutil", "playwright", "socket", "uvicorn", "nbclient"}
"""Names that a module imports whose tests start programs: a browser, a cluster, a server, a notebook's kernel."""


def pytest_collection_modifyitems(items):
    """Long tests first: else one worker is left with the last of them while the others have nothing to do.

    What starts a program can fail because a busy machine starts it too slowly, so such a test is tried once more; the
    summary counts it as a rerun. All others decide at once.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if PROGRAMS & vars(item.module).keys() or "service" in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """A file's tests stay in one process, in this order of files; a notebook shares nothing, so each is for itself."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if "test_it_runs_from_top_to_bottom" in nodeid else super()._split_scope(nodeid)

    return Scheduling(config, log)
