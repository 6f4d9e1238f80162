"""A run may be stopped, split and repeated: it ends with the same bytes."""

import os

import pytest
from tiny_run import config, killed, quiet

from watermark.errors import UserError
from watermark.evaluation import parts, worker
from watermark.evaluation.cells import UnitRun
from watermark.evaluation.job import Job
from watermark.evaluation.run import run, run_folder
from watermark.evaluation.store import RunStore

pytestmark = pytest.mark.usefixtures("frozen_code")


def test_a_second_run_gives_the_same_bytes(finished, tmp_path):
    _, folder = finished
    again = run(Job(config(tmp_path)), quiet)
    assert (again / "rows.parquet").read_bytes() == (folder / "rows.parquet").read_bytes()


def test_processes_and_shards_end_with_the_same_bytes(finished, tmp_path):
    _, folder = finished
    environment = dict(os.environ)
    for shard in ("1/2", "2/2"):
        split = run(Job(config(tmp_path, shard=shard, workers=2)), quiet)
    assert dict(os.environ) == environment  # what its processes need, others do not inherit
    assert (split / "rows.parquet").read_bytes() == (folder / "rows.parquet").read_bytes()


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(finished, tmp_path):
    _, folder = finished

    class Interrupt(KeyboardInterrupt):
        pass

    def stop_in_the_middle(done, _total):
        if done == 10:
            raise Interrupt

    job = Job(config(tmp_path))
    with pytest.raises(Interrupt):
        run(job, stop_in_the_middle)
    kept = sorted(p.name for p in (run_folder(job) / "parts").iterdir() if p.name.endswith(".rows.parquet"))
    assert 0 < len(kept) < 8
    seen = []
    again = run(Job(config(tmp_path)), lambda done, total: seen.append((done, total)))
    assert seen[0] == (3 * len(kept), 24)  # what was done is not done again
    assert seen[-1] == (24, 24)
    assert (again / "rows.parquet").read_bytes() == (folder / "rows.parquet").read_bytes()


def test_an_interrupted_run_holds_the_same_pictures_for_every_scheme(tmp_path):
    job = Job(config(tmp_path))
    seen = []

    def stop(done, _total):
        seen.append(done)
        if done >= 4 * len(job.cells):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, stop)
    store = RunStore(run_folder(job))
    done = [unit for unit in job.units if store.has(unit)]
    assert len(done) >= 2
    pictures = [{unit.indices for unit in done if unit.scheme == scheme} for scheme in job.config["schemes"]]
    assert abs(len(pictures[0]) - len(pictures[1])) <= 1


def test_a_worker_that_is_killed_ends_the_run_with_one_line_that_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "do", killed)
    with pytest.raises(UserError, match=r"was killed, often because memory ran out.*the same command goes on"):
        run(Job(config(tmp_path, workers=2)), quiet)


def test_bad_shards_are_refused(tmp_path):
    for shard in ("2", "0/2", "3/2", "a/b"):
        with pytest.raises(UserError, match="expected i/n"):
            run(Job(config(tmp_path, shard=shard)), quiet)
    assert not list(tmp_path.iterdir())


def test_a_part_is_there_whole_or_not_at_all(finished, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    job = Job(config(tmp_path))
    measured = UnitRun(job, job.units[0], job.marker("dwt_dct")).measure(lambda: None)
    store = RunStore(tmp_path / "folder")
    monkeypatch.setattr(parts.pq, "write_table", full)
    with pytest.raises(UserError, match="No space left"):
        store.keep(job.units[0], measured)
    assert not store.has(job.units[0])
