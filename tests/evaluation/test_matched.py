"""``protocol=matched``: every picture of every scheme at one quality."""

import json

import pytest
from tiny_run import config, load, quiet

from watermark.errors import UserError
from watermark.evaluation.job import Job
from watermark.evaluation.matched import FAINTEST, STRONGEST, dial, prepared
from watermark.evaluation.rows import load_run
from watermark.evaluation.run import run
from watermark.report import report_data
from watermark.report.tables import markdown, summary
from watermark.schemes.dwt_dct_svd import DwtDctSvd


@pytest.mark.parametrize("goal", [29.3, 41.0, 58.8])
def test_the_dial_is_turned_until_it_is_there(goal):
    asked = []

    def gap(db):
        asked.append(db)
        return 20 * (db - goal)

    found, left = dial(gap, 42)
    assert abs(found - goal) < 0.06
    assert abs(left) <= 1
    assert len(asked) < 15
    assert all(STRONGEST <= db <= FAINTEST for db in asked)


def test_who_stays_fainter_by_his_own_rule_is_taken_as_strong_as_he_gets_and_who_is_too_visible_is_told():
    assert dial(lambda db: 20 * (max(db, 45) - 40), 42) == (STRONGEST, 100)
    assert dial(lambda db: 20 * (db - 70), 42) == (FAINTEST, -200)


def matched(output, by, at, **changes):
    asked = {"protocol": "matched", "matched_by": by, "matched_at": at, "suite": {}, "unmarked": 0}
    schemes = {name: load("scheme", name) for name in ("hidden", "dwt_dct")}
    pictures = {**load("data", "synthetic"), "count": 2, "width": 192, "height": 160}
    return config(output, **{**asked, "schemes": schemes, "data": pictures, **changes})


@pytest.fixture(scope="module")
def by_ssim(frozen_code, tmp_path_factory):
    jpeg = {**load("attack", "jpeg"), "sweep": {"quality": [60]}}
    settings, said = prepared(Job(matched(tmp_path_factory.mktemp("runs"), "ssim", 0.98, suite={"jpeg": jpeg})))
    assert said == []
    return run(Job(settings), quiet)


def test_every_picture_of_a_scheme_with_a_dial_is_brought_there_and_a_quantiser_on_average(by_ssim):
    rows = load_run(by_ssim).rows.groupby("scheme")["ssim"]
    assert all(abs(value - 0.98) <= 0.0006 for value in rows.get_group("hidden"))
    assert abs(rows.get_group("dwt_dct").mean() - 0.98) < 0.004
    psnr = load_run(by_ssim).rows.groupby("scheme")["psnr"].mean()
    assert abs(psnr["hidden"] - psnr["dwt_dct"]) > 0.2  # at one PSNR they would not be alike


def test_the_table_and_the_summary_give_word_errors_at_that_quality(by_ssim):
    data = report_data(load_run(by_ssim))
    found = summary(data)["matched"]
    assert (found["by"], found["at"]) == ("ssim", 0.98)
    for row in found["schemes"]:
        exact = summary(data)["schemes"][row["scheme"]]["payload"]
        assert row["word_errors"]["successes"] == exact["n"] - exact["successes"]
        assert row["word_errors"]["low"] == pytest.approx(1 - exact["high"])
        assert row["families"] == ["compression"]
        assert row["balanced"] == pytest.approx(row["word_errors"]["rate"])
    assert "| hidden | 2 | 0 | 0.98" in markdown(data)
    json.dumps(found, allow_nan=False)


def test_a_run_of_another_protocol_says_nothing_of_it(by_ssim):
    data = report_data(load_run(by_ssim))
    data["provenance"]["config"]["protocol"] = "own"
    assert "matched" not in summary(data)
    assert "brought to" not in markdown(data)


def test_a_picture_that_cannot_be_marked_so_faintly_counts_nowhere(frozen_code, tmp_path):
    asked = matched(tmp_path, "ssim", 0.9999999, schemes={"hidden": load("scheme", "hidden")})
    with pytest.raises(UserError, match="no picture could be marked: cannot be brought to ssim"):
        load_run(run(Job(prepared(Job(asked))[0]), quiet))


def test_a_scheme_without_a_dial_is_left_out_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(DwtDctSvd, "strength", "fixed")
    asked = matched(tmp_path, "psnr", None)
    asked["schemes"]["dwt_dct_svd"] = load("scheme", "dwt_dct_svd")
    settings, said = prepared(Job(asked))
    assert set(settings["schemes"]) == {"hidden", "dwt_dct"}
    assert {one["target_psnr"] for one in settings["schemes"].values()} == {42.0}
    assert said == ["dwt_dct_svd cannot be brought to psnr 42, for it has no dial of that kind: left out"]
    with pytest.raises(UserError, match="left out"):
        prepared(Job({**asked, "schemes": {"dwt_dct_svd": asked["schemes"]["dwt_dct_svd"]}}))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"protocol": "fair"}, "protocol: expected one of own, matched"),
        ({"matched_by": "beauty"}, "matched_by: expected one of psnr"),
        ({"matched_at": 90}, "matched_at: expected 28 to 60 dB"),
        ({"target_psnr": 42}, "protocol=matched says it by matched_at"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path, wrong, said):
    with pytest.raises(UserError, match=said):
        Job({**matched(tmp_path, "psnr", 42), **wrong})
