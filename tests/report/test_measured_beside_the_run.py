"""What other commands measured beside a run: forgery, scaling, look-ups; and what the page says where they were not."""

import json

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from watermark.cli import main
from watermark.evaluation.rows import PERCEPTUAL, load_run
from watermark.metrics.power_law import power_law
from watermark.report import build_report, schema
from watermark.report.data import report_data

ANSWERS = [
    {"scheme": s, "test": "F1", "setting": f"average of {n} marked pictures x1 added", "attacker_wants": "detected"}
    | {"wins": wins, "n": 16, "low": 0.9, "high": 0.1, "psnr": 48.6}
    | {"amount": n, "family": "average of n marked pictures x1 added"}
    for s in ("steady", "stranger")
    for n, wins in ((5, 14), (20, 2))
]
ANSWERS += [
    {"scheme": "steady", "test": "F6", "setting": "unmarked, 1000 random IDs", "attacker_wants": "an ID named"}
    | {"wins": 0, "n": 16, "low": 0, "high": 0.2, "psnr": None, "amount": None, "family": "unmarked, 1000 random IDs"}
]
CASES = [
    {"scheme": s, "stage": stage, "side": side, "batch": batch, "seconds": side * 1e-4, "slowest": 0.2, "repeats": 5}
    | {"peak_bytes": 700 * 2**20 + side}
    for s in ("steady", "stranger")
    for stage in ("embed", "read marked")
    for side in (256, 512)
    for batch in (1, 8)
]
FACTS = {"command": "watermark bench", "device": "cpu", "threads": 1, "clock": "wall", "memory": "rss", "torch": "2"}


@pytest.fixture
def small(sim, tmp_path):
    return sim.simulate(tmp_path / "run", sim.Simulation(photos=3, hard=0, samples=False))


def rebuilt(path):
    page = build_report(path).read_text()
    data = json.loads((path / "report.json").read_text())
    jsonschema.validate(data, schema())
    return data, page


def test_what_was_not_measured_is_said_with_the_words_to_type(small):
    data, page = rebuilt(small)
    assert data["security"] is None
    assert data["cost"]["scaling"] is None
    assert "watermark forgery --run RUN_DIR" in page
    assert "watermark bench --run RUN_DIR" in page
    assert "perceptual=[flip,ssimulacra2,cvvdp]" in page
    assert "the run kept no soft decisions" in page  # near IDs


@pytest.mark.parametrize("kind", [list, dict])
def test_forgery_answers_of_either_format_become_a_section_with_their_own_intervals(small, tmp_path, kind):
    given = tmp_path / "forgery.json"
    given.write_text(
        json.dumps(
            ANSWERS if kind is list else {"format": 2, "pictures": 40, "targets": 16, "side": 256, "answers": ANSWERS}
        )
    )
    assert main(["report", str(small), "--forgery", str(tmp_path)]) == 0
    data, page = rebuilt(small)  # the answers lie in the run folder now
    first = data["security"]["answers"][0]
    exact = stats.binomtest(14, 16).proportion_ci(method="wilson")
    assert (first["low"], first["high"]) == pytest.approx((exact.low, exact.high))  # counted again, not copied
    assert [a["amount"] for a in data["security"]["answers"]] == [5, 20, 5, 20, None]
    assert page.count('class="plot forgery"') == 1
    assert "14 / 16" in page
    assert "stranger" in page
    assert set(data["security"]["tests"]) == {"F1", "F6"}


def test_answers_of_an_older_file_stand_alone_because_words_are_not_read_for_numbers(small):
    older = [{k: v for k, v in answer.items() if k not in ("amount", "family")} for answer in ANSWERS]
    (small / "forgery.json").write_text(json.dumps(older))
    data, page = rebuilt(small)
    assert {a["amount"] for a in data["security"]["answers"]} == {None}
    assert [a["family"] for a in data["security"]["answers"]] == [a["setting"] for a in ANSWERS]
    assert "14 / 16" in page


def test_lookups_of_near_and_random_ids_become_sections(small):
    first, *others = json.loads((small / "manifest.json").read_text())["schemes"]
    share = {"successes": 3, "n": 4, "images": 2, "rate": 0.75, "low": 0.1, "high": 0.9}
    near = {"ids": 53, "right": share, "wrong": share, "none": share}
    rung = {"promised": 0.1, "supported": True} | share
    found = {first: {"near": near, "random": {"ids_per_reading": 200, "ladder": [rung]}}}
    (small / "lookups.json").write_text(json.dumps({"schemes": found}))
    data, _ = rebuilt(small)
    assert {s["scheme"]: s["near"] for s in data["identification"]["schemes"]}[first] == near
    random = {s["scheme"]: s["random_ids"] for s in data["false_positives"]}
    assert random[first]["ladder"] == [rung]
    assert others
    assert all(random[scheme] is None for scheme in others)


def test_what_attacks_cost_stands_beside_what_anybody_can_do(small):
    named = {"scheme": "steady", "wants": "marks lost", "unit": "share"}
    mild, hard = ({"strength": s, "wins": w, "n": 8, "psnr": p} for s, w, p in ((0.5, 1, 42.5), (1.0, 6, 36.8)))
    rows = [
        {**named, "attack": "JPEG", "knows": "plain", "rungs": [mild, {**hard, "psnr": 27.3}]},
        {**named, "attack": "comb", "knows": "one picture", "rungs": [mild, hard]},
        {**named, "attack": "notch", "knows": "many pictures", "rungs": [mild]},
    ]
    content = {"format": 3, "answers": [], "costs": {"facts": {"command": "watermark forgery --costs"}, "rows": rows}}
    (small / "forgery.json").write_text(json.dumps(content))
    data, page = rebuilt(small)
    assert [row["reached"] for row in data["security"]["costs"]["rows"]] == [True, True, False]
    assert "What it costs without the key" in page
    for price in ("27.3", "36.8", "never", "6 / 8", "watermark forgery --costs"):
        assert price in page


def test_bench_cases_become_plots_and_a_table(small, tmp_path):
    given = tmp_path / "bench.json"
    given.write_text(json.dumps({**FACTS, "cases": CASES}))
    assert main(["report", str(small), "--bench", str(given)]) == 0
    data, page = rebuilt(small)
    assert len(data["cost"]["scaling"]["cases"]) == len(CASES)
    assert page.count('class="plot scaling"') == 2
    assert data["cost"]["scaling"]["cases"][0]["fastest"] is None  # a file of format 1 has none
    growth = {(g["scheme"], g["stage"]): g for g in data["cost"]["scaling"]["growth"]}
    assert growth["steady", "embed"]["exponent"] == pytest.approx(
        0.5
    )  # seconds go with the side, pixels with its square


def test_a_power_law_is_found_with_its_interval_and_its_steepest_step():
    pixels = np.array([256, 512, 1024, 2048, 4096]) ** 2
    law = power_law(pixels, 3e-7 * pixels)
    assert (law.exponent, law.low, law.high, law.steepest) == pytest.approx((1, 1, 1, 1))
    bent = power_law(pixels, [0.1, 0.1, 0.1, 0.4, 1.6])  # flat, then proportional
    assert (bent.exponent, bent.high - bent.low > 0.9) == (pytest.approx(0.5), True)
    assert bent.steepest == pytest.approx(1)
    assert power_law(pixels[:2], [1, 2]).low is None
    assert power_law(pixels[:1], [1]) is None
    with pytest.raises(ValueError, match="above 0"):
        power_law(pixels, [0, 1, 1, 1, 1])


def test_speed_is_shown_in_images_a_second(small):
    data, page = rebuilt(small)
    card = data["schemes"][0]
    assert card["images_per_second"] == pytest.approx({"embed": 5.0, "decode": 10.0})  # 16 images in 3.2 and 1.6 s
    assert card["seconds"] == pytest.approx({"embed": 0.2, "decode": 0.1})
    assert all(row["images_per_second"] == pytest.approx(20) for row in data["cost"]["attacks"])
    assert "<dt>Embed / read, images/s</dt><dd>5.0 / 10</dd>" in page


@pytest.mark.parametrize("name", ["forgery", "bench"])
@pytest.mark.parametrize("content", ["{", "[1]", '{"answers": [{"scheme": "x"}], "cases": [{}]}'])
def test_a_file_that_is_something_else_is_refused_in_one_line(small, tmp_path, capsys, name, content):
    (tmp_path / "other.json").write_text(content)
    assert main(["report", str(small), f"--{name}", str(tmp_path / "other.json")]) == 2
    said = capsys.readouterr().err
    assert f"of watermark {name}" in said
    assert said.count("\n") == 1
    assert not (small / f"{name}.json").exists()


def test_lookups_are_read_from_the_run_folder(small):
    measured = {"successes": 1, "n": 20, "images": 3, "rate": 0.05, "low": 0.0, "high": 0.3}
    near = {"ids": 53, "right": measured, "wrong": measured, "none": measured}
    rungs = [{"promised": r, **measured, "supported": False} for r in (0.1, 0.01, 0.001, 0.0001)]
    found = {"near": near, "random": {"ids_per_reading": 200, "ladder": rungs}}
    (small / "lookups.json").write_text(json.dumps({"schemes": {"steady": found}}))
    data, page = rebuilt(small)
    by_scheme = {entry["scheme"]: entry for entry in data["identification"]["schemes"]}
    assert by_scheme["steady"]["near"]["wrong"]["successes"] == 1
    assert by_scheme["average"]["near"] is None
    assert "each against 200 or more random IDs" in page


def test_the_gain_of_the_code_is_counted_from_raw_bits(data, rows):
    part = rows[rows["marked"] & (rows["attack"] != "identity") & (rows["image_class"] == "photo")]
    part = part[(part["scheme"] == "average") & part["error"].isna()]
    gain = next(e for e in data["identification"]["schemes"] if e["scheme"] == "average")["gain"]
    assert gain["raw"]["successes"] == (part["bit_errors"] == 0).sum()
    assert gain["coded"]["successes"] == part["payload_ok"].eq(True).sum()
    read = part[part["payload_ok"].eq(True)]
    assert gain["most_wrong_bits_read"] == pytest.approx((read["bit_errors"] / 256).max())


def test_every_measure_has_its_mean_interval_and_worst_picture(sim, tmp_path):
    path = sim.simulate(tmp_path, sim.Simulation(photos=6, hard=0, samples=False))
    colour = {f"photo_{i:03d}.png": 1 + i / 10 for i in range(6)}
    sim.change_rows(path, lambda r: r.update(ciede2000=colour[r["image"]], lpips=0.01) if r["marked"] else None)
    (entry,) = [e for e in report_data(load_run(path))["embedding_quality"] if e["scheme"] == "steady"]
    assert entry["ciede2000"]["mean"] == pytest.approx(1.25)
    assert entry["ciede2000"]["low"] < 1.25 < entry["ciede2000"]["high"]
    assert (entry["ciede2000"]["worst"], entry["psnr"]["worst"]) == (1.5, entry["psnr"]["min"])  # which end is bad
    assert entry["dists"] is None
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["perceptual"] = {
        "lpips": {"backbone": "alexnet.pth", "sha256": "0" * 64},
        "flip": {"package": "flip-evaluator", "version": "1.7", "display": "67 px per degree"},
        "ssimulacra2": {"package": "ssimulacra2", "version": "0.3"},
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    page = build_report(path).read_text()
    assert "flip-evaluator 1.7, seen at 67 px per degree" in page
    assert "through alexnet.pth" in page
    assert "ColorVideoVDP are absent" not in page


def test_rows_of_an_older_run_read_as_not_measured(small):
    table = pq.read_table(small / "rows.parquet").drop_columns(["ms_ssim", "ciede2000", *PERCEPTUAL])
    pq.write_table(table, small / "rows.parquet")
    data, _ = rebuilt(small)
    assert data["embedding_quality"][0]["ms_ssim"] is None
    assert data["embedding_quality"][0]["psnr"]["images"] == 3


def test_a_rung_that_moved_some_pictures_and_others_not_has_no_cost(small, sim):
    sim.change_rows(
        small, lambda r: r.update(attack_psnr=None, attack_ssim=None) if r["image"] == "photo_000.png" else None
    )
    cells = report_data(load_run(small))["cells"]
    assert all(cell["attack_psnr"] is None for cell in cells)
