"""Every number of the report is what the rows say, counted here in another way."""

import numpy as np
import pytest
from scipy import stats

from watermark.errors import UserError
from watermark.evaluation.rows import load_run
from watermark.report.data import report_data
from watermark.report.plots import null_plot


def of(entries, **keys):
    return next(e for e in entries if all(e[k] == v for k, v in keys.items()))


def attacked_photos(rows):
    return rows[rows["marked"] & (rows["attack"] != "identity") & (rows["image_class"] == "photo")]


def test_headline_rates_count_photos_under_attack_and_nothing_else(data, rows):
    for card in data["schemes"]:
        part = attacked_photos(rows)
        part = part[part["scheme"] == card["scheme"]]
        assert card["detection"]["successes"] == part["is_marked"].sum()
        assert card["payload"]["successes"] == part["payload_ok"].eq(True).sum()
        assert card["detection"]["n"] == len(part) == 12 * 12
        assert card["detection"]["images"] == 12
    assert [c["scheme"] for c in data["schemes"]] == ["steady", "average", "fragile"]


def test_hard_cases_are_kept_apart(data, rows):
    hard = rows[rows["marked"] & (rows["attack"] != "identity") & (rows["image_class"] != "photo")]
    for card in data["schemes"]:
        assert card["hard_cases"]["n"] == (hard["scheme"] == card["scheme"]).sum()
        assert card["quality"]["images"] == 12


def test_one_rung_gives_the_exact_interval(data, rows):
    cell = of(data["cells"], scheme="average", attack="noise", strength=0.05, group="natural")
    part = attacked_photos(rows)
    part = part[(part["scheme"] == "average") & (part["attack"] == "noise") & (part["strength"] == 0.05)]
    exact = stats.binomtest(int(part["is_marked"].sum()), 12).proportion_ci(method="exact")
    found = cell["detection"]
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high))
    assert cell["bit_accuracy"] == pytest.approx(1 - part["bit_errors"].mean() / 256)


def test_every_cell_is_there_once(data, rows):
    marked = rows[rows["marked"]].assign(group=np.where(rows[rows["marked"]]["image_class"] == "photo", 0, 1))
    expected = marked.groupby(["scheme", "attack", "strength", "group"], dropna=False).ngroups
    assert len(data["cells"]) == expected
    assert sum(c["detection"]["n"] for c in data["cells"]) == len(marked)
    assert sum(c["alarms"]["n"] for c in data["cells"]) == (~rows["marked"] & rows["error"].isna()).sum()


def test_failed_cells_count_as_misses_and_are_listed(data, rows):
    failed = rows[rows["error"].notna()]
    assert data["failures"]["rows"] == len(failed) == 5
    assert sum(g["rows"] for g in data["failures"]["grouped"]) == 5
    assert failed["marked"].any()
    assert sum(c["detection"]["n"] for c in data["cells"]) == rows["marked"].sum()


def test_missing_cells_are_listed(sim, tmp_path):
    import pyarrow.parquet as pq

    path = sim.simulate(tmp_path, sim.Simulation(photos=3, hard=0, samples=False))
    table = pq.read_table(path / "rows.parquet")
    keep = [
        not (a == "crop" and s == 0.5)
        for a, s in zip(*(table[c].to_pylist() for c in ("attack", "strength")), strict=True)
    ]
    pq.write_table(table.filter(keep), path / "rows.parquet")
    missing = report_data(load_run(path))["failures"]["missing"]
    assert {(m["attack"], m["strength"], m["lacking"]) for m in missing} == {("crop", 0.5, 3)}
    assert len(missing) == 3


def test_wrong_owners_are_counted_apart_from_misses(sim, tmp_path):
    path = sim.simulate(tmp_path, sim.Simulation(photos=4, hard=0, samples=False))
    wrong = []

    def accuse(row):
        if (
            row["marked"]
            and row["is_marked"]
            and row["attack"] == "jpeg"
            and row["scheme"] == "steady"
            and len(wrong) < 2
        ):
            row |= {"decoded_content_id": str(int(row["content_id"]) + 1), "payload_ok": False}
            wrong.append(row)

    sim.change_rows(path, accuse)
    found = report_data(load_run(path))
    assert of(found["schemes"], scheme="steady")["misattribution"]["successes"] == 2
    blind = of(found["identification"]["schemes"], scheme="steady")["blind"]
    assert blind["wrong"]["successes"] == 2
    assert sum(blind[kind]["successes"] for kind in ("right", "wrong", "unnamed", "none")) == blind["right"]["n"]
    assert of(found["schemes"], scheme="average")["misattribution"]["successes"] == 0


def test_schemes_that_differ_are_separated_and_equal_ones_are_not(sim, tmp_path, data):
    assert of(data["pairwise"], first="steady", second="fragile")["overall"]["separable"]
    assert [c["rank"] for c in data["schemes"]] == ["best", "worse", "worse"]
    path = sim.simulate(tmp_path, sim.Simulation(schemes={"one": 1.2, "two": 1.2}, samples=False))
    equal = report_data(load_run(path))
    assert equal["schemes"][1]["rank"] == "not separable"
    assert "No scheme stands out" in equal["verdict"]["headline"]


def test_too_few_pictures_cannot_crown_a_winner(sim, tmp_path):
    path = sim.simulate(tmp_path, sim.Simulation(photos=4, hard=0, samples=False))
    found = report_data(load_run(path))
    assert "4 photos are too few to prove it best" in found["verdict"]["headline"]
    assert found["schemes"][1]["rank"] == "not separable"


def test_unequal_quality_is_said_on_the_first_screen(sim, tmp_path, data):
    assert "equal quality" not in data["verdict"]["small"]
    path = sim.simulate(tmp_path, sim.Simulation(photos=4, hard=0, samples=False))
    sim.change_rows(path, lambda r: r.update(psnr=r["psnr"] - 3) if r["scheme"] == "average" and r["marked"] else None)
    assert "not a comparison at equal quality" in report_data(load_run(path))["verdict"]["small"]


def test_paired_difference_is_the_mean_over_pictures(data, rows):
    part = attacked_photos(rows)
    means = part.groupby(["scheme", "attack"])["is_marked"].mean()
    pair = of(data["pairwise"], first="steady", second="average")
    for test in pair["attacks"]:
        assert test["difference"] == pytest.approx(means["steady", test["attack"]] - means["average", test["attack"]])
        assert test["p_holm"] >= test["p"]


def test_alarms_are_measured_and_claims_beyond_n_refused(data, rows):
    for entry in data["false_positives"]:
        negatives = rows[~rows["marked"] & (rows["scheme"] == entry["scheme"]) & rows["error"].isna()]
        assert entry["alarms"]["n"] == len(negatives)
        assert entry["supports_readings"] == pytest.approx(1 - 0.025 ** (1 / len(negatives)))
        assert "3\u202f688\u202f878 independent negatives" in entry["claim"]
        assert "promise of theory" in entry["claim"]
        ladder = {rung["promised"]: rung for rung in entry["ladder"]}
        assert ladder[0.1]["supported"]
        assert not ladder[0.001]["supported"]
        assert ladder[0.1]["hits"] == (negatives["log10_p_expected"] <= -1).sum()
        assert entry["null"]["too_small_p"] > 0.001


def test_too_many_alarms_are_called_a_broken_promise(sim, tmp_path):
    path = sim.simulate(tmp_path, sim.Simulation(photos=6, hard=0, samples=False))
    sim.change_rows(path, lambda row: row.update(is_marked=row["is_marked"] or row["scheme"] == "fragile"))
    found = report_data(load_run(path))["false_positives"]
    assert "do not trust the promise" in of(found, scheme="fragile")["claim"]
    assert "do not trust" not in of(found, scheme="steady")["claim"]


def test_calibrated_threshold_is_judged_on_other_pictures(data):
    for row in data["thresholds"]:
        calibrated = row["calibrated"]
        assert calibrated["calibration_images"] + calibrated["tpr"]["images"] == 12
        assert row["pooled"]["fpr"] <= row["target"]
    aucs = [a["auc"] for a in of(data["thresholds"], scheme="steady")["auc"]]
    assert min(aucs) > 0.9


def test_lookup_in_a_small_registry_beats_blind_decoding(data):
    for entry in data["identification"]["schemes"]:
        right = [point["right"] for point in entry["lookup"]]
        assert right == sorted(right, reverse=True)
        assert right[0] >= entry["blind"]["right"]["rate"]
        assert all(point["right"] + point["wrong"] + point["none"] == pytest.approx(1) for point in entry["lookup"])


def test_quality_plane_leaves_geometric_attacks_without_a_cost(data):
    curves = data["quality_plane"]["curves"]
    assert of(curves, scheme="steady", attack="rotate")["avg_q"] is None
    jpeg = of(curves, scheme="average", attack="jpeg")
    assert jpeg["avg_q"] > 0
    assert jpeg["avg_p"] == pytest.approx(np.mean([p["p"] for p in jpeg["points"]]))


def test_published_twins_match_strengths_and_rate(data, rows):
    twin = of(data["published"]["twins"], source="Kodak peers", attack="jpeg", strengths=[10])
    assert twin["published"]["blind-watermark-32"] == 0.6
    ours = of(twin["ours"], scheme="average")
    part = attacked_photos(rows)
    part = part[(part["scheme"] == "average") & (part["attack"] == "jpeg") & (part["strength"] == 10)]
    assert ours["rate"] == pytest.approx((part["log10_p_expected"] <= -3).mean())
    assert ours["gap_to_best"] == pytest.approx(ours["rate"] - 0.6)
    assert not [t for t in data["published"]["twins"] if t["source"] == "WAVES"]  # their ladders were not run


def test_what_is_no_run_is_refused_in_one_line(sim, tmp_path):
    with pytest.raises(UserError, match="expected the folder of a run"):
        load_run(tmp_path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="job_key is missing"):
        load_run(tmp_path)
    simulated = sim.simulate(tmp_path / "whole", sim.Simulation(photos=1, hard=0, samples=False))
    (simulated / "manifest.json").replace(tmp_path / "manifest.json")
    pq.write_table(pa.table({"image": ["a"]}), tmp_path / "rows.parquet")
    with pytest.raises(UserError, match=r"lacks image_class, .*attack"):
        load_run(tmp_path)


def test_a_p_value_beyond_reason_costs_a_dozen_marks_on_the_axis_and_not_the_memory():
    def axis(observed: float) -> str:
        return null_plot([{"scheme": "a", "null": {"plot_attacked": [(0.5, observed)]}}], ["a"])

    assert "1e-3<" in axis(3.2)
    assert "1e-4<" not in axis(3.2)
    assert axis(1e300).count("1e-") < 40
