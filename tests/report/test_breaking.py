"""Breaking points in the report: known ones come out, and everything beside them still stands."""

import json
import re
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from watermark.cli import main
from watermark.errors import UserError
from watermark.report import build_report, compare_runs, print_summary, schema
from watermark.report.breaking_plots import survival_steps
from watermark.report.sections.breaking import lost_at
from watermark.report.sections.sentence import who_withstands
from watermark.report.tables import caption, terminal


@pytest.fixture(scope="module")
def searched(sim, tmp_path_factory):
    path = sim.simulate_search(tmp_path_factory.mktemp("searched"))
    build_report(path)
    return path


@pytest.fixture(scope="module")
def told(searched):
    return json.loads((searched / "report.json").read_text())


def point(told, scheme, attack, group="natural"):
    (found,) = [
        p for p in told["breaking"]["points"] if (p["scheme"], p["attack"], p["group"]) == (scheme, attack, group)
    ]
    return found


def test_known_breaking_points_come_out_with_an_interval_that_holds_every_picture_of_six(told, sim):
    for scheme, attack in (("steady", "jpeg"), ("steady", "crop"), ("fragile", "jpeg"), ("fragile", "noise")):
        axis, found = sim.AXES[attack], point(told, scheme, attack)
        true = sorted(sim.breaks_at(scheme, attack, place) for place in range(6))
        coarse = 1 / 128 + (0.16 if attack == "jpeg" else 0.01)  # the coarsest step of JPEG qualities: 2 to 1
        assert true[2] <= found["median"]["level"] + 1e-9 <= true[2] + coarse
        assert found["median"]["strength"] == pytest.approx(axis.strength(found["median"]["level"]), rel=0.01)
        assert found["low"]["level"] <= found["median"]["level"] <= found["high"]["level"]
        assert found["low"]["level"] >= true[0]
        assert found["high"]["level"] >= true[5]
        assert (found["images"], found["never"], found["at_once"]) == (6, 0, 0)


def test_never_and_at_once_are_told_apart_from_a_strength(told):
    never, at_once = point(told, "steady", "noise"), point(told, "fragile", "crop")
    assert (never["never"], never["median"]) == (6, {"level": 1.0, "strength": None})
    assert never["curve"] == []
    assert (at_once["at_once"], at_once["median"]) == (6, {"level": 0.0, "strength": 0.95})
    assert [
        p["strength"] for p in told["breaking"]["pictures"] if p["scheme"] == "steady" and p["attack"] == "noise"
    ] == [None] * 8


def test_under_six_pictures_there_is_no_interval(told):
    assert point(told, "steady", "jpeg", "hard")["low"] is None


def test_the_survival_curve_is_that_of_kaplan_and_meier(told, sim):
    axis, found = sim.AXES["crop"], point(told, "steady", "crop")
    levels = [
        axis.level(p["strength"])
        for p in told["breaking"]["pictures"]
        if (p["scheme"], p["attack"], p["group"]) == ("steady", "crop", "natural")
    ]
    theirs = stats.ecdf(stats.CensoredData(uncensored=levels)).sf
    assert [step["rate"]["rate"] for step in found["curve"]] == pytest.approx(list(theirs.probabilities))
    assert [step["level"] for step in found["curve"]] == pytest.approx(list(theirs.quantiles))


def test_damage_is_that_of_the_reading_that_lost_the_mark(told):
    found = point(told, "fragile", "noise")
    assert found["attack_psnr"] == pytest.approx(40 - 20 * found["median"]["level"], abs=1)
    assert point(told, "steady", "crop")["attack_psnr"] is None  # pixels moved


def test_evidence_falls_along_the_axis(told):
    decades = [e["decades"] for e in point(told, "steady", "jpeg")["evidence"]]
    assert len(decades) == 17
    assert decades[4:] == sorted(decades[4:], reverse=True)
    assert decades[-1] < 6


def test_six_pictures_separate_two_schemes(told):
    (pair,) = told["pairwise"]
    assert pair["overall"]["p_joint"] == 0.03125
    assert pair["overall"]["separable"]
    assert all(test["separable"] for test in pair["attacks"])  # three tests; Holm would say .094
    assert max(test["p_holm"] for test in pair["attacks"]) > 0.05
    assert [(c["scheme"], c["rank"]) for c in told["schemes"]] == [("steady", "best"), ("fragile", "worse")]


def test_the_verdict_is_a_sentence_that_a_provider_understands(told, searched):
    jpeg = {name: f"{point(told, name, 'jpeg')['median']['strength']:.0f}" for name in ("steady", "fragile")}
    headline = told["verdict"]["headline"]
    assert headline == (
        f"steady is lost at jpeg {jpeg['steady']}, fragile at jpeg {jpeg['fragile']}; steady withstands most"
    )
    assert told["breaking"]["sentences"][1].startswith(
        "steady is not lost up to noise 0.8, fragile is lost at noise 0."
    )
    assert "fragile at once, at crop 0.95" in told["breaking"]["sentences"][2]
    console = Console(width=80, record=True)
    console.print(print_summary(searched))
    text = console.export_text()
    assert jpeg["steady"] in text
    assert "> 0.8" in text
    assert f"| jpeg 95 to 1 | {jpeg['steady']} [" in (searched / "table.md").read_text()
    assert "$>$ 0.8" in (searched / "table.tex").read_text()
    evidence = json.loads((searched / "robustness_evidence.json").read_text())
    assert evidence["fragile"]["robustnessEvidence"]["results"]["crop"]["breakingPoint"]["at_once"] == 6


def test_the_headline_names_the_scheme_that_the_first_attack_breaks_first(sim, tmp_path, monkeypatch):
    """It need not be the last over all attacks: whoever reads two strengths of JPEG takes them for the ends."""
    early = {"jpeg": 0.3, "noise": 0.9, "crop": 0.7}
    monkeypatch.setattr(sim, "BREAKS", sim.BREAKS | {"average": early})
    build_report(sim.simulate_search(tmp_path))
    told = json.loads((tmp_path / "report.json").read_text())
    assert [card["scheme"] for card in told["schemes"]] == ["steady", "average", "fragile"]
    lost = point(told, "average", "jpeg")["median"]["strength"]
    assert f", average at jpeg {lost:.3g}; steady" in told["verdict"]["headline"]


def test_the_table_of_a_run_of_searches_has_no_empty_column_and_names_what_breaks_a_scheme(searched, sim, tmp_path):
    table = (searched / "table.md").read_text()
    assert "Found, attacked" not in table
    assert "nothing measured" not in table
    assert "per attack" not in table
    weakest = {line.split(" | ")[0].strip("| "): line.split(" | ")[-1].strip("| ") for line in table.splitlines()}
    assert not re.search(r"\d+ / \d+ \[", table)  # of searched readings the counts alone
    assert weakest["steady"] == "jpeg, crop"  # noise takes none of its marks
    assert weakest["fragile"].startswith("crop, jpeg")
    build_report(sim.simulate_search(tmp_path, ladder=True))
    assert "Found, attacked" in (tmp_path / "table.md").read_text()


def test_the_head_of_the_page_counts_strengths_only_where_they_are_fixed(searched, sim, tmp_path):
    head = r"<span>3 attacks, searched along their axes</span>"
    assert head in (searched / "report.html").read_text()
    page = build_report(sim.simulate_search(tmp_path, ladder=True)).read_text()
    assert "<span>4 attacks, 2 strengths, others searched along their axes</span>" in page


def test_bands_of_many_schemes_show_only_at_their_line(told):
    axis, points = told["breaking"]["axes"][0], [point(told, "steady", "jpeg"), point(told, "fragile", "jpeg")]
    few = survival_steps(axis, points, ["steady", "fragile"])
    many = survival_steps(axis, points * 2, ["steady", "fragile"])
    assert ('class="plot survival"' in few, 'class="plot survival many"' in many) == (True, True)
    assert few.count('class="band"') == 2


def test_few_schemes_that_cannot_be_told_apart_are_named_and_many_are_counted():
    cards = [SimpleNamespace(scheme=f"s{place}", rank="not separable" if place else "best") for place in range(4)]
    assert who_withstands(cards[:2]) == "s0 and s1 cannot be told apart"
    assert who_withstands(cards) == "the 4 schemes cannot be told apart"


def test_the_paragraph_under_the_headline_repeats_no_number_of_the_cards(told, data):
    assert (
        told["verdict"]["detail"]
        == "Each of 6 photos was attacked harder and harder until its mark was lost: 3 attacks."
    )
    detail, card = data["verdict"]["detail"], data["schemes"][0]["detection"]
    assert (
        detail == f"Each of {card['images']} photos was marked, attacked and read: {card['n']} readings of each scheme."
    )
    for text in (told["verdict"], data["verdict"]):
        assert all(len(part.split()) <= 30 for part in f"{text['detail']} {text['promise']}".split(". "))


def test_the_table_of_seven_schemes_fits_a_terminal(told):
    names = ("learned_tough", "tile_spread", "tile_spread_tough", "learned", "dwt_dct", "hidden", "dwt_dct_svd")
    card, points = told["schemes"][1], [p for p in told["breaking"]["points"] if p["scheme"] == "fragile"]
    wide = told | {
        "schemes": [card | {"scheme": name} for name in names],
        "breaking": told["breaking"] | {"points": [p | {"scheme": name} for name in names for p in points]},
    }
    console = Console(width=80, record=True)
    console.print(terminal(wide))
    text = console.export_text()
    assert "…" not in text
    assert text.count("0.95") == 7 + 1  # and the mild end of the axis
    assert "95 % intervals stand in the report" in " ".join(text.split())


def test_a_narrow_table_has_words_as_wide_as_the_terminal_and_fixed_strengths_one_of_their_own(sim, tmp_path):
    build_report(sim.simulate_search(tmp_path, ladder=True))
    console = Console(width=80, record=True)
    console.print(print_summary(tmp_path))
    lines = console.export_text().splitlines()
    assert max(len(line.rstrip()) for line in lines[-4:]) > 60
    assert any("Lost at" in line for line in lines)
    assert any("Weakest against" in line for line in lines)


def test_what_a_matched_search_rests_on_is_said(told):
    config = {"protocol": "matched", "matched_by": "ssim", "matched_at": 0.98}
    covered = told["coverage"] | {"not_marked": {"fragile": 2}}
    said = caption(told | {"provenance": told["provenance"] | {"config": config}, "coverage": covered})
    assert "with its 95 % interval" in said
    assert "2 pictures of" in said
    assert "Every picture is brought to ssim 0.98" in said


def test_no_rate_is_made_of_searched_readings(told):
    assert {entry["attack"] for entry in told["ladders"]} == {"identity"}
    assert all(card["detection"]["n"] == 0 and card["misattribution"]["n"] > 0 for card in told["schemes"])
    jsonschema.validate(told, schema())


def test_a_run_of_searches_draws_no_empty_plane_of_damage(told, searched):
    page = (searched / "report.html").read_text()
    assert told["quality_plane"]["curves"] == []
    assert "found (%) against damage" not in page
    assert "is drawn for attacks at fixed strengths" in page


def test_searched_and_laddered_attacks_stand_in_one_report(sim, tmp_path):
    page = build_report(sim.simulate_search(tmp_path / "both", ladder=True)).read_text()
    told = json.loads((tmp_path / "both" / "report.json").read_text())
    assert {entry["attack"] for entry in told["ladders"]} == {"identity", "rotate"}
    assert [a["searched"] for a in told["attacks"]] == [True, True, True, False]
    assert all(card["detection"]["n"] == 12 for card in told["schemes"])
    assert "rotate" in page


def test_compare_pairs_breaking_points(sim, searched, tmp_path):
    other = sim.simulate_search(tmp_path / "stronger", shift=0.1)
    found = compare_runs(searched, other)
    by_attack = {(c["scheme"], c["attack"]): c for c in found.changes}
    assert by_attack["fragile", "noise"]["difference"] == pytest.approx(0.1, abs=0.02)
    assert by_attack["fragile", "noise"]["verdict"] == "better"
    assert by_attack["steady", "noise"]["verdict"] == "identical"  # neither ever broke
    assert by_attack["fragile", "all"]["verdict"] == "better"
    assert np.isfinite(by_attack["steady", "all"]["p"])


def test_six_pictures_separate_an_attack_however_many_are_compared(sim, searched, tmp_path, capsys):
    """Corrected jointly: every picture lost its mark later. By Holm three attacks would have had p of .09."""
    other = sim.simulate_search(tmp_path / "stronger", hard=0, shift=0.1)
    before = sim.simulate_search(tmp_path / "before", hard=0)
    for run in (before, other):
        build_report(run)
    found = {(c["scheme"], c["attack"]): c for c in compare_runs(before, other).changes}
    assert found["fragile", "noise"]["p_joint"] == pytest.approx(1 / 32)
    assert found["fragile", "noise"]["verdict"] == "better"
    assert [c["attack"] for c in compare_runs(before, other).changes][:4] == ["all", "jpeg", "noise", "crop"]
    assert main(["compare", str(before), str(other)]) == 0
    assert "With 6 pictures no test can give p below 0.031" in " ".join(capsys.readouterr().out.split())


def test_a_search_and_fixed_strengths_are_not_compared_and_told_so(sim, searched, tmp_path):
    fixed = sim.simulate(tmp_path, sim.Simulation(photos=6, hard=2, samples=False))
    with pytest.raises(ValueError, match="two runs at fixed strengths or two that searched, got one of each"):
        compare_runs(searched, fixed)


def test_a_mark_that_most_pictures_keep_is_not_called_never_lost(told, sim):
    axis = sim.AXES["noise"]
    kept = SimpleNamespace(**point(told, "steady", "noise") | {"median": SimpleNamespace(level=1.0, strength=None)})
    assert lost_at([kept], axis) == "steady is not lost up to noise 0.8"
    kept.never -= 2
    assert lost_at([kept], axis) == "steady keeps most marks up to noise 0.8"


def test_an_axis_that_is_none_is_told_in_one_line(sim, tmp_path):
    path = sim.simulate_search(tmp_path / "odd", photos=1, hard=0)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["attacks"]["jpeg"]["axis"]["mild"] = 0
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"manifest\.json: axis: mild and harsh must be above 0 on a log scale"):
        build_report(path)
