"""Maps in the report: every mean is that of the rows, by picture, and a run without maps has no section."""

import json

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from watermark.evaluation.parts import sample_folder
from watermark.evaluation.records import MAPS
from watermark.localization import FALSE_ALARM_RATE
from watermark.metrics.clustered import supported_rate
from watermark.metrics.paired import bootstrap_mean
from watermark.report import build_report, compare_runs, schema
from watermark.report.maps import percent_of
from watermark.report.sections.localization import PROMISED
from watermark.report.wording import NOTHING


def map_some(row, lift=0.0):
    """Of the simulated attacks noise edits a part; the maps of ``steady`` get worse by picture and rung."""
    if row["scheme"] == "fragile" or not row["marked"] or row["attack"] not in ("identity", "noise"):
        return
    number = int(row["image"][-7:-4])
    if row["attack"] == "identity":
        row |= {"edited_area": 0.0, "map_unknown": 0.02, "map_kept_edited": 0.01 * (number % 2)}
        return
    worse = 0.02 * number + row["strength"]
    row |= {"edited_area": row["strength"], "map_f1": min(1.0, 0.9 - worse + lift), "map_iou": 0.8 - worse}
    row |= {"map_alarms": 0.0, "map_reached_1e2": 0.001 * number, "map_reached_1e3": 0.0}
    row |= {"map_edited_marked": 0.01, "map_unknown": 0.05, "map_kept_edited": 0.002}
    if row["strength"] == 0.02:  # too small for a region to lie in
        row |= {"map_alarms": None, "map_reached_1e2": None, "map_reached_1e3": None}


@pytest.fixture(scope="module")
def mapped(sim, tmp_path_factory):
    path = sim.simulate(tmp_path_factory.mktemp("mapped"), sim.Simulation(photos=8, hard=2))
    sim.change_rows(path, map_some)
    shown = sample_folder(path, "steady", "photo_000.png")
    (shown / "map").mkdir()
    for name in ("identity-None", "noise-0.05"):
        (shown / "map" / f"{name}.webp").write_bytes((shown / "marked.webp").read_bytes())
    build_report(path)
    return path


@pytest.fixture(scope="module")
def told(mapped):
    return json.loads((mapped / "report.json").read_text())


def test_every_mean_is_that_of_the_rows_by_picture(told, mapped):
    rows = [r for r in pq.read_table(mapped / "rows.parquet").to_pylist() if r["map_f1"] is not None]
    own = [r["map_f1"] for r in rows if (r["scheme"], r["strength"], r["image_class"]) == ("steady", 0.05, "photo")]
    found = told["localization"]
    assert found["without"] == ["fragile"]
    (rung,) = [r for r in found["rungs"] if (r["scheme"], r["strength"], r["group"]) == ("steady", 0.05, "natural")]
    assert (rung["n"], rung["failed"], rung["f1"]["images"]) == (8, 0, 8)
    assert rung["f1"]["mean"] == pytest.approx(np.mean(own))
    assert (rung["f1"]["low"], rung["f1"]["high"]) == pytest.approx(bootstrap_mean(own))
    assert rung["area"] == pytest.approx(0.05)
    assert len([r for r in found["rungs"] if r["attack"] == "noise"]) == 2 * 3 * 2
    jsonschema.validate(told, schema())


def test_no_alarm_in_any_picture_is_no_proof_of_none(told):
    (card,) = [c for c in told["localization"]["schemes"] if (c["scheme"], c["group"]) == ("steady", "natural")]
    assert card["called_marked"] == {"images": 8, "mean": 0.0, "low": 0.0, "high": supported_rate(8)}
    assert card["reached_1e2"]["mean"] == pytest.approx(0.001 * np.mean(range(8)))
    assert card["n"] == 24
    (small,) = [
        r
        for r in told["localization"]["rungs"]
        if (r["scheme"], r["strength"], r["group"]) == ("steady", 0.02, "natural")
    ]
    assert small["called_marked"] is None


def test_few_alarms_are_not_shown_as_none():
    few = {"images": 10, "mean": 2e-5, "low": 0.0, "high": 5e-5}
    assert percent_of(few) == "0.0020 [0.0000 to 0.0050]"
    assert percent_of(few | {"mean": 0.0}) == "0.00 [0.00 to 0.01]"
    assert percent_of(None) == NOTHING


def test_a_failed_cell_is_told_and_in_no_mean(sim, mapped, tmp_path):
    path = sim.simulate(tmp_path / "failed", sim.Simulation(photos=8, hard=2))

    def change(row):
        map_some(row)
        if (row["image"], row["attack"], row["strength"]) == ("photo_003.png", "noise", 0.05):
            row |= {"error": "RuntimeError: out of order", **dict.fromkeys(MAPS)}

    sim.change_rows(path, change)
    build_report(path)
    found = json.loads((path / "report.json").read_text())["localization"]
    (rung,) = [r for r in found["rungs"] if (r["scheme"], r["strength"], r["group"]) == ("steady", 0.05, "natural")]
    assert (rung["n"], rung["failed"]) == (7, 1)


def test_page_and_table_show_the_maps(mapped):
    page, table = (mapped / "report.html").read_text(), (mapped / "table.md").read_text()
    assert 'href="#edits"' in page
    assert "Where was it edited?" in page
    assert page.count('alt="the map of steady"') == 2
    assert "Not mapped, for their marks cannot be located: fragile." in page
    assert "| noise | 0.05 | 8 | 0.78 [" in table
    assert json.loads((mapped / "summary.json").read_text())["localization"]["promised"] == 0.01


def test_the_first_screen_says_how_well_maps_fit(told):
    best = next(one for one in told["localization"]["schemes"] if one["scheme"] == told["schemes"][0]["scheme"])
    found = best["f1"]
    said = f"Its map shows what was edited: F1 {found['mean']:.2f} [{found['low']:.2f} to {found['high']:.2f}]"
    assert said in told["verdict"]["detail"]


def test_a_run_without_maps_and_an_older_one_have_no_section(sim, tmp_path):
    path = sim.simulate(tmp_path / "plain", sim.Simulation(photos=2, hard=0, samples=False))
    table = pq.read_table(path / "rows.parquet")
    pq.write_table(table.drop_columns(list(MAPS)), path / "rows.parquet")
    page = build_report(path).read_text()
    assert "#edits" not in page
    assert json.loads((path / "report.json").read_text())["localization"] is None


def test_compare_pairs_maps_too(sim, mapped, tmp_path):
    other = sim.simulate(tmp_path / "better", sim.Simulation(photos=8, hard=2))
    sim.change_rows(other, lambda row: map_some(row, lift=0.05))
    found = {(c["scheme"], c["attack"]): c for c in compare_runs(mapped, other).maps}
    assert found["steady", "noise"]["difference"] == pytest.approx(0.05)
    assert found["steady", "noise"]["verdict"] == "better"
    assert not [scheme for scheme, _ in found if scheme == "fragile"]
    plain = sim.simulate(tmp_path / "plain", sim.Simulation(photos=8, hard=2))
    assert compare_runs(mapped, plain).maps == []


def test_the_report_which_loads_no_torch_says_the_rate_that_maps_promise():
    assert PROMISED == FALSE_ALARM_RATE
