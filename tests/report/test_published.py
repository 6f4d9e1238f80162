"""The published numbers next to ours: sane, attributed, and reachable with our own suites."""

import re
from pathlib import Path

import pytest
import yaml

from watermark.report import build_report
from watermark.report.published import published

CONFIGS = Path(__file__).parents[2] / "configs"
TWINS = published()["twins"]


def ladder(suite, attack):
    """The strengths that a suite gives an attack: its own, or those of the attack's file."""
    own = yaml.safe_load((CONFIGS / "suite" / f"{suite}.yaml").read_text()).get(attack) or {}
    given = yaml.safe_load((CONFIGS / "attack" / f"{attack}.yaml").read_text()) | own
    return [float(value) for values in given["sweep"].values() for value in values]


@pytest.mark.parametrize("twin", TWINS, ids=lambda t: f"{t['source']}-{t['attack']}-{t.get('strengths', '')}")
def test_every_number_is_a_rate_with_a_source_and_an_attack_of_ours(twin):
    assert all(0 <= value <= 1 for value in twin["values"].values())
    assert published()["sources"][twin["source"]].keys() == {"title", "measure", "data", "quality"}
    for attack in twin.get("parts") or [twin["attack"]]:
        assert (CONFIGS / "attack" / f"{attack}.yaml").is_file()


@pytest.mark.parametrize(("source", "suite"), [("WAVES", "waves"), ("W-Bench", "wbench")])
def test_whole_ladders_are_reached_by_the_suite_of_that_name(source, suite):
    whole = [t for t in TWINS if t["source"] == source and len(t.get("strengths", [1, 2])) > 1]
    assert whole
    missed = []
    for twin in whole:
        for attack, strengths in (twin.get("parts") or {twin["attack"]: twin["strengths"]}).items():
            if not set(map(float, strengths)) <= set(ladder(suite, attack)):
                missed.append((attack, strengths, ladder(suite, attack)))
    assert missed == []


@pytest.mark.parametrize(
    ("values", "bold"),
    [
        ({"a": 0.5, "b": 1, "c": 1}, ["b 100", "c 100"]),
        ({"a": 0.997, "b": 0.5, "c": 0.998}, ["a 100", "c 100"]),  # the same as printed
        ({"a": 0.2, "b": 0.1, "c": 0}, ["a 20"]),
        ({"a": 0, "b": 0, "c": 0}, []),
        ({"a": 0.7, "b": 0.7}, []),
    ],
)
def test_all_that_share_the_best_value_are_bold_and_none_where_all_do(sim, tmp_path, monkeypatch, values, bold):
    source = {"title": "t", "measure": "m", "data": "d", "quality": "q"}
    twin = {"source": "s", "attack": "jpeg", "strengths": [50], "values": values}
    monkeypatch.setattr("watermark.report.published.published", lambda: {"sources": {"s": source}, "twins": [twin]})
    run = sim.simulate(tmp_path, sim.Simulation(photos=2, hard=0, samples=False))
    section = re.search(r'<section id="published">.*?</section>', build_report(run).read_text(), re.DOTALL).group()
    assert "a " in section
    assert re.findall(r"<b>(.*?)</b>", section) == bold
