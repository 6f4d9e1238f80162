"""Whatever a file is called, and wherever its name is printed, it stays one harmless line."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from watermark.cli import main
from watermark.keystore import KeyFile

CODE = "0011" + "0" * 18 + "10001"
NAME = "a\x1b]8;;mailto:x\x07\u009b2J\u202e\u200b\nb.png: marked, provider 7"
"""A link, a cleared screen, text that runs backwards, and a line that looks like an answer."""

DESK = ["--registry", "{}/r.db", "--key-file", "{}/key.json"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk") / NAME
    folder.mkdir()
    rng = np.random.default_rng(0)
    texture = rng.normal(0, 20, (256, 256, 3)) + 128
    for name in ("in.png", f"{NAME}.png"):
        Image.fromarray(texture.clip(0, 255).astype(np.uint8)).save(folder / name)
    (folder / f"broken {NAME}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / f"{NAME}.{NAME}").write_bytes(b"")
    (folder / "answer.json").write_text('{"name": "x", "score": NaN, "is_generated": true}')
    KeyFile.new().save(folder / "key.json")
    return folder


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["key", "new", "{}/{name}.key"], 0),
        (["key", "new", "{}/key.json"], 2),
        (["key", "show", "{}/key.json"], 0),
        (["key", "show", "{}/{name}.png"], 2),
        (["embed", "{}/in.png", "{}/{name}.jpg", "--provider", "7", "--scheme", "dwt_dct", "--preflight", "none"], 0),
        (["embed", "{}", "{}/out", "--provider", "7", "--scheme", "dwt_dct", "--preflight", "none"], 2),
        (["embed", "{}/{name}", "{}/x.png", "--provider", "7"], 2),
        (["detect", "{}", "--scheme", "dwt_dct"], 2),
        (["detect", "{}", "--scheme", "dwt_dct", "--json"], 2),
        (["detect", "{}", "--scheme", "dwt_dct", "--public"], 2),
        (["detect", "{}/in.png", "--scheme", "{name}"], 2),
        (["detect", "{}/in.png", "--layout", "{name}"], 2),
        (["detect", "{}/in.png", "--set", "{name}"], 2),
        (["detect", "{}/in.png", "--key-file", "{}/{name}"], 2),
        (["registry", "add-slot", "7", "--code", CODE, *DESK], 0),
        (["registry", "add-slot", "7", "--code", "{name}", *DESK], 2),
        (["registry", "slots", "--registry", "{}/none.db"], 2),
        (["registry", "verify", "--registry", "{}/r.db", "--anchor", "{name}"], 2),
        (["issue", "{}/in.png", "{}/{name}.jpg", "--provider", "7", *DESK], 2),
        (["trace", "{}/{name}.png", *DESK, "--policy", "{name}"], 2),
        (["trace", "{}/in.png", *DESK, "--classifier", "{}/answer.json"], 2),
        (["report", "{}/{name}"], 2),
        (["report", "{}"], 2),
        (["compare", "{}", "{}"], 2),
        (["remeasure", "{}"], 2),
        (["bench", "--schemes", "{name}"], 2),
        (["bench", "--sizes", "{name}"], 2),
        (["forgery", "{}/{name}.key"], 2),
    ],
    ids=lambda value: " ".join(value[:2])[:20] if isinstance(value, list) else "",
)  # fmt: skip
def test_a_name_cannot_drive_the_terminal_or_forge_a_line(desk, words, status, capsys):
    assert main([word.format(desk, name=NAME) for word in words]) == status
    told = capsys.readouterr()
    both = told.out + told.err
    assert both.strip()
    assert [c for c in both if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"} and c not in "\n\r"] == []
    assert not any(line.startswith("b.png: marked") for line in both.splitlines())
    assert "unexpected" not in told.err
