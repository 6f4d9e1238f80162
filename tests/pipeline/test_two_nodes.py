"""Two nodes of a Ray cluster, both on this machine: one is lost while it works, its shards are made all the same."""

import os
import signal
import threading
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from pipeline_fakes import contents, job

from watermark.pipeline import run
from watermark.pipeline.executors import on_ray

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux"),
]
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture
def cluster(monkeypatch):
    """A head and another node, each with one core."""
    pytest.importorskip("ray", reason="Ray is not installed: uv sync --group ci")
    from ray._private import services
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_agent_register_timeout_ms", "180000")
    monkeypatch.setattr(services, "get_node", partial(patiently, services.get_node))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    made = Cluster(initialize_head=True, head_node_args=NODE)
    made.add_node(**NODE)
    yield made
    made.shutdown()


def patiently(get_node, *arguments):
    """Ray's own half a minute is short for a node on a machine with much else to do."""
    deadline = time.monotonic() + 180
    while True:
        try:
            return get_node(*arguments)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def lost(node):
    """kill -9 of all that is on a node, as when its machine is switched off."""
    for infos in node.all_processes.values():
        for info in infos:
            os.kill(info.process.pid, signal.SIGKILL)


def test_a_run_goes_on_without_the_node_that_was_lost(photos, tmp_path, cluster):
    silent = lambda *_: nullcontext(lambda _: None)  # noqa: E731
    run(job(tmp_path), lambda build, numbers: map(build(), numbers), silent)
    undisturbed = contents(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "before")
    (other,) = cluster.worker_nodes

    def lose():
        while len(list((tmp_path / "deaths").glob("*.node"))) < 2:
            time.sleep(0.05)
        lost(other)  # in the middle of a shard, which takes a second

    threading.Thread(target=lose, daemon=True).start()
    outcome = run(job(tmp_path, seconds=1.0, nodes=2), partial(on_ray, workers=2, address=cluster.address), silent)
    assert outcome.made == 5
    assert not other.any_processes_alive()
    assert contents(tmp_path / "out") == undisturbed
