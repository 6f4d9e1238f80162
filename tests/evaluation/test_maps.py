"""Maps are measured by the evaluation: rows, pictures for the report, and the same bytes however a run is split."""

import pytest
from tiny_run import config, load, quiet, rows_of

from watermark.cli import main
from watermark.errors import UserError
from watermark.evaluation.agreement import differences
from watermark.evaluation.job import Job
from watermark.evaluation.parts import sample_folder
from watermark.evaluation.records import MAPS
from watermark.evaluation.run import run

pytestmark = pytest.mark.usefixtures("frozen_code")

PASTE = {"build": {"_target_": "attacks.partial.Paste", "_partial_": True}, "sweep": {"area": [0.3]}}
SAVED = {
    "build": {
        "_target_": "attacks.compose.Chain",
        "_partial_": True,
        "_convert_": "all",
        "steps": [PASTE["build"], {"_target_": "attacks.crop.Crop", "area": 0.7}],
    },
    "sweep": {"strength": [0.3]},
}


def job(output, **changes):
    settings = {
        "localize": True,
        "samples": 1,
        "unmarked": 1,
        "suite": {"paste": PASTE, "paste_crop": SAVED, "jpeg": {**load("attack", "jpeg"), "sweep": {"quality": [80]}}},
        "schemes": {name: load("scheme", name) for name in ("tile_spread", "dwt_dct")},
        "data": {**load("data", "bundled"), "limit": 2, "max_side": 256},
    }
    return Job(config(output, **{**settings, **changes}))


@pytest.fixture(scope="module")
def mapped(frozen_code, tmp_path_factory):
    output = tmp_path_factory.mktemp("mapped")
    return job(output), run(job(output), quiet)


def test_marked_pictures_are_mapped_untouched_and_after_every_edit(mapped):
    rows = rows_of(mapped[1]).to_pylist()
    assert not [row["error"] for row in rows if row["error"]]
    own = [row for row in rows if row["map_unknown"] is not None]
    assert {(row["scheme"], row["attack"], row["marked"]) for row in own} == {
        ("tile_spread", name, True) for name in ("identity", "paste", "paste_crop")
    }
    assert all(row[name] is None for row in rows for name in MAPS if row not in own)
    for row in own:
        if row["attack"] == "identity":
            assert (row["edited_area"], row["map_f1"], row["map_alarms"]) == (0, None, None)
            assert row["map_kept_edited"] < 0.05
        else:
            assert row["map_f1"] > 0.6
            assert row["map_iou"] == pytest.approx(row["map_f1"] / (2 - row["map_f1"]))
            assert row["map_edited_marked"] < 0.1
            assert 0.1 < row["edited_area"] < 0.6
    assert all(row["edited_area"] == pytest.approx(0.3, abs=0.02) for row in own if row["attack"] == "paste")


def test_maps_do_not_change_what_the_rows_say_else(mapped, tmp_path):
    plain = rows_of(run(job(tmp_path, localize=False), quiet)).to_pylist()
    rows = rows_of(mapped[1]).to_pylist()
    assert [{k: v for k, v in row.items() if k not in MAPS} for row in rows] == [
        {k: v for k, v in row.items() if k not in MAPS} for row in plain
    ]
    assert job(tmp_path, localize=False).key_hash != mapped[0].key_hash


def test_shards_end_with_the_same_bytes_and_pictures_of_the_maps_are_kept(mapped, tmp_path):
    for shard in ("1/2", "2/2"):
        split = run(job(tmp_path, shard=shard), quiet)
    assert (split / "rows.parquet").read_bytes() == (mapped[1] / "rows.parquet").read_bytes()
    (shown,) = mapped[0].sampled
    folder = sample_folder(mapped[1], "tile_spread", mapped[0].images.infos[shown].id)
    assert {path.stem for path in (folder / "map").iterdir()} == {
        "identity-None",
        "paste-0.3",
        "paste_crop-0.3",
    }


def test_another_machine_may_turn_some_tiles(mapped):
    row = next(row for row in rows_of(mapped[1]).to_pylist() if row["attack"] == "paste" and row["map_f1"])
    near, far = ({**row, "map_f1": row["map_f1"] - by} for by in (0.02, 0.2))
    assert differences(row, near, exact=False, rate=1e-6) == []
    assert len(differences(row, far, exact=False, rate=1e-6)) == 1
    assert len(differences(row, near, exact=True, rate=1e-6)) == 1


def test_what_cannot_be_mapped_is_said_before_anything_is_measured(tmp_path):
    with pytest.raises(UserError, match=r"localize: expected a scheme whose marks can be located .* got dwt_dct"):
        run(job(tmp_path, schemes={"dwt_dct": load("scheme", "dwt_dct")}), quiet)
    with pytest.raises(UserError, match=r"localize: expected a suite with edits .* such as suite=edits"):
        run(job(tmp_path, suite={"jpeg": load("attack", "jpeg"), "stickers": load("attack", "stickers")}), quiet)
    assert list(tmp_path.iterdir()) == []


def test_the_suite_of_edits_turns_maps_on_and_the_command_line_off(capsys):
    for words, told in (([], "localize: true"), (["localize=false"], "localize: false")):
        assert main(["evaluate", "suite=edits", *words, "--cfg", "job"]) == 0
        assert told in capsys.readouterr().out.splitlines()
    assert main(["show", "suite", "edits"]) == 0
    assert "@package" not in capsys.readouterr().out
