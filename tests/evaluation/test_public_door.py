"""What ``watermark evaluate`` measures is what a user of ``Watermarker`` gets, row for row."""

import json

import pytest
import tiny_run
import torch
from PIL import Image
from skimage import data
from tiny_run import load, quiet, rows_of

from watermark import Watermarker
from watermark.cli import main
from watermark.evaluation.job import Job
from watermark.evaluation.run import run
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.report import build_report

SCHEMES = ("dwt_dct", "tile_spread")


def config(output, pictures, **changes):
    attacks = {name: load("attack", name) for name in ("jpeg", "gaussian_noise")}
    attacks["jpeg"]["sweep"], attacks["gaussian_noise"]["sweep"] = {"quality": [60]}, {"sigma": [0.02]}
    schemes = {name: load("scheme", name) for name in SCHEMES}
    data = {**load("data", "folder"), "path": str(pictures)}
    return tiny_run.config(output, **{"schemes": schemes, "suite": attacks, "data": data, **changes})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(data.astronaut()).resize((320, 256)).save(folder / "colour.png")
    Image.fromarray(data.camera()).resize((320, 256)).save(folder / "grey.png")
    return folder


@pytest.fixture(scope="module")
def job(pictures, tmp_path_factory):
    return Job(config(tmp_path_factory.mktemp("runs"), pictures, keys=2, unmarked=1))


@pytest.fixture(scope="module")
def folder(job):
    return run(job, quiet)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["colour.png", "grey.png"])
def test_rows_are_what_embed_and_detect_say(job, folder, pictures, scheme, name):
    original = Image.open(pictures / name)
    (info,) = [one for one in job.images.infos if one.id == name]
    for key in (0, 1):
        marker = Watermarker.load(scheme, job.key(key), device="cpu")
        payload = job.payload(info, key)
        marked = marker.embed(original, payload.provider_id, payload.content_id)
        assert marked.mode == original.mode
        for cell in job.cells:
            seed = torch.Generator().manual_seed(job.attack_seed(info, cell, key))
            attacked = to_tensor(marked) if cell.attack is None else cell.attack(to_tensor(marked), [seed])
            attacked = (attacked * 255).round().byte()[0].permute(1, 2, 0).numpy()
            found = marker.detect(attacked)
            (row,) = [
                row
                for row in rows_of(folder).to_pylist()
                if (row["image"], row["scheme"], row["key"]) == (name, scheme, key)
                and (row["attack"], row["marked"]) == (cell.name, True)
            ]
            assert row["log10_p"] == found.log10_p
            assert row["is_marked"] == found.is_marked
            assert (row["decoded_provider_id"], int(row["decoded_content_id"])) == (found.provider_id, found.content_id)
            assert row["readings"] == found.readings
            assert row["psnr"] == float(psnr(to_tensor(marked), to_tensor(original)))


def test_every_key_is_a_measure_of_its_own_and_the_first_of_many_is_the_only_one_of_one(folder, pictures, tmp_path):
    alone = rows_of(run(Job(config(tmp_path, pictures)), quiet)).to_pylist()
    many = rows_of(folder).to_pylist()
    plain = [{**row, "logits": None} for row in alone]
    assert all({**row, "logits": None} in plain for row in many if row["key"] == 0)
    marked = [row for row in many if row["marked"]]
    assert len(marked) == 2 * sum(row["marked"] for row in alone)
    for scheme in SCHEMES:
        own = {
            (row["image"], row["key"]): (row["content_id"], row["seed"]) for row in marked if row["scheme"] == scheme
        }
        assert len(set(own.values())) == len(own) == 4  # two pictures, two keys


def test_a_run_of_many_keys_is_reported_by_picture_verified_and_compared(folder, pictures, capsys):
    assert main(["report", str(folder)]) == 0
    assert main(["remeasure", str(folder), "--cells", "4", "--seed", "2", "--pictures", str(pictures)]) == 0
    assert main(["compare", str(folder), str(folder)]) == 0
    capsys.readouterr()
    report = json.loads((folder / "report.json").read_text())
    (cell,) = [c for c in report["cells"] if (c["scheme"], c["attack"], c["group"]) == ("dwt_dct", "jpeg", "natural")]
    assert (cell["detection"]["n"], cell["detection"]["images"]) == (4, 2)


def test_a_run_without_unmarked_pictures_measures_none_and_says_so(pictures, tmp_path):
    folder = run(Job(config(tmp_path, pictures, unmarked=0, schemes={"dwt_dct": load("scheme", "dwt_dct")})), quiet)
    assert {row["marked"] for row in rows_of(folder).to_pylist()} == {True}
    page = build_report(folder).read_text()
    assert "nmarked" in page


def test_bad_numbers_of_keys_are_refused(pictures, tmp_path):
    with pytest.raises(Exception, match="keys: expected 1 to 1000, got 0"):
        Job(config(tmp_path, pictures, keys=0))
