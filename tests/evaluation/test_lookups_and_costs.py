"""Near and random IDs looked up on the rows of a run, and what marking costs."""

import json
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
import torch
from tiny_run import config, load, quiet

from watermark.cli import main
from watermark.codec import Layout, Payload
from watermark.evaluation import lookups
from watermark.evaluation.bench import measure, pictures
from watermark.evaluation.job import Job
from watermark.evaluation.run import run
from watermark.watermarker import Watermarker


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    changes = {
        "samples": 0,
        "name": "here",
        "schemes": {"dwt_dct": load("scheme", "dwt_dct") | {"target_psnr": 40}},
        "suite": {"jpeg": load("attack", "jpeg") | {"sweep": {"quality": [80]}}},
        "data": load("data", "synthetic") | {"count": 6, "width": 256, "height": 192},
    }
    return run(Job(config(tmp_path_factory.mktemp("runs"), **changes)), quiet)


def test_neighbours_differ_in_exactly_one_bit_of_one_id():
    layout, own = Layout(), Payload(5, 77)
    first, *others = lookups.neighbours(own, layout)
    assert first == own
    assert len(set(others)) == len(others) == layout.provider_bits + layout.content_bits
    changed = [(p.provider_id ^ 5).bit_count() + (p.content_id ^ 77).bit_count() for p in others]
    assert set(changed) == {1}
    for payload in others:
        layout.validate(payload)


def test_a_run_ends_with_its_lookups(folder):
    found = json.loads((folder / "lookups.json").read_text())["schemes"]["dwt_dct"]
    near, ladder = found["near"], found["random"]["ladder"]
    assert near["ids"] == 53
    assert near["right"]["n"] == near["right"]["successes"] + near["wrong"]["successes"] + near["none"]["successes"]
    assert near["right"]["successes"] >= 2  # the natural-looking pictures after JPEG 80
    assert near["wrong"]["successes"] == 0
    assert ladder[0]["n"] == 12 * found["random"]["ids_per_reading"] == 12 * 200
    assert all(rung["rate"] <= 1.5 * rung["promised"] for rung in ladder if rung["supported"])
    assert not ladder[-1]["supported"]  # 2400 trials cannot support 1e-4


def test_lookups_take_one_thread_and_leave_the_others_as_they_were(monkeypatch, tmp_path):
    seen, threads = [], torch.get_num_threads()

    def stop(_):
        seen.append(torch.get_num_threads())
        raise FileNotFoundError

    monkeypatch.setattr(lookups, "load_run", stop)
    torch.set_num_threads(2)
    try:
        with pytest.raises(FileNotFoundError):
            lookups.write_lookups(tmp_path, None)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(threads)


def test_costs_say_how_much_memory_a_process_held(folder):
    peaks = pq.read_table(folder / "costs.parquet")["peak_bytes"].to_pylist()
    assert all(50 * 2**20 < peak < 2**40 for peak in peaks)


def test_forgery_of_a_run_tests_its_schemes_on_its_pictures_and_joins_its_report(folder):
    assert main(["forgery", "--run", str(folder), "--side", "128", "--targets", "1", "--surrogate-steps", "4"]) == 0
    content = json.loads((folder / "forgery.json").read_text())
    assert {answer["scheme"] for answer in content["answers"]} == {"dwt_dct"}
    assert (content["pictures"], content["targets"], content["side"]) == (6, 1, 128)
    page = (folder / "report.html").read_text()
    assert "Counts are the attacker" in page
    assert str(folder.parent) not in json.dumps(content)  # paths of this machine are nobody's business


def test_forgery_without_pictures_or_a_run_says_what_to_give(capsys, tmp_path):
    assert main(["forgery"]) == 2
    assert "--run RUN_DIR" in capsys.readouterr().err
    assert main(["forgery", "--run", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_bench_times_every_stage_and_leaves_out_what_is_too_large():
    marker = Watermarker.load("dwt_dct", key="k", device="cpu")
    threads = torch.get_num_threads()
    sizes = ((128, 128), (64, 64), (200, 100), (256, 256))
    cases = list(measure("dwt_dct", marker, sizes, (1, 2), torch.device("cpu"), megapixels=0.05))
    pixels = [case.width * case.height * case.batch for case in cases]
    assert pixels == sorted(pixels)
    assert max(pixels) <= 50_000
    assert {case.stage for case in cases} == {"embed", "read marked", "read rotated", "read unmarked"}
    assert all(0 < case.fastest <= case.seconds <= case.slowest for case in cases)
    assert all(case.peak_bytes > 50 * 2**20 for case in cases)
    found = {(case.width, case.stage): case.found for case in cases if case.batch == 1}
    assert (found[200, "embed"], found[200, "read marked"], found[200, "read unmarked"]) == (None, 1, 0)
    assert torch.get_num_threads() == threads


def test_bench_pictures_are_whole_and_differ():
    batch = pictures(1100, 700, 2)
    assert batch.shape == (2, 3, 700, 1100)
    assert not torch.equal(batch[0], batch[1])


def test_the_bench_command_joins_the_report_and_draws_a_file_of_its_own(folder, capsys):
    assert main(["bench", "--run", str(folder), "--sizes", "128", "192x128", "--batches", "1", "--device", "cpu"]) == 0
    assert 'class="plot scaling"' in (folder / "report.html").read_text()
    assert "| dwt_dct | embed | 192x128 | 1 |" in (folder / "bench.md").read_text()
    drawn = ElementTree.parse(folder / "bench.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}svg")) == 4  # a panel per stage
    assert main(["bench", "--run", str(folder), "--schemes", "tile_spread"]) == 2
    assert "the run has dwt_dct" in capsys.readouterr().err
    for wrong in ("64x", "x", "0", "12.5"):
        assert main(["bench", "--sizes", wrong]) == 2
        assert f"expected N or WIDTHxHEIGHT in px, got {wrong}" in capsys.readouterr().err
    assert main(["bench", "--schemes", "dwt_dct", "--sizes", "8"]) == 2
    assert "nothing was timed" in capsys.readouterr().err
    for words in (["--run", "nope"], ["--schemes", "dwt_dct", "nope"]):
        assert main(["bench", *words]) == 2
        told = capsys.readouterr()
        assert told.out == ""  # refused before anything is timed
        assert "nope" in told.err
