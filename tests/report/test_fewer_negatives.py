"""Negatives of fewer pictures than positives, of one, or of none: every section says its own n or refuses."""

import json

import jsonschema
import pytest

from watermark.cli import main
from watermark.evaluation.rows import load_run
from watermark.report import build_report, schema
from watermark.report.data import report_data


def without_negatives(path, sim, scheme_keeps):
    """Keep the unmarked rows of the pictures that ``scheme_keeps(scheme)`` names; drop the others."""
    sim.keep_rows(path, lambda row: row["marked"] or row["image"] in scheme_keeps(row["scheme"]))
    return path


def report(path):
    page = build_report(path).read_text()
    data = json.loads((path / "report.json").read_text())
    jsonschema.validate(data, schema())
    return data, page


def photos(count):
    return {f"photo_{i:03d}.png" for i in range(count)}


@pytest.fixture
def simulated(sim, tmp_path):
    return sim.simulate(tmp_path / "run", sim.Simulation(photos=12, hard=0, samples=False))


def test_rates_of_negatives_rest_on_the_pictures_that_were_read_unmarked(simulated, sim):
    data, page = report(without_negatives(simulated, sim, lambda _: photos(4)))
    assert data["coverage"] | {"marked_pictures": None} == {
        "not_marked": {},
        "pictures": 12,
        "marked_pictures": None,
        "unmarked_pictures": 4,
        "unfinished": None,
        "drawn": None,
    }
    for card, alarms, row in zip(data["schemes"], data["false_positives"], data["thresholds"], strict=True):
        assert card["detection"]["images"] == 12
        assert card["false_positives"]["images"] == alarms["alarms"]["images"] == 4
        assert card["false_positives"]["n"] == 4 * 13  # no attack, and 12 rungs
        assert alarms["supports_images"] == pytest.approx(1 - 0.025 ** (1 / 4))
        assert {rung["images"] for rung in alarms["ladder"]} == {4}
        assert row["negatives"] == {"n": 4 * 12, "images": 4}
        assert row["calibrated"]["calibration_images"] == 2
        assert row["calibrated"]["tpr"]["images"] == 10  # every picture that did not set the threshold
        assert row["calibrated"]["fpr"]["images"] == 2
        assert {auc["unmarked_images"] for auc in row["auc"]} == {4}
    assert all(cell["alarms"]["images"] == 4 and cell["detection"]["images"] == 12 for cell in data["cells"])
    assert "Every attack also ran on 4 of the 12 pictures unmarked" in page
    assert "52 readings of 4 unmarked images" in page
    assert "false alarms on 4 unmarked pictures" in data["verdict"]["promise"]
    evidence = json.loads((simulated / "robustness_evidence.json").read_text())
    assert "on 4 unmarked images" in evidence["steady"]["robustnessEvidence"]["methodology"]
    alarms, readings = (sum(card["false_positives"][what] for card in data["schemes"]) for what in ("successes", "n"))
    said = f"{alarms} false alarm{'s' * (alarms != 1)} in {readings} readings of 4 unmarked pictures"
    assert said in (simulated / "table.md").read_text()


def test_one_unmarked_picture_sets_no_threshold_for_others_and_has_no_bit_statistics(simulated, sim):
    data, page = report(without_negatives(simulated, sim, lambda _: photos(1)))
    for row, alarms in zip(data["thresholds"], data["false_positives"], strict=True):
        assert row["calibrated"] is None
        assert row["pooled"] is None
        assert alarms["null"]["bits"] is None
        assert alarms["alarms"]["high"] > 0.9
    assert "13 readings of 1 unmarked image. " in page
    assert "counted as 1 image, " in page
    assert "one clean unmarked picture says nothing about its bits" in page
    assert "kept no soft decisions" not in page.split("Near IDs")[0]
    assert "refused: too few" in page


def test_a_scheme_whose_pictures_all_failed_has_no_negative_and_no_verdict(simulated, sim):
    sim.keep_rows(simulated, lambda row: row["scheme"] != "steady" or row["attack"] == "identity")
    nothing = {"error": "ValueError: too small", "is_marked": False, "payload_ok": None, "psnr": None}
    nothing |= dict.fromkeys(("log10_p", "log10_p_expected", "bit_errors", "readings", "logits"))
    sim.change_rows(simulated, lambda row: row.update(nothing) if row["scheme"] == "steady" else None)
    data, page = report(simulated)
    card = next(card for card in data["schemes"] if card["scheme"] == "steady")
    assert (card["false_positives"]["n"], card["detection"]["n"], card["rank"]) == (0, 0, "not tested")
    assert data["schemes"][-1] == card
    assert "steady could not be measured" in data["verdict"]["small"]
    assert "No unmarked picture was read, so nothing is claimed." in page
    assert page.count("<dt>False alarms</dt><dd>not measured</dd>") == 1
    assert "Nothing was read after an attack" in page
    assert "No attack of this run lost it" not in page
    assert data["attack_costs"][0]["images"] == 12  # the damage of an attack is that of the other schemes' pictures


def test_a_run_in_which_nothing_was_read_says_so(simulated, sim):
    sim.keep_rows(simulated, lambda row: row["attack"] == "identity")
    data, _ = report(simulated)
    assert data["verdict"]["headline"].startswith("Nothing to judge")


def test_lacking_negatives_are_listed_unless_the_run_was_told_to_leave_them_out(simulated, sim):
    without_negatives(simulated, sim, lambda _: photos(4))
    assert {cell["unmarked_lacking"] for cell in report_data(load_run(simulated))["failures"]["missing"]} == {8}
    manifest = json.loads((simulated / "manifest.json").read_text())
    manifest["config"]["unmarked"] = 4
    (simulated / "manifest.json").write_text(json.dumps(manifest))
    assert report_data(load_run(simulated))["failures"]["missing"] == []


def test_schemes_that_share_no_picture_are_not_compared(simulated, sim):
    first = photos(6)
    sim.keep_rows(simulated, lambda row: (row["image"] in first) == (row["scheme"] == "steady"))
    data, _ = report(simulated)
    assert {(pair["first"], pair["second"]) for pair in data["pairwise"]} == {("average", "fragile")}


def test_a_run_that_is_not_finished_says_how_much_of_it_is_there(simulated, sim, capsys):
    (simulated / "progress.json").write_text(json.dumps({"units": 36, "units_done": 20}))
    kept = photos(6)
    sim.keep_rows(
        simulated, lambda row: row["image"] in kept or (row["scheme"] == "steady" and row["image"] < "photo_008")
    )
    assert main(["report", str(simulated)]) == 0
    data, page = report(simulated)
    said = "Not finished: 20 of 36 units of work (one scheme on one batch of pictures) are in this report, 6 to 8 of 12"
    assert data["coverage"]["unfinished"].startswith(said)
    assert said in page.split("<main>")[0]  # on the first screen
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (simulated / "table.md").read_text()
    assert "n = 72 to 96 readings per scheme" in (simulated / "table.md").read_text()
    assert said in (simulated / "robustness_evidence.json").read_text()


def test_without_unmarked_pictures_no_table_counts_alarms_of_none(simulated, sim, capsys):
    data, _ = report(without_negatives(simulated, sim, lambda _: photos(0)))
    assert data["verdict"]["promise"].endswith("No unmarked picture was read here to measure it.")
    assert main(["report", str(simulated)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no unmarked picture was read for false alarms" in said
    assert "0 /" not in said
