"""The published numbers next to ours: sane, attributed, and reachable with our own suites."""

from pathlib import Path

import pytest
import yaml

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
