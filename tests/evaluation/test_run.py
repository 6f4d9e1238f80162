"""What the rows of a run say."""

import pytest
import torch
from tiny_run import config, load, quiet, rows_of

from watermark.errors import UserError
from watermark.evaluation.cells import UnitRun
from watermark.evaluation.job import Job
from watermark.evaluation.records import arrow_schema
from watermark.evaluation.run import run
from watermark.metrics.perceptual import MEASURES
from watermark.metrics.psnr import psnr
from watermark.metrics.ssim import ssim

pytestmark = pytest.mark.usefixtures("frozen_code")


def test_there_is_one_row_per_image_scheme_cell_and_marked_or_not(finished):
    _, folder = finished
    table = rows_of(folder)
    assert table.schema.equals(arrow_schema())
    rows = table.to_pylist()
    names = {(r["image"], r["scheme"], r["attack"], r["strength"], r["marked"]) for r in rows}
    assert len(rows) == len(names) == 4 * 2 * 3 * 2
    assert not [r["error"] for r in rows if r["error"]]


def test_rows_say_what_happened(finished):
    _, folder = finished
    rows = rows_of(folder).to_pylist()
    plain = [r for r in rows if r["marked"] and r["attack"] == "identity" and r["image_class"] in ("smooth", "busy")]
    assert all(r["payload_ok"] and r["is_marked"] and r["bit_errors"] == 0 for r in plain)
    assert all(abs(r["psnr"] - 42) < 1 for r in plain)
    assert all(r["decoded_content_id"] == r["content_id"] for r in plain)
    negatives = [r for r in rows if not r["marked"]]
    assert not any(r["is_marked"] for r in negatives)
    assert all(r["psnr"] is None and r["payload_ok"] is None for r in negatives)
    assert all(
        (r["attack_psnr"] is None) == (r["attack"] != "jpeg") for r in rows
    )  # null for moved pixels and for equal pictures


def test_payload_and_attack_draw_are_per_image_and_the_same_for_every_scheme(finished):
    _, folder = finished
    rows = rows_of(folder).to_pylist()
    drawn = {}
    for r in rows:
        drawn.setdefault((r["image"], r["attack"]), set()).add((r["provider_id"], r["content_id"], r["seed"]))
    assert all(len(found) == 1 for found in drawn.values())
    assert len({r["content_id"] for r in rows}) == 4


def test_a_failing_cell_is_listed_and_the_rest_is_measured(tmp_path, monkeypatch, caplog):
    from attacks.compression import Jpeg

    def fail(*_args):
        raise RuntimeError("out of order")

    monkeypatch.setattr(Jpeg, "transform", fail)
    monkeypatch.setenv("WATERMARK_TRACEBACK", "1")
    folder = run(Job(config(tmp_path, schemes={"dwt_dct": load("scheme", "dwt_dct")})), quiet)
    rows = rows_of(folder).to_pylist()
    assert len(rows) == 4 * 3 * 2
    failed = [r for r in rows if r["error"]]
    assert {r["attack"] for r in failed} == {"jpeg"}
    assert all(r["error"] == "RuntimeError: out of order" and r["log10_p"] is None for r in failed)
    assert {str(record.exc_info[1]) for record in caplog.records if record.exc_info} == {"out of order"}


def test_pictures_are_rounded_to_8_bits_before_the_attack(tmp_path):
    job = Job(config(tmp_path, suite={}))
    measured = UnitRun(job, job.units[0], job.marker("dwt_dct")).measure(lambda: None)
    marked = measured.pictures["marked"] * 255
    torch.testing.assert_close(marked, marked.round(), atol=1e-4, rtol=0)
    row = next(r for r in measured.rows if r.marked)
    assert row.psnr == pytest.approx(float(psnr(measured.pictures["marked"], measured.pictures["original"])))


def test_what_an_attack_does_to_an_unmarked_picture_is_measured_once_for_all_schemes(tmp_path, monkeypatch):
    counted = []
    monkeypatch.setattr("watermark.evaluation.cells.ssim", lambda *two: counted.append(1) or ssim(*two))
    job, known = Job(config(tmp_path)), {}
    first, alone = job.units[0], job.units[len(job.units) // 2]  # of each scheme the same picture
    assert (first.indices, first.scheme != alone.scheme) == (alone.indices, True)
    UnitRun(job, first, job.marker(first.scheme), known).measure(lambda: None)
    before = len(counted)
    rows = UnitRun(job, alone, job.marker(alone.scheme), known).measure(lambda: None).rows
    assert before - (len(counted) - before) == 2  # the unmarked picture as it is, and after JPEG; a crop moves pixels
    again = UnitRun(job, alone, job.marker(alone.scheme)).measure(lambda: None).rows
    assert rows == again


def test_marked_pictures_get_every_measure_and_attacked_ones_only_what_they_cost(finished):
    _, folder = finished
    rows = rows_of(folder).to_pylist()
    marked = [r for r in rows if r["marked"]]
    assert all(0 < r["ciede2000"] < 3 and r["ms_ssim"] is None for r in marked)  # 160 px: too small for five scales
    assert all(r[name] is None for name in MEASURES for r in rows)
    assert all(r["ciede2000"] is None for r in rows if not r["marked"])


def test_fewer_pictures_can_be_measured_unmarked_and_the_marked_rows_stay_the_same(tmp_path):
    data = {**load("data", "synthetic"), "count": 4, "width": 192, "height": 160}
    rows = {}
    for unmarked, size in ((None, 1), (2, 3), (1, 1)):
        measured = config(tmp_path, data=data, unmarked=unmarked, batch_size=size, name=f"{unmarked}")
        rows[unmarked] = rows_of(run(Job(measured), quiet)).to_pylist()
    for unmarked, pictures in ((2, 2), (1, 1)):
        assert all(row in rows[None] for row in rows[unmarked])
        assert sum(row["marked"] for row in rows[unmarked]) == sum(row["marked"] for row in rows[None])
        assert len({row["image"] for row in rows[unmarked] if not row["marked"]}) == pictures
    with pytest.raises(UserError, match="unmarked: expected at least 0 pictures, got -1"):
        Job(config(tmp_path, unmarked=-1))


@pytest.mark.parametrize(
    ("data", "told", "count"), [("bundled", None, 4), ("bundled", 9, 9), ("bundled", 0, 0), ("photos", None, 2)]
)
def test_of_the_bundled_pictures_few_are_read_unmarked_unless_a_number_is_given(tmp_path, data, told, count):
    job = Job(config(tmp_path, data=load("data", data), unmarked=told))
    assert len(job.unmarked) == job.config["unmarked"] == count


def test_resharing_without_resampling_has_a_cost_and_with_it_has_none(tmp_path):
    reshare = load("attack", "reshare")
    reshare["sweep"] = {"long_edge": [720]}
    data = {**load("data", "synthetic"), "count": 1, "height": 160}
    costs = []
    for width in (192, 800):
        job = Job(config(tmp_path, suite={"reshare": reshare}, data={**data, "width": width}))
        measured = UnitRun(job, job.units[0], job.marker("dwt_dct")).measure(lambda: None)
        costs += [row.attack_psnr for row in measured.rows if row.attack == "reshare" and row.marked]
    assert costs[0] > 25
    assert costs[1] is None


def test_a_layout_whose_content_ids_fit_no_integer_column_is_measured(tmp_path):
    schemes = {"tile_spread": load("scheme", "tile_spread")}
    data = {**load("data", "synthetic"), "count": 2, "width": 256, "height": 256}
    rows = rows_of(run(Job(config(tmp_path, layout=load("layout", "l128"), schemes=schemes, data=data)), quiet))
    marked = [row for row in rows.to_pylist() if row["marked"] and row["attack"] == "identity"]
    assert max(int(row["content_id"]) for row in marked) >= 1 << 63
    assert all(row["decoded_content_id"] == row["content_id"] for row in marked if row["payload_ok"])
    assert any(row["payload_ok"] for row in marked)
