"""``remeasure``: cells measured again."""

import json
import shutil
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from skimage import data
from tiny_run import config, load, quiet, rows_of

from watermark.evaluation.agreement import rounding
from watermark.evaluation.job import Job
from watermark.evaluation.remeasure import remeasure
from watermark.evaluation.run import run
from watermark.schemes.base import Scheme

pytestmark = pytest.mark.usefixtures("frozen_code")


def test_remeasure_agrees_with_a_true_run_and_finds_a_changed_row(finished, tmp_path):
    _, folder = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    honest = remeasure(copy, cells=2, seed=1)
    assert (honest.cells, honest.rows, honest.differences, honest.notes) == (2, 4, [], [])
    for part in (copy / "parts").glob("*.rows.parquet"):
        table = pq.read_table(part)
        doctored = [{**row, "is_marked": True} for row in table.to_pylist()]
        pq.write_table(table.from_pylist(doctored, schema=table.schema), part)
    assert remeasure(copy, cells=3, seed=1).differing_rows >= 3  # every negative


def test_remeasure_on_another_machine_holds_decisions_and_a_tolerance(finished, tmp_path, monkeypatch):
    _, folder = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    facts = json.loads((copy / "manifest.json").read_text())
    assert facts["rounding"] == rounding(torch.device("cpu"))
    truly = Scheme.decode

    def rounds_differently(scheme, images):
        readout = truly(scheme, images)
        noise = torch.randn(readout.logits.shape, generator=torch.Generator().manual_seed(0))
        return replace(readout, logits=readout.logits * (1 + 1e-5 * noise))

    monkeypatch.setattr(Scheme, "decode", rounds_differently)
    assert remeasure(copy, cells=6, seed=1).differing_rows > 0
    (copy / "manifest.json").write_text(json.dumps(facts | {"rounding": "another processor"}))
    elsewhere = remeasure(copy, cells=6, seed=1)
    assert (elsewhere.exact, elsewhere.differences) == (False, [])
    for part in (copy / "parts").glob("*.rows.parquet"):
        table = pq.read_table(part)
        doctored = [{**row, "log10_p": row["log10_p"] - 0.01 * abs(row["log10_p"]) - 0.1} for row in table.to_pylist()]
        pq.write_table(table.from_pylist(doctored, schema=table.schema), part)
    assert remeasure(copy, cells=6, seed=1).differing_rows == 12


def test_a_picture_that_cannot_be_read_fails_in_every_cell_and_so_verifies(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("whole.png", "broken.png"):
        Image.fromarray(data.chelsea()[:192, :256]).save(pictures / name)
    (pictures / "broken.png").write_bytes((pictures / "broken.png").read_bytes()[:5_000])
    folder = run(Job(config(tmp_path, data={**load("data", "folder"), "path": str(pictures)})), quiet)
    failed = [row for row in rows_of(folder).to_pylist() if row["error"]]
    assert {row["image"] for row in failed} == {"broken.png"}
    assert len(failed) == 2 * 3 * 2  # schemes, cells, marked or not
    assert remeasure(folder, cells=12, seed=0, pictures=pictures).differences == []
    assert not any(row["is_marked"] for row in failed)
