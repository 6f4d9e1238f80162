"""Weights, checkpoints and training folders that a stranger wrote: numbers are read, nothing is run."""

import json
import os
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from attacks.autoencoder import load_autoencoder
from attacks.surrogate import load_surrogate
from watermark.cli.train import take_over
from watermark.errors import UserError
from watermark.schemes.learned import Learned
from watermark.schemes.pair import PairScheme
from watermark.training import export
from watermark.training.checkpoint import load, save_atomically
from watermark.training.journal import Journal


class Touch:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


HEADERS = {
    "code": {"_target_": "os.system", "command": "true"},
    "no such setting": {"weights": 3},
    "text": {"width": "__import__('os')"},
    "huge": {"tile": 10**9},
    "huge in a pair": {"pilot_band": [0.1, 1e99]},
    "not a number": {"low": float("nan")},
    "other sizes": {"width": 7},
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_of_weights_is_numbers_of_a_network_of_ours(tmp_path, kind):
    file = tmp_path / "mine.safetensors"
    save_file({"a": torch.zeros(1)}, str(file), metadata={"lattice_mark": json.dumps(HEADERS[kind])})
    with pytest.raises(ValueError, match="weights") as raised:
        Learned(key=1, weights=str(file))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("header", ["[1]", "{", "[" * 100_000, "null"], ids=["list", "cut", "deep", "null"])
def test_a_broken_header_is_one_line(tmp_path, header):
    file = tmp_path / "mine.safetensors"
    save_file({"a": torch.zeros(1)}, str(file), metadata={"lattice_mark": header})
    with pytest.raises(ValueError, match=r"weights|header|Expecting") as raised:
        Learned(key=1, weights=str(file))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("read", [load_autoencoder, load_surrogate])
@pytest.mark.parametrize(
    "sizes", [{"width": "10000000", "latent": "8"}, {"width": "x"}, {"width": "-1", "latent": "1"}]
)
def test_a_network_of_an_attack_does_not_take_the_memory_that_a_file_claims(tmp_path, read, sizes):
    file = tmp_path / "mine.safetensors"
    save_file({"a": torch.zeros(1)}, str(file), metadata=sizes)
    with pytest.raises(ValueError, match="weights"):
        read(file)
    file.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="weights"):
        read(file)


@pytest.mark.parametrize(
    ("kind", "sizes", "read"),
    [("HiddenPair", {"width": 4096, "depth": 200}, PairScheme), ("lattice_mark", {"width": 4096}, Learned)],
)
def test_a_header_of_some_bytes_cannot_ask_for_gigabytes(tmp_path, kind, sizes, read):
    """Of the weights that it describes the file holds one."""
    file = tmp_path / "mine.safetensors"
    save_file({"a": torch.zeros(1)}, str(file), metadata={kind: json.dumps(sizes)})
    _, before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before))
    try:
        with pytest.raises(ValueError, match="the header describes more than the 1 parameters"):
            read(weights=str(file), key="k")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, before))


def test_a_link_in_a_training_folder_is_not_written_through(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("last.pt", "log.jsonl"):
        (tmp_path / name).symlink_to(mine)
    for write in (lambda: save_atomically({"step": 1}, tmp_path / "last.pt"), lambda: Journal(tmp_path, 1, 0)):
        with pytest.raises(UserError, match="is a symbolic link"):
            write()
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "log.jsonl", "mine"]


def test_a_checkpoint_runs_nothing(tmp_path):
    torch.save({"values": Touch(tmp_path / "made")}, tmp_path / "last.pt")
    with pytest.raises(UserError, match="expected a checkpoint of tensors and plain values"):
        load(tmp_path / "last.pt")
    assert not (tmp_path / "made").exists()
    torch.load(tmp_path / "last.pt", weights_only=False)
    assert (tmp_path / "made").exists()  # so it would have


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"garbage" * 100])
def test_a_broken_checkpoint_is_one_line(tmp_path, content):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(UserError, match="expected a checkpoint"):
        load(tmp_path / "last.pt")


def test_a_checkpoint_that_lacks_what_is_needed_is_one_line(tmp_path):
    torch.save({"values": {}}, tmp_path / "last.pt")
    assert load(tmp_path / "last.pt", "values") == {"values": {}}
    with pytest.raises(UserError, match="expected a checkpoint with values, step"):
        load(tmp_path / "last.pt", "values", "step")


def test_a_pipe_in_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "last.pt")
    with pytest.raises(UserError, match="no regular file"):
        load(tmp_path / "last.pt")


@pytest.mark.parametrize(
    "values", [None, [1], {"weight": 1}, {1: torch.zeros(2, 2)}, {"weight": torch.zeros(2, 2).long()}]
)
def test_a_checkpoint_to_start_from_that_holds_other_things_is_one_line(tmp_path, values):
    torch.save({"values": values}, tmp_path / "start.pt")
    with pytest.raises(UserError, match="does not fit this model"):
        take_over(torch.nn.Linear(2, 2, bias=False), str(tmp_path / "start.pt"), [""])


def test_what_is_exported_holds_no_variable_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_MINE", "hunter2")
    torch.save({"values": {"core.mask.exponent": torch.zeros(2)}, "step": 1}, tmp_path / "best.pt")
    (tmp_path / "config.yaml").write_text(
        "name: ${oc.env:SECRET_OF_MINE}\nmodel: {core: {_target_: x, width: '${oc.env:SECRET_OF_MINE}'}}\n"
    )
    export.export(tmp_path, tmp_path / "out.safetensors")
    written = (tmp_path / "out.safetensors").read_bytes()
    assert b"SECRET_OF_MINE" in written
    assert b"hunter2" not in written


def test_nothing_of_ours_unpickles():
    root = Path(__file__).resolve().parents[2]
    for path in [*root.glob("watermark/**/*.py"), *root.glob("attacks/**/*.py")]:
        text = path.read_text()
        assert "import pickle" not in text or path.name == "checkpoint.py", path  # for the name of its error
        assert "weights_only=False" not in text, path
        for call in text.split("torch.load(")[1:]:
            assert "weights_only=True" in call.split("\n")[0], path
