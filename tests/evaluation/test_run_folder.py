"""What decides where the rows of a run lie, and what the manifest there says."""

import hashlib
import json
from pathlib import Path

import pytest
from tiny_run import config, load, quiet

import watermark
from watermark.errors import UserError
from watermark.evaluation.code_hash import code_hash
from watermark.evaluation.job import Job
from watermark.evaluation.provenance import manifest
from watermark.evaluation.run import run, run_folder

pytestmark = pytest.mark.usefixtures("frozen_code")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"false_positive_rate": 1e-3},
        {"data": {**load("data", "synthetic"), "count": 4, "width": 192, "height": 160, "seed": 1}},
        {"suite": {}},
        {"schemes": {"dwt_dct": {**load("scheme", "dwt_dct"), "target_psnr": 40}}},
    ],
    ids=["seed", "rate", "data", "suite", "scheme"],
)
def test_whatever_decides_the_rows_decides_the_folder(tmp_path, change):
    assert run_folder(Job(config(tmp_path))) != run_folder(Job(config(tmp_path, **change)))


def test_changed_code_never_finds_old_rows(tmp_path, monkeypatch):
    before = Job(config(tmp_path)).key_hash
    monkeypatch.setattr("watermark.evaluation.job.code_hash", lambda _config: "another version")
    assert Job(config(tmp_path)).key_hash != before


def test_the_code_hash_covers_schemes_attacks_and_classes_from_outside(tmp_path, monkeypatch):
    plugin = tmp_path / "my_plugin.py"
    plugin.write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    job = Job(config(tmp_path))
    plain = code_hash(job.config)
    job.config["suite"] = {"mine": {"build": {"_target_": "my_plugin.Mine"}}}
    with_plugin = code_hash(job.config)
    plugin.write_text("class Mine:\n    strength = 2\n")
    assert len({plain, with_plugin, code_hash(job.config)}) == 3


def test_the_code_hash_covers_a_weights_file_that_the_configuration_names(tmp_path):
    weights, job = tmp_path / "own.safetensors", Job(config(tmp_path))
    job.config["schemes"] = {"learned": {**load("scheme", "learned"), "weights": str(weights)}}
    hashes = {code_hash(job.config)}
    for content in (b"first", b"second"):
        weights.write_bytes(content)
        hashes.add(code_hash(job.config))
    assert len(hashes) == 3


def test_where_and_how_fast_decide_nothing(tmp_path):
    assert Job(config(tmp_path)).key_hash == Job(config(tmp_path / "x", workers=7, shard="1/3", name="n")).key_hash


def test_a_named_folder_with_other_rows_is_refused(finished):
    output, folder = finished
    with pytest.raises(UserError, match="another configuration"):
        run(Job(config(output, name=folder.name, seed=9)), quiet)


def test_the_manifest_holds_what_a_stranger_needs(finished):
    _, folder = finished
    facts = json.loads((folder / "manifest.json").read_text())
    assert {"command", "job_key", "config", "git", "versions", "device", "threads", "seeds", "data"} <= set(facts)
    assert facts["versions"]["libjpeg-turbo"] or facts["versions"]["libjpeg"]
    assert len(facts["data"]["images"]) == 4
    assert facts["attacks"]["jpeg"]["sweep"] == [60]


def test_the_manifest_names_the_weights_by_the_bytes_of_their_file(tmp_path):
    schemes = {name: load("scheme", name) for name in ("learned", "learned_tough", "dwt_dct")}
    facts = manifest(Job(config(tmp_path, schemes=schemes)))["schemes"]
    for name in ("learned", "learned_tough"):
        file = Path(watermark.__file__).parent / "schemes" / "weights" / f"{name}.safetensors"
        assert facts[name]["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts["dwt_dct"]["weights_sha256"] is None  # it has none
