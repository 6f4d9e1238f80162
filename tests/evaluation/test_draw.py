"""``cells=N``: every picture meets some of the suite's cells, dealt evenly, and every number counts those."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import config, load, quiet, rows_of

from watermark.cli import main
from watermark.errors import UserError
from watermark.evaluation.draw import draw
from watermark.evaluation.gather import units
from watermark.evaluation.job import Job
from watermark.evaluation.remeasure import remeasure
from watermark.evaluation.rows import load_run
from watermark.evaluation.run import run, run_folder
from watermark.report import build_report
from watermark.report.balance import families
from watermark.report.compare import compare_runs
from watermark.report.data import report_data

FAMILIES = ("geometry", "compression", "filter")


def drawn_config(output, **changes):
    """Six pictures, 3 of 7 attacked cells each: cells are dealt 2 or 3 times, 18 in all."""
    jpeg, crop = load("attack", "jpeg"), load("attack", "crop")
    jpeg["sweep"], crop["sweep"] = {"quality": [90, 60, 30]}, {"area": [0.9, 0.8, 0.7]}
    settings = {"suite": {"jpeg": jpeg, "crop": crop, "flip": load("attack", "flip")}, "cells": 3}
    return (
        config(output, data={**load("data", "synthetic"), "count": 6, "width": 128, "height": 128}) | settings | changes
    )


def names(folder):
    return [
        (row["scheme"], row["image"], row["key"], row["attack"], row["strength"], row["marked"])
        for row in rows_of(folder).to_pylist()
    ]


@pytest.fixture(scope="module")
def drawn(frozen_code, tmp_path_factory):
    return run(Job(drawn_config(tmp_path_factory.mktemp("drawn"), unmarked=2, samples=1)), quiet)


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=7),
    pictures=st.integers(1, 40),
    keys=st.integers(1, 3),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_every_hand_is_full_every_cell_as_frequent_and_every_family_has_its_share(counts, pictures, keys, seed, data):
    cells = {(f"{number}", float(rung)): FAMILIES[number % 3] for number, n in enumerate(counts) for rung in range(n)}
    each = data.draw(st.integers(1, len(cells)))
    found = draw(cells, [f"{number}.png" for number in range(pictures)], each, seed, keys)
    hands = found.hands()
    assert set(hands) == {(picture, key) for picture in range(pictures) for key in range(keys)}
    assert {len(hand) for hand in hands.values()} == {each}  # as sets: none twice
    times = Counter(cell for hand in hands.values() for cell in hand)
    assert max(times.values()) - min(times.get(cell, 0) for cell in cells) <= 1
    for family in FAMILIES:
        own = [sum(cells[cell] == family for cell in hand) for hand in hands.values()]
        assert max(own) - min(own) <= 1
    for cell in cells:
        assert found.pictures(cell) == {picture for (picture, _), hand in hands.items() if cell in hand}
        assert len(found.pictures(cell)) == min(times[cell], pictures)  # under many keys: first all other pictures


def test_every_pair_of_picture_and_cell_has_the_same_chance():
    cells = {("a", 1.0): "x", ("a", 2.0): "x", ("a", 3.0): "x", ("b", None): "y", ("c", None): "z"}
    met = Counter(
        (cell, picture)
        for seed in range(2000)
        for (picture, _), hand in draw(cells, ["p", "q", "r"], 2, seed).hands().items()
        for cell in hand
    )
    assert len(met) == 15
    assert all(800 - 110 < times < 800 + 110 for times in met.values())  # five standard deviations


def test_a_draw_stays_for_years():
    """Hashes, no generator of a library: a run of last year resumes with the cells that it began with."""
    cells = {("jpeg", 50.0): "compression", ("jpeg", 30.0): "compression", ("flip", None): "geometry"}
    hands = {(0, 0): {("jpeg", 50.0)}, (1, 0): {("jpeg", 30.0)}, (2, 0): {("flip", None)}}
    assert draw(cells, ["a", "b", "c"], 1, 7).hands() == hands


def test_the_hand_is_that_of_the_picture_and_the_same_for_every_scheme_marked_or_not(drawn):
    rows = rows_of(drawn).to_pylist()
    hands = {}
    for row in rows:
        hand = hands.setdefault((row["image"], row["scheme"], row["marked"]), [])
        hand.append((row["attack"], row["strength"]))
    by_picture = {}
    for (image, _, _), hand in hands.items():
        by_picture.setdefault(image, set()).add(tuple(hand))
    assert len(by_picture) == 6
    assert all(len(hand) == 1 for hand in by_picture.values())
    assert all(next(iter(hand))[0] == ("identity", None) and len(next(iter(hand))) == 4 for hand in by_picture.values())
    assert len({next(iter(hand)) for hand in by_picture.values()}) > 1
    assert sum(not row["marked"] for row in rows) == 2 * 2 * 4


def test_rows_are_those_of_the_run_of_all_cells(drawn, tmp_path):
    whole = run(Job(drawn_config(tmp_path, unmarked=2, cells=None)), quiet)
    both = [dict(zip(names(folder), rows_of(folder).to_pylist(), strict=True)) for folder in (drawn, whole)]
    assert [len(rows) for rows in both] == [2 * (6 + 2) * 4, 2 * (6 + 2) * 8]
    assert all(both[1][name] == row for name, row in both[0].items())
    found = compare_runs(drawn, whole)
    assert {change["verdict"] for change in found.changes} == {"identical"}
    assert (found.only_a, found.same_images) == ([], 6)


def test_stopped_split_and_repeated_it_ends_with_the_same_bytes(drawn, tmp_path):
    job = Job(drawn_config(tmp_path, unmarked=2, samples=1))
    assert job.key_hash != Job(drawn_config(tmp_path, unmarked=2, samples=1, cells=4)).key_hash
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, stop)
    assert seen[0] == (0, 2 * 6 * 4)
    assert main(["report", str(run_folder(job))]) == 0  # of what is there
    for shard in ("1/2", "2/2"):
        folder = run(Job(drawn_config(tmp_path, unmarked=2, samples=1, shard=shard)), quiet)
    assert (folder / "rows.parquet").read_bytes() == (drawn / "rows.parquet").read_bytes()


def test_every_key_of_a_picture_has_a_hand_of_its_own(tmp_path):
    folder = run(Job(drawn_config(tmp_path, unmarked=0, keys=2)), quiet)
    met = {}
    for _, image, key, attack, strength, _ in names(folder):
        if attack != "identity":
            met.setdefault(image, {}).setdefault(key, set()).add((attack, strength))
    assert all(not hands[0] & hands[1] for hands in met.values())
    assert report_data(load_run(folder))["failures"]["missing"] == []


def test_remeasure_asks_for_cells_that_were_drawn(drawn):
    found = remeasure(drawn, cells=12, seed=0)
    assert (found.cells, found.differences, found.notes) == (12, [], [])
    assert found.rows >= 12


def test_the_report_counts_the_pictures_that_met_a_cell_and_says_how_they_were_drawn(drawn):
    build_report(drawn)
    data = json.loads((drawn / "report.json").read_text())
    said = (
        "Each picture met 3 of the suite's 7 attacked cells, drawn by seed 3 and the same for every scheme; "
        "each cell was dealt 2 or 3 times."
    )
    assert data["coverage"]["drawn"] == said
    for text in ("report.html", "table.md", "robustness_evidence.json"):
        assert said.replace("'", "&#39;") in (page := (drawn / text).read_text()) or said in page
    times = Counter(name[3:5] for name in names(drawn) if name[0] == "dwt_dct" and name[5])
    cells = {(c["attack"], c["strength"]): c["detection"] for c in data["cells"] if c["scheme"] == "dwt_dct"}
    assert {cell: rate["n"] for cell, rate in cells.items()} == times
    assert all(rate["images"] == rate["n"] for rate in cells.values())
    assert {rate["n"] for cell, rate in cells.items() if cell[0] != "identity"} == {2, 3}
    (card, *_) = (card for card in data["schemes"] if card["scheme"] == "dwt_dct")
    assert (card["detection"]["n"], card["detection"]["images"], card["no_attack"]["n"]) == (18, 6, 6)
    assert data["failures"]["missing"] == []
    assert all(pair["overall"]["images"] == 6 for pair in data["pairwise"])
    table = (drawn / "table.md").read_text()
    assert all(f"/{times['jpeg', rung]} [" in table for rung in (90.0, 60.0, 30.0))


def test_a_cell_that_lacks_a_picture_it_was_dealt_is_listed(drawn, tmp_path):
    table = pq.read_table(drawn / "rows.parquet")
    kept = [row["attack"] != "flip" or row["scheme"] != "dwt_dct" for row in table.to_pylist()]
    flips = sum(name[0] == "dwt_dct" and name[3] == "flip" and name[5] for name in names(drawn))
    (tmp_path / "manifest.json").write_bytes((drawn / "manifest.json").read_bytes())
    pq.write_table(table.filter(kept), tmp_path / "rows.parquet")
    (cell,) = report_data(load_run(tmp_path))["failures"]["missing"]
    assert (cell["scheme"], cell["attack"], cell["lacking"]) == ("dwt_dct", "flip", flips)


def test_the_balanced_mean_weighs_rungs_alike_whatever_their_pictures():
    def cell(strength, successes, n):
        rate = {"rate": successes / n, "n": n}
        facts = {"scheme": "s", "group": "natural", "attack": "jpeg", "strength": strength}
        return facts | {"detection": rate, "payload": rate}

    data = {"attacks": [{"name": "jpeg", "family": "compression"}], "cells": [cell(90.0, 3, 3), cell(10.0, 0, 1)]}
    found = families(data, "s", "natural")["compression"]
    assert (found["attacks"], found["readings"], found["payload"]) == (1, 4, 0.5)


def test_parts_of_a_drawn_run_are_known_from_its_manifest(drawn):
    facts = json.loads((drawn / "manifest.json").read_text())
    facts |= {"device": "cuda (some)", "config": facts["config"] | {"batch_size": 8}}
    assert {len(unit.indices) for unit in units(facts)} == {1}
    facts["config"]["cells"] = None
    assert {len(unit.indices) for unit in units(facts)} == {6}


@pytest.mark.parametrize("cells", [0, -1, 8])
def test_more_cells_than_there_are_or_none_are_refused_before_a_folder_is_made(cells, tmp_path):
    with pytest.raises(UserError, match=f"^cells: expected 1 to 7, the attacked cells of the suite, got {cells}$"):
        run(Job(drawn_config(tmp_path, cells=cells)), quiet)
    assert not list(tmp_path.iterdir())


def test_a_share_is_no_number_and_a_manifest_with_too_many_is_told_in_a_line(drawn, tmp_path, capsys):
    assert main(["evaluate", "suite=smoke", "data=synthetic", "cells=1/4"]) == 2
    assert capsys.readouterr().err == "watermark: cells: expected a whole number, got '1/4'\n"
    facts = json.loads((drawn / "manifest.json").read_text())
    (tmp_path / "rows.parquet").write_bytes((drawn / "rows.parquet").read_bytes())
    (tmp_path / "manifest.json").write_text(json.dumps(facts | {"config": facts["config"] | {"cells": 10**30}}))
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("watermark: cells: expected 1 to 7")
