"""Pictures that cannot be read or marked are counted, and in no rate."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data
from tiny_run import config, load, quiet, rows_of

from watermark.errors import UserError
from watermark.evaluation.job import Job
from watermark.evaluation.rows import load_run
from watermark.evaluation.run import run
from watermark.report.data import report_data
from watermark.report.html import render
from watermark.report.tables import caption

pytestmark = pytest.mark.usefixtures("frozen_code")
PICTURE = Image.fromarray(data.chelsea()[:192, :256])


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    made.mkdir()
    PICTURE.save(made / "a.png")
    PICTURE.rotate(180).save(made / "b.png")
    PICTURE.convert("CMYK").save(made / "cmyk.jpg")
    PICTURE.resize((20, 20)).save(made / "small.png")
    tifffile.imwrite(made / "deep.tiff", np.asarray(PICTURE).astype(np.uint16) * 257, photometric="rgb")
    (made / "cut.png").write_bytes((made / "a.png").read_bytes()[:5_000])
    return made


def test_pictures_that_cannot_be_marked_are_in_no_rate_and_counted(tmp_path, folder):
    made = run(Job(config(tmp_path, data={**load("data", "folder"), "path": str(folder)})), quiet)
    rows = rows_of(made).to_pylist()
    refused = {row["image"] for row in rows if not row["embedded"]}
    assert refused == {"cmyk.jpg", "small.png", "cut.png"}
    assert all(row["error"] for row in rows if not row["embedded"])
    assert all(row["error"].startswith("expected images of at least") for row in rows if row["image"] == "small.png")
    report = report_data(load_run(made))
    assert report["coverage"]["pictures"] == 6
    assert set(report["coverage"]["not_marked"].values()) == {3}
    cells = len({(row["attack"], row["strength"]) for row in rows if row["attack"] != "identity"})
    for card in report["schemes"]:
        assert card["no_attack"]["n"] == 3
        assert card["detection"]["n"] == 3 * cells
        assert card["no_attack"]["rate"] == 1
    assert report["failures"]["missing"] == []
    assert any("CMYK" in group["error"] for group in report["failures"]["grouped"])
    assert json.loads((made / "manifest.json").read_text())["data"]["unreadable"] == 1  # by their headers
    assert "3 pictures of 6 could not be read or marked" in render(report, [])
    assert "3 pictures of 6 could not be read or marked, and count nowhere." in caption(report)
    assert "rate 1e-6 (theory)" in caption(report)
    for card in report["schemes"]:
        card["outside"] = True
    assert "(theory)" not in caption(report)
    report["coverage"]["not_marked"] = {"tile_spread": 1}
    assert "1 picture of 6 could not be read or marked, and counts nowhere." in caption(report)


def test_a_run_of_nothing_but_such_pictures_is_one_line(tmp_path, folder):
    for name in ("a.png", "b.png", "small.png", "cut.png", "deep.tiff"):
        (folder / name).unlink()
    with pytest.raises(UserError, match=r"no picture could be marked: .*expected") as refusal:
        run(Job(config(tmp_path, data={**load("data", "folder"), "path": str(folder)})), quiet)
    assert "\n" not in str(refusal.value)
