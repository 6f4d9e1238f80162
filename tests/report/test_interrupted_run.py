"""A run that was stopped in the middle can be reported: its parts are merged, and the page says how many they are."""

import json
import os

import pytest
from omegaconf import OmegaConf

from watermark.cli import main
from watermark.config import CONFIG_DIR
from watermark.evaluation.gather import gather
from watermark.evaluation.job import Job
from watermark.evaluation.run import run, run_folder


def load(group, name):
    return OmegaConf.to_container(OmegaConf.load(CONFIG_DIR / group / f"{name}.yaml"))


@pytest.fixture
def stopped(tmp_path):
    """A job of 3 pictures and 2 schemes, stopped after 3 of its 6 units."""
    job = Job(
        {
            "seed": 3,
            "batch_size": 1,
            "device": "cpu",
            "workers": 1,
            "shard": "1/1",
            "samples": 0,
            "keep_logits": True,
            "unmarked": 1,
            "output": str(tmp_path),
            "name": "here",
            "false_positive_rate": 1e-6,
            "suite_name": "tiny",
            "schemes": {name: load("scheme", name) for name in ("dwt_dct", "dwt_dct_svd")},
            "suite": {"jpeg": load("attack", "jpeg") | {"sweep": {"quality": [80]}}},
            "data": load("data", "synthetic") | {"count": 3, "width": 128, "height": 128},
            "layout": load("layout", "l64"),
        }
    )

    def stop(done, _total):
        if done > 3 * len(job.cells):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, stop)
    assert not (run_folder(job) / "rows.parquet").exists()
    return job


def test_what_is_done_is_reported_and_the_rest_resumed(stopped, capsys):
    folder = run_folder(stopped)
    assert main(["report", str(folder)]) == 0
    said = "Not finished: 3 of 6 units of work (one scheme on one batch of pictures) are in this report, 1 to 2 of 3"
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (folder / "report.html").read_text()
    assert json.loads((folder / "report.json").read_text())["coverage"]["unmarked_pictures"] == 1
    assert not gather(folder)  # nothing new since
    run(stopped, lambda _done, _total: None)
    assert not gather(folder)
    assert main(["report", str(folder)]) == 0
    assert "Not finished" not in (folder / "report.html").read_text()


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_no_part_is_waited_for_or_read_from_elsewhere(stopped, tmp_path, capsys, kind):
    folder = run_folder(stopped)
    part = next(iter((folder / "parts").glob("*.costs.parquet")))
    part.rename(tmp_path / "elsewhere")
    os.mkfifo(part) if kind == "pipe" else part.symlink_to(tmp_path / "elsewhere")
    assert main(["report", str(folder)]) == 2
    assert "expected a regular file, got none" in capsys.readouterr().err


def test_compare_takes_unfinished_runs_too(stopped, capsys):
    folder = run_folder(stopped)
    assert main(["compare", str(folder), str(folder)]) == 0
    assert "identical" in capsys.readouterr().out
