"""The files: whole, valid, rebuilt from the rows alone, one page without network."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from watermark.evaluation.rows import load_run
from watermark.report import build_report, compare_runs, print_summary, schema
from watermark.report.curves import positions
from watermark.report.samples import samples
from watermark.report.wording import interval, n_of, percent, upper_bound


def test_report_json_is_valid_and_a_broken_one_is_not(data):
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(data, schema())
    broken = json.loads(json.dumps(data))
    broken["schemes"][0]["detection"]["rate"] = 97
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema())


def test_rebuilding_gives_the_same_bytes(run_dir):
    names = ["report.html", "report.json", "summary.json", "robustness_evidence.json", "table.md", "table.tex"]
    before = {name: (run_dir / name).read_bytes() for name in names}
    assert build_report(run_dir) == run_dir / "report.html"
    assert {name: (run_dir / name).read_bytes() for name in names} == before
    assert not list(run_dir.glob(".*"))


def test_the_report_needs_no_torch():
    code = "import sys, watermark.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_is_one_file_without_network(page):
    assert not re.search(r'<[a-z][^>]*\s(?:src|href|action)\s*=\s*(?!["\']?(?:data:|#))', page)
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)|fetch\(|XMLHttpRequest|<iframe|<link(?! rel=\"icon\")", page)


def test_the_page_says_who_wins_how_sure_and_what_failed(page, data):
    assert data["verdict"]["headline"].split(":")[0] in page
    assert "Only 12 pictures" in page
    assert "refused: needs" in page
    assert "ValueError: simulated" in page
    for attack in data["attacks"]:
        assert page.count(f'data-attack="{attack["name"]}"') >= 3
    assert page.count("data:image/webp") >= 3


def test_pictures_and_pairs_stand_in_the_order_of_the_page(sim, run_dir, tmp_path):
    names = ["fragile", "average", "steady"]
    strip = samples(load_run(run_dir), names)[0]
    assert [one["scheme"] for one in strip["schemes"]] == names
    assert strip["attacked"]
    assert all([one["scheme"] for one in shown["answers"]] == names for shown in strip["attacked"])
    schemes = {name: {"steady": 1.6, "average": 1.05, "fragile": 0.8}[name] for name in names}
    page = build_report(sim.simulate(tmp_path, sim.Simulation(schemes=schemes, hard=0, samples=False))).read_text()
    pairs = [set(pair.split()) for pair in re.findall('data-pair="([^"]+)"', page)]
    assert pairs == [{"steady", "average"}, {"steady", "fragile"}, {"average", "fragile"}]


def test_the_page_shows_what_issue_and_protocol_ask_for(page, data):
    card = data["schemes"][0]
    assert f"<dt>Channel bits right</dt><dd>{100 * card['bit_accuracy']:.1f}&nbsp;%</dd>" in page
    assert f"of their rate</dt><dd>{interval(card['false_positives'])}</dd>" in page
    assert f">{data['thresholds'][0]['auc'][0]['auc']:.4f}</td>" in page
    largest = data["identification"]["schemes"][0]["lookup"][-1]
    assert largest["size"] == 10_000_000
    assert f"<td>{100 * largest['right']:.1f}</td>" in page
    assert {"avg_p", "avg_q", "q_at_95", "q_at_70"} <= data["quality_plane"]["curves"][0].keys()
    assert {entry["kind"] for entry in data["breakdown"]} == {"content", "resolution", "aspect"}


def test_the_documentation_names_every_part_of_the_report():
    page = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    assert [name for name in schema()["properties"] if f"`{name}`" not in page] == []


def test_summary_is_small_and_carries_n_intervals_and_provenance(run_dir):
    summary = json.loads((run_dir / "summary.json").read_text())
    assert len((run_dir / "summary.json").read_text()) < 10_000
    assert summary["schemes"]["steady"]["detection"].keys() == {"successes", "n", "images", "rate", "low", "high"}
    assert summary["data"]["manifest_hash"] == "a" * 64
    assert summary["config"] == {"seed": 0, "suite": "simulated"}
    assert summary["config_hash"]
    assert summary["versions"]["torch"] == "2.11.0"


def test_evidence_has_the_fields_of_c2pa_issue_61(run_dir, data):
    evidence = json.loads((run_dir / "robustness_evidence.json").read_text())
    assert evidence.keys() == {"steady", "average", "fragile"}
    entry = evidence["steady"]["robustnessEvidence"]
    assert entry.keys() == {"methodology", "corpus", "harness", "date", "results"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    assert entry["results"].keys() == {"unattacked", "jpeg", "noise", "rotate", "crop"}
    assert entry["results"]["jpeg"]["detection"]["n"] == 36


def test_tables_have_a_row_per_attack_and_an_interval_per_cell(run_dir):
    markdown, latex = ((run_dir / f"table.{kind}").read_text() for kind in ("md", "tex"))
    for attack in ("identity", "jpeg", "noise", "rotate", "crop"):
        assert len(re.findall(rf"^\| {attack} (?:\| [<\d.]+\u202f% \[.+ to .+\] ){{3}}\|$", markdown, re.M)) == 1
        assert re.search(rf"^{attack} &.*\\\\$", latex, re.M)
    assert latex.count("{") == latex.count("}")


def test_an_attack_that_took_no_mark_is_not_called_the_weakest(run_dir, data):
    for card in data["schemes"]:
        named = re.search(rf"^\| {card['scheme']} \|.*\| ([^|]*) \|$", (run_dir / "table.md").read_text(), re.M)[1]
        took = [cell["attack"] for cell in card["worst"] if cell["detection"]["successes"] < cell["detection"]["n"]]
        assert named == (", ".join(took) or "none")


def test_terminal_summary_names_every_scheme(run_dir):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(print_summary(run_dir))
    text = console.export_text()
    assert "…" not in text
    assert all(name in text for name in ("steady", "average", "fragile", "0 /"))


@pytest.mark.parametrize("missing", ["logits", "costs", "samples", "negatives", "identity"])
def test_a_run_that_kept_less_still_reports(sim, tmp_path, missing):
    import pyarrow.parquet as pq

    plan = sim.Simulation(photos=3, hard=1, logits=missing != "logits", samples=missing != "samples")
    path = sim.simulate(tmp_path, plan)
    if missing == "costs":
        (path / "costs.parquet").unlink()
    if missing in ("negatives", "identity"):
        table = pq.read_table(path / "rows.parquet")
        column = "marked" if missing == "negatives" else "attack"
        pq.write_table(
            table.filter([v not in (False, "identity") for v in table[column].to_pylist()]), path / "rows.parquet"
        )
    page = build_report(path).read_text()
    said = {
        "logits": "kept no soft decisions",
        "costs": "kept no times",
        "samples": "kept no sample pictures",
        "negatives": "No unmarked picture was read",
        "identity": "Verdict",
    }
    assert said[missing] in page
    jsonschema.validate(json.loads((path / "report.json").read_text()), schema())


def test_names_cannot_smuggle_markup(sim, tmp_path):
    nasty = "<img src=x onerror=alert(1)>"
    path = sim.simulate(tmp_path, sim.Simulation(photos=2, hard=0, schemes={nasty: 1.6}, samples=False))
    sim.change_rows(path, lambda row: row.update(error=nasty) if row["attack"] == "crop" else None)
    assert "<img src=x" not in build_report(path).read_text()


def test_harsher_lies_to_the_right():
    lower = positions({"strengths": [90, 10, 50], "harder": "lower"})
    assert lower[90] < lower[50] < lower[10]
    higher = positions({"strengths": [0.1, 0.02], "harder": "higher"})
    assert higher[0.02] < higher[0.1]
    away = positions({"strengths": [0.5, 2.0, 1.2], "harder": "away"})
    assert away[0.5] < away[1.2] < away[2.0]
    crowded = positions({"strengths": [1, 2, 4, 8, 100], "harder": "higher"})
    assert crowded[2] - crowded[1] == pytest.approx(0.25)


def label_of(page, attack):
    """What stands under the plot of an attack."""
    plot = re.search(rf'<figure data-attack="{attack}".*?</svg>', page, re.DOTALL).group()
    return re.findall(r"<text[^>]*>([^<]*)</text>", plot)[-1]


@pytest.mark.parametrize(
    ("rungs", "facts", "order", "label"),
    [
        ([-9, -1, 1, 9], {"identity": 0}, [-9, -1, 1, 9], "degrees (harsher to both sides)"),
        ([-9, 0, 1, 9], {"identity": 0, "unit": "x" * 40}, [-9, 0, 1, 9], "angle (harsher to both sides)"),
        ([-9, -1, 0, 0], {"identity": 0}, [0, -1, -9], "degrees → harsher"),
        ([9, 1, 2, 3], {"identity": 0}, [1, 2, 3, 9], "degrees → harsher"),
        ([0.5, 0.8, 0.67, 0.5], {}, [0.8, 0.67, 0.5], "degrees → harsher"),  # as a screenshot: its axis ends at .1
        ([1, 0.8, 0.67, 0.5], {}, [1, 0.8, 0.67, 0.5], "degrees → harsher"),
        ([1, 1.25, 0.8, 0.5], {}, [0.5, 0.8, 1, 1.25], "degrees (harsher to both sides)"),
    ],
)
def test_milder_is_left_wherever_the_strengths_lie_on_one_side(sim, tmp_path, rungs, facts, order, label):
    run = sim.simulate(tmp_path, sim.Simulation(photos=2, hard=0, samples=False))
    sim.change_rows(run, lambda row: row.update(strength=rungs[row["seed"]]) if row["attack"] == "rotate" else None)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["attacks"]["rotate"] |= facts
    manifest["config"]["suite"] = {"rotate": {"axis": {"scale": "log", "mild": 0.95, "harsh": 0.1}}, "crop": None}
    (run / "manifest.json").write_text(json.dumps(manifest))
    page = build_report(run).read_text()
    report = json.loads((run / "report.json").read_text())
    (rotate,) = [attack for attack in report["attacks"] if attack["name"] == "rotate"]
    assert rotate["strengths"] == order
    assert sorted(order, key=positions(rotate).get) == order
    assert label_of(page, "rotate") == label
    assert ("the mildest lies in between" in page) == ("both sides" in label)


def rate_of(successes, n, low, high, images=None):
    return {"successes": successes, "n": n, "images": images or n, "rate": successes / n, "low": low, "high": high}


def test_words_never_round_a_miss_away_or_a_bound_down():
    assert percent(rate_of(999, 1000, 0.994, 0.99998)) == "99.9\u202f%"
    assert percent(rate_of(99999, 100000, 0.9, 1.0)) == "99\u202f%"
    assert percent(rate_of(1, 100000, 0.0, 0.05)) == "<1\u202f%"
    assert percent(rate_of(12, 12, 0.735, 1.0)) == "100\u202f%"
    assert interval(rate_of(12, 12, 0.7353, 1.0)) == "73 to 100\u202f%"
    assert n_of(rate_of(5, 144, 0, 1, images=12)) == "n = 144 readings of 12 images"
    assert upper_bound(0.003682) == "0.37\u202f%"
    assert upper_bound(0.00361) == "0.37\u202f%"


def test_compare_finds_what_got_worse_and_what_cannot_be_told(sim, tmp_path):
    before = sim.simulate(tmp_path / "a", sim.Simulation(samples=False))
    after = sim.simulate(tmp_path / "b", sim.Simulation(samples=False))

    def worsen(row):
        if row["marked"] and row["scheme"] == "steady" and row["attack"] in ("noise", "rotate"):
            row["is_marked"] = False
        if row["marked"] and row["scheme"] == "average" and row["attack"] == "crop" and row["image"] == "photo_000.png":
            row["is_marked"] = not row["is_marked"]

    sim.change_rows(after, worsen)
    found = compare_runs(before, after)
    verdicts = {(c["scheme"], c["attack"]): c["verdict"] for c in found.changes}
    assert verdicts["steady", "noise"] == verdicts["steady", "all"] == "worse"
    assert verdicts["steady", "jpeg"] == "identical"
    assert verdicts["average", "crop"] == "not separable"
    assert verdicts["fragile", "all"] == "identical"
    assert found.same_images == 16
    assert found.only_a == found.only_b == []
    assert found.table().row_count == 15
    long = replace(
        found, changes=[change | {"attack": "gaussian_noise_after_a_screenshot"} for change in found.changes]
    )
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(long.table())
    assert "…" not in console.export_text()  # narrow: a name stands in several lines, and none is cut
    named = replace(
        found, changes=[change | {"scheme": "tile_spread", "attack": "gaussian_noise"} for change in found.changes]
    )
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(named.table())
    assert console.export_text().count("tile_spread  gaussian_noise  ") == 15  # and those of our suites in one


def test_compare_refuses_runs_on_other_pixels(sim, tmp_path):
    before, after = (sim.simulate(tmp_path / n, sim.Simulation(photos=2, hard=0, samples=False)) for n in "ab")
    manifest = json.loads((after / "manifest.json").read_text())
    manifest["data"]["images"][0]["sha256"] = "1" * 64
    (after / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="1 differ"):
        compare_runs(before, after)


def test_compare_says_how_schemes_of_two_runs_are_compared(sim, tmp_path):
    before, after = (sim.simulate(tmp_path / n, sim.Simulation(photos=2, hard=0, samples=False)) for n in "ab")
    for run, name in ((before, "steady"), (after, "fragile")):
        sim.keep_rows(run, lambda row, name=name: row["scheme"] == name)
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["schemes"] = {name: manifest["schemes"][name]}
        (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"two runs of one scheme, got steady and fragile; .*schemes=\[A,B\]$"):
        compare_runs(before, after)


def test_compare_names_a_scheme_that_one_run_lacks_once(sim, tmp_path):
    before, after = (sim.simulate(tmp_path / n, sim.Simulation(photos=2, hard=0, samples=False)) for n in "ab")
    few = {"fragile": ("identity", "jpeg")}
    sim.keep_rows(before, lambda row: row["scheme"] == "steady" and (row["attack"], row["strength"]) != ("noise", 0.05))
    sim.keep_rows(after, lambda row: row["attack"] in few.get(row["scheme"], sim.ATTACKS))
    manifest = json.loads((before / "manifest.json").read_text())
    manifest["schemes"] = {"steady": manifest["schemes"]["steady"]}
    (before / "manifest.json").write_text(json.dumps(manifest))
    missing = ["average (all 4 attacks)", "fragile (1 attack)", "noise 0.05"]
    assert (compare_runs(before, after).only_a, compare_runs(before, after).only_b) == ([], missing)
    assert compare_runs(after, before).only_a == missing


def test_compare_names_an_attack_once_with_the_strengths_that_one_run_lacks(sim, tmp_path):
    before, after = (sim.simulate(tmp_path / n, sim.Simulation(photos=2, hard=0, samples=False)) for n in "ab")
    for_all = {("noise", 0.05), ("jpeg", 90), ("noise", 0.02)}
    for_some = {("steady", "rotate"), ("fragile", "rotate"), ("average", "crop")}
    cell = lambda row: (row["attack"], row["strength"])  # noqa: E731
    sim.keep_rows(before, lambda row: cell(row) not in for_all and (row["scheme"], row["attack"]) not in for_some)
    wanted = ["average: crop 0.5 0.9", "jpeg 90", "noise 0.02 0.05", "fragile, steady: rotate -9 -1 1 9"]
    assert (compare_runs(before, after).only_a, compare_runs(before, after).only_b) == ([], wanted)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"data": {"_target_": "watermark.data.folder.FolderImages", "path": "/my/pictures"}}, "folder"),
        ({"data": {"_target_": "watermark.data.bundled.BundledImages"}}, "data set"),
        ({}, "data set"),
    ],
)
def test_the_head_names_the_folder_as_a_folder(sim, tmp_path, config, said):
    run = sim.simulate(tmp_path, sim.Simulation(photos=2, hard=0, samples=False))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["config"] = config
    manifest["data"]["name"] = "pictures"
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert f"<span>2 images from the {said} “pictures”</span>" in build_report(run).read_text()


def test_schemes_that_share_the_highest_rate_share_its_badge(sim, tmp_path):
    run = sim.simulate(tmp_path / "run", sim.Simulation(photos=3, hard=0, samples=False))
    page = build_report(run).read_text()
    assert page.count(">highest rate<") == 1
    assert "highest rate, shared" not in page
    sim.change_rows(run, lambda row: row.update(is_marked=row["marked"]))
    page = build_report(run).read_text()
    assert page.count(">highest rate, shared<") == len(json.loads((run / "report.json").read_text())["schemes"])
    assert ">highest rate<" not in page
