"""Summaries of runs as one page, and the mean that gives every family of attacks the same say."""

import json
from pathlib import Path

import pytest
import yaml

from watermark.cli import main
from watermark.errors import UserError
from watermark.evaluation.rows import load_run
from watermark.report import build_report
from watermark.report.balance import balanced, families
from watermark.report.data import report_data
from watermark.report.leaderboard import leaderboard_page, read_entries

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ran(sim, tmp_path):
    """A run whose manifest says what family an attack is of."""
    path = sim.simulate(tmp_path / "run", sim.Simulation(photos=3, hard=0, samples=False))
    manifest = json.loads((path / "manifest.json").read_text())
    for number, facts in enumerate(manifest["attacks"].values()):
        facts["family"] = ("compression", "geometry", "removal")[number % 3]
    (path / "manifest.json").write_text(json.dumps(manifest))
    build_report(path)
    return path


def test_a_mean_over_families_is_not_moved_by_a_second_name_for_one_attack():
    def data(*attacks):
        kinds = [{"name": name, "family": family} for name, family, _ in attacks]
        rate = {name: {"n": 10, "rate": share} for name, _, share in attacks}
        facts = {"scheme": "s", "group": "natural"}
        return {
            "attacks": kinds,
            "cells": [facts | {"attack": n, "detection": rate[n], "payload": rate[n]} for n, _, _ in attacks],
        }

    few = data(("jpeg", "compression", 1.0), ("crop", "geometry", 0.5), ("rinse", "removal", 0.0))
    many = data(*((f"jpeg{i}", "compression", 1.0) for i in range(9)), ("crop", "geometry", 0.5), ("x", "other", 0.0))
    for measured in (few, many):
        mean = balanced(families(measured, "s", "natural"))
        assert mean == {"families": ["geometry", "compression"], "detection": 0.75, "payload": 0.75}
    assert families(few, "s", "natural")["removal"]["detection"] == 0.0
    assert families(few, "s", "hard") == {}
    assert balanced({}) == {"families": [], "detection": None, "payload": None}


def test_a_drawn_run_stands_under_a_suite_of_its_own(ran, tmp_path):
    """So that nobody takes it for the whole suite, and the page can be filtered by it."""
    sent = json.loads((ran / "summary.json").read_text())
    sent["config"] |= {"suite_name": "standard", "cells": 6}
    (tmp_path / "sent.json").write_text(json.dumps(sent))
    assert {entry.suite for entry in read_entries(tmp_path / "sent.json")} == {"standard, 6 cells a picture"}


def test_bits_are_those_of_the_scheme_tables_information_without_check_bits():
    entries = [entry for path in sorted((ROOT / "results/leaderboard").glob("*.json")) for entry in read_entries(path)]
    assert {entry.bits for entry in entries} == {56}  # 4 of the version, 12 of the provider, 40 of the content


def test_the_page_holds_every_scheme_and_nothing_that_an_entry_smuggles_in(ran, tmp_path, capsys):
    sent = json.loads((ran / "summary.json").read_text())
    sent |= {"by": "<script>alert(1)</script>", "evidence": "https://example.org/run"}
    (tmp_path / "sent.json").write_text(json.dumps(sent))
    (tmp_path / "other.json").write_text((ran / "summary.json").read_text())
    page = tmp_path / "board.html"
    files = [str(tmp_path / "sent.json"), str(tmp_path / "other.json")]
    assert main(["leaderboard", *files, "--output", files[0], "--overwrite"]) == 2  # not over what it reads
    assert main(["leaderboard", *files, "--output", str(page)]) == 0
    entries = read_entries(ran)
    assert f"{2 * len(entries)} entries" in capsys.readouterr().out
    html = page.read_text()
    assert "<script>alert" not in html
    assert 'href="https://example.org/run"' in html
    data = report_data(load_run(ran))
    for entry in entries:
        assert f"<td>{entry.scheme}</td>" in html
        assert entry.facts["balanced"] == balanced(families(data, entry.scheme, entry.facts["group"]))
    assert main(["leaderboard", str(ran), "--output", str(page)]) == 2  # it is there already


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evidence": "javascript:alert(1)"}, "evidence: expected a link that begins with https://"),
        ({"schemes": {"a": {"group": "natural"}}}, "made by older code"),
        ({"command": 5}, "command: expected"),
        ({"schemes": []}, "schemes: expected"),
    ],
)
def test_what_is_no_entry_is_one_line(ran, tmp_path, change, said):
    sent = json.loads((ran / "summary.json").read_text()) | change
    (tmp_path / "sent.json").write_text(json.dumps(sent))
    with pytest.raises(UserError, match=said):
        read_entries(tmp_path / "sent.json")


def places(value, here=()):
    """Where something stands in an object, as keys from the outside in."""
    for key, item in value.items():
        yield (*here, key)
        if isinstance(item, dict):
            yield from places(item, (*here, key))


@pytest.mark.parametrize("change", ["taken out", "10**400", "a script", "another kind"])
def test_an_entry_that_is_wrong_in_any_place_is_shown_or_refused_in_one_line(tmp_path, change):
    whole = json.loads(next(iter(sorted((ROOT / "results" / "leaderboard").glob("*.json")))).read_text())
    whole["schemes"] = dict([next(iter(whole["schemes"].items()))])
    suite = whole["config"]["suite"]  # 80 attacks, all of the same shapes
    whole["config"]["suite"] = {name: suite[name] for name in ("jpeg", "crop", "chain_videoseal")}
    values = {"10**400": 10**400, "a script": "</script><script>alert(1)</script>", "another kind": [{"x": {}}]}
    file, refused = tmp_path / "summary.json", 0
    for place in list(places(whole)):
        changed = json.loads(json.dumps(whole))
        around = changed
        for key in place[:-1]:
            around = around[key]
        around.pop(place[-1]) if change == "taken out" else around.update({place[-1]: values[change]})
        file.write_text(json.dumps(changed))
        try:
            assert "alert(1)</script>" not in leaderboard_page(read_entries(file))
        except UserError as error:
            refused += str(error).isprintable()
    assert refused > 10


def test_the_entries_of_this_repository_are_read(tmp_path):
    files = sorted((ROOT / "results" / "leaderboard").glob("*.json"))
    assert files
    entries = [entry for file in files for entry in read_entries(file)]
    assert "<table" in leaderboard_page(entries)
    listed = (ROOT / "results" / "leaderboard" / "README.md").read_text()
    for file in files:
        assert f"`{file.name}`" in listed
        assert json.loads(file.read_text())["command"].replace("'", "") in listed


@pytest.mark.parametrize("name", ["new-scheme", "outside-evaluation"])
def test_issue_forms_are_of_the_shape_that_github_reads(name):
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert form["name"]
    assert form["description"]
    assert all(part["type"] in {"input", "textarea"} and part["attributes"]["label"] for part in form["body"])
    assert len({part["id"] for part in form["body"]}) == len(form["body"])
