"""A run that searches: its rows are plain readings, and resume, shards and remeasure work with them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_run import config, load, quiet, rows_of

from watermark.errors import UserError
from watermark.evaluation.axis import Axis
from watermark.evaluation.job import Job
from watermark.evaluation.manifest import read_manifest
from watermark.evaluation.remeasure import remeasure
from watermark.evaluation.run import run
from watermark.evaluation.store import RunStore
from watermark.evaluation.suite import suite_cells


def searching(output, **changes):
    """Three pictures, of which one is also read unmarked, two searched attacks."""
    suite = {name: load("attack", name) | {"search": 5} for name in ("jpeg", "crop")}
    data = {**load("data", "synthetic"), "count": 3, "width": 128, "height": 128}
    return config(output, suite=suite, data=data, unmarked=1, **changes)


@pytest.fixture(scope="module")
def broken(frozen_code, tmp_path_factory):
    return run(Job(searching(tmp_path_factory.mktemp("breaking"))), quiet)


def test_every_search_encloses_its_breaking_point_and_never_asks_twice(broken):
    rows = rows_of(broken).to_pylist()
    facts = read_manifest(broken)["attacks"]
    seen = set()
    for name in ("jpeg", "crop"):
        axis = Axis(**facts[name]["axis"])
        for scheme in ("dwt_dct", "dwt_dct_svd"):
            for image in {row["image"] for row in rows}:
                own = [r for r in rows if (r["scheme"], r["image"], r["attack"]) == (scheme, image, name)]
                marked = [r for r in own if r["marked"]]
                alive, lost = (
                    [axis.level(r["strength"]) for r in marked if r["is_marked"] is a] for a in (True, False)
                )
                assert len({r["strength"] for r in marked}) == len(marked) <= 6
                assert max(alive, default=-1) < min(lost, default=2)
                assert len({r["seed"] for r in own}) == 1  # nothing but the strength differs
                assert [r["strength"] for r in own if not r["marked"]] in ([], [axis.harsh])
                seen.add("never" if not lost else "at once" if min(lost) == 0 else "between")
    assert {"between", "at once"} <= seen  # a mark that knows no lattice dies of the first crop


def test_resumed_or_in_shards_the_rows_are_the_same_bytes(broken, tmp_path):
    once = (broken / "rows.parquet").read_bytes()
    for shard in ("2/2", "1/2"):
        again = run(Job(searching(tmp_path, shard=shard)), quiet)
    assert (again / "rows.parquet").read_bytes() == once
    job = Job(searching(tmp_path))
    (again / "parts" / f"{job.units[1].name}.rows.parquet").unlink()
    assert (run(job, quiet) / "rows.parquet").read_bytes() == once


def test_remeasure_repeats_a_search_and_notices_a_reading_that_was_left_out(broken, tmp_path):
    assert remeasure(broken, cells=4, seed=1).differences == []
    job = Job(searching(tmp_path))
    folder = run(job, quiet)
    store = RunStore(folder)
    for unit in job.units:
        path = store.parts / f"{unit.name}.rows.parquet"
        table = pq.read_table(path)
        rows = [r for r in table.to_pylist() if r["attack"] == "identity" or not (r["marked"] and r["is_marked"])]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    found = remeasure(folder, cells=12, seed=1)
    assert any("was not read, is" in line for line in found.differences)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"search": 6, "axis": None}, r"suite\.jpeg: has no axis to search"),
        ({"search": 1}, "expected 2 to 24 readings, got 1"),
        ({"search": 6, "axis": {"scale": "log", "mild": 1, "harsh": 95}}, "lower strengths are the harsher ones"),
        ({"search": 6, "axis": {"scale": "log", "mild": 95, "harsh": 0.5}}, "quality must be in 1..100, got 0.5"),
        ({"search": 6, "axis": {"scale": "log", "mild": 95, "harsh": 1, "stepp": 1}}, "stepp"),
    ],
)
def test_a_search_that_cannot_be_made_is_told_before_anything_is_measured(entry, said):
    with pytest.raises(UserError, match=said):
        suite_cells({"jpeg": load("attack", "jpeg") | entry})


def test_an_axis_may_not_cross_the_strength_that_does_nothing():
    axis = {"scale": "log", "mild": 0.5, "harsh": 4}
    with pytest.raises(UserError, match="one side of 1"):
        suite_cells({"resize": load("attack", "resize") | {"search": 6, "axis": axis}})
