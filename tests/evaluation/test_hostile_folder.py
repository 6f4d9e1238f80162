"""A run folder that a stranger wrote: nothing in it is built, run, followed or printed raw."""

import json
import os
import pickle

import pytest
import torch
from tiny_run import config, load

from watermark.cli import main
from watermark.errors import UserError
from watermark.evaluation.manifest import read_manifest
from watermark.evaluation.rebuild import marker, trusted
from watermark.evaluation.suite import suite_cells


class Touch:
    """What a pickle of an attacker's does when it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def hostile(folder, **changes):
    """A run folder with one empty part, as an attacker writes it: enough for every verb to begin."""
    told = config(folder / "out", **changes)
    images = [{"id": f"{i}", "class": "smooth", "width": 192, "height": 160, "sha256": "0" * 64} for i in range(4)]
    facts = {
        "job_key": "0" * 64,
        "config": told,
        "versions": {},
        "device": "cpu",
        "data": {"name": "x", "manifest_hash": "0" * 64, "images": images},
        "schemes": {name: {"message_bits": 256} for name in told["schemes"]},
        "attacks": {},
        "false_positive_rate": 1e-6,
    }
    run = folder / "run"
    (run / "parts").mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps(facts))
    (run / "parts" / "dwt_dct-0-000000-1.rows.parquet").write_bytes(b"")
    return run


def pickle_reader(victim):
    return {"_target_": "pandas.read_pickle", "filepath_or_buffer": str(victim)}


def torch_reader(victim):
    return {"_target_": "torch.load", "f": str(victim), "weights_only": False}


def nested(reader):
    """A class of ours, with something else inside."""
    return lambda victim: {**load("data", "synthetic"), "count": reader(victim)}


JPEG = load("attack", "jpeg")["build"]
PLACES = {
    "data": lambda bomb: {"data": bomb},
    "layout": lambda bomb: {"layout": bomb},
    "layout, nested": lambda bomb: {"layout": {**load("layout", "l64"), "version_bits": bomb}},
    "scheme": lambda bomb: {"schemes": {"dwt_dct": bomb}},
    "scheme, nested": lambda bomb: {"schemes": {"dwt_dct": {**load("scheme", "dwt_dct"), "target_psnr": bomb}}},
    "suite": lambda bomb: {"suite": {"jpeg": {"build": bomb, "sweep": {}}}},
    "suite, partial": lambda bomb: {"suite": {"jpeg": {"build": {**bomb, "_partial_": True}, "sweep": {}}}},
    "suite, in the sweep": lambda bomb: {"suite": {"jpeg": {**load("attack", "jpeg"), "sweep": {"quality": [bomb]}}}},
    "suite, positional": lambda bomb: {
        "suite": {"jpeg": {"build": {**load("attack", "jpeg")["build"], "_args_": [bomb]}}}
    },
}


@pytest.fixture
def victim(tmp_path):
    """A pickle that makes a file when it is opened, by pandas or by torch."""
    made = tmp_path / "made"
    (tmp_path / "pandas.pkl").write_bytes(pickle.dumps(Touch(made)))
    torch.save(Touch(made), tmp_path / "torch.pkl")
    return made


def verbs(run):
    return [
        ["report", run],
        ["compare", run, run],
        ["remeasure", run],
        ["bench", "--run", run, "--sizes", "256", "--batches", "1"],
        ["forgery", "--run", run],
    ]


def refused(words, capsys):
    """The one line on stderr of a call that ends with status 2."""
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    assert status == 2, said.out
    lines = [line for line in said.err.splitlines() if not line.startswith("WARNING")]
    assert len(lines) == 1, said.err
    assert lines[0].startswith("watermark: ")
    return lines[0]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("reader", [pickle_reader, torch_reader])
def test_no_class_from_a_manifest_is_ever_built(tmp_path, victim, capsys, place, reader):
    name = "pandas.pkl" if reader is pickle_reader else "torch.pkl"
    run = hostile(tmp_path, **PLACES[place](reader(tmp_path / name)))
    for words in verbs(run):
        line = refused(words, capsys)
        assert words[0] in ("report", "compare") or "configuration of this machine" in line
    assert not victim.exists()


def test_the_attack_works_where_it_is_not_stopped(tmp_path, victim):
    from watermark.config import build

    build(pickle_reader(tmp_path / "pandas.pkl"))
    assert victim.exists()


@pytest.mark.parametrize("place", ["data", "layout", "scheme", "suite"])
def test_no_variable_of_the_environment_is_read(tmp_path, capsys, monkeypatch, place):
    monkeypatch.setenv("SECRET_OF_MINE", "hunter2")
    changes = {
        "data": {"data": {**load("data", "synthetic"), "seed": "${oc.env:SECRET_OF_MINE}"}},
        "layout": {"layout": {**load("layout", "l64"), "check": "${oc.env:SECRET_OF_MINE}"}},
        "scheme": {"schemes": {"dwt_dct": {**load("scheme", "dwt_dct"), "target_psnr": "${oc.env:SECRET_OF_MINE}"}}},
        "suite": {"suite": {"jpeg": {**load("attack", "jpeg"), "sweep": {"quality": ["${oc.env:SECRET_OF_MINE}"]}}}},
    }
    run = hostile(tmp_path, **changes[place])
    for words in verbs(run):
        assert "hunter2" not in refused(words, capsys)
    assert all(b"hunter2" not in path.read_bytes() for path in run.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "change",
    [
        {"schemes": {"learned": {**load("scheme", "learned"), "weights": "/etc/passwd.safetensors"}}},
        {"schemes": {"dwt_dct": {**load("scheme", "dwt_dct"), "_recursive_": False}}},
        {"schemes": {"dwt_dct": {"message_bits": 256}}},
        {"schemes": {"dwt_dct": {**load("scheme", "dwt_dct"), "message_bits": 2**40}}},
        {"schemes": {"../dwt_dct": load("scheme", "dwt_dct")}},
        {"data": {**load("data", "folder"), "path": "/"}},
        {"data": {**load("data", "folder"), "path": {"_target_": "os.getcwd"}}},
        {"suite": {"taesd": load("attack/needs_model", "taesd")}, "suite_name": "../../suite/quick"},
        {"suite": {"jpeg": {"build": None}}},
        {"perceptual": ["../../weights"]},
        {"seed": "0"},
    ],
    ids=str,
)
def test_remeasure_names_what_this_machine_does_not(tmp_path, capsys, change):
    if "suite" in change and "taesd" in change["suite"]:
        change["suite"]["taesd"]["build"]["model"]["folder"] = "//attacker/share"
    refused(["remeasure", hostile(tmp_path, **change)], capsys)


def test_numbers_are_taken_and_every_local_entry_is_trusted(tmp_path):
    changed = {**load("scheme", "dwt_dct"), "target_psnr": 39.5, "step": None}
    told = trusted(config(tmp_path, schemes={"dwt_dct": changed}, suite={"jpeg": load("attack", "jpeg_444")}))
    assert marker(told, "dwt_dct", "key").scheme.target_psnr == 39.5
    assert len(suite_cells(told["suite"])) == 1 + 5


def test_every_suite_and_scheme_of_ours_is_trusted(tmp_path):
    from watermark.config import compose, config_names, default_names

    schemes = {name: load("scheme", name) for name in default_names("scheme")}
    for suite in config_names("suite"):
        entries = compose("suite", suite)
        trusted(config(tmp_path, schemes=schemes, suite=entries, suite_name=suite))


def test_ones_own_classes_come_from_ones_own_folder(tmp_path):
    entry = {"_target_": "my_plugin.Mine", "message_bits": 64}
    told = config(tmp_path, schemes={"mine": {**entry, "message_bits": 128}})
    with pytest.raises(UserError, match="Mine"):
        trusted(told)
    (tmp_path / "own" / "scheme").mkdir(parents=True)
    (tmp_path / "own" / "scheme" / "mine.yaml").write_text(json.dumps(entry))
    assert trusted(told, [tmp_path / "own"])["schemes"]["mine"]["message_bits"] == 128


BROKEN = {
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "a number": "3",
    "null": "null",
    "nothing in it": "{}",
    "deep": "[" * 100_000,
    "long number": '{"job_key": ' + "9" * 10_000 + "}",
    "no UTF-8": b"\xff\xfe{}",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_manifest_is_one_line(tmp_path, capsys, kind):
    run = hostile(tmp_path)
    content = BROKEN[kind]
    (run / "manifest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    for words in verbs(run):
        assert "manifest.json" in refused(words, capsys)


@pytest.mark.parametrize("field", ["job_key", "config", "data", "schemes", "attacks", "false_positive_rate"])
@pytest.mark.parametrize("value", [None, [], 3, "x", True, {"x": [1]}, {"images": [{"id": 3}]}], ids=str)
def test_wrong_types_in_a_manifest_are_one_line(tmp_path, capsys, field, value):
    run = hostile(tmp_path)
    facts = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**facts, field: value}))
    for words in verbs(run)[:3]:
        refused(words, capsys)


def test_a_manifest_of_a_hundred_megabytes_is_not_read(tmp_path, capsys):
    run = hostile(tmp_path)
    with (run / "manifest.json").open("ab") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(UserError, match="larger than 64 MiB"):
        read_manifest(run)
