"""What the recipes tell people to write is written here as it stands, and measured."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from skimage import data

from watermark.cli import main

ROOT = Path(__file__).parents[2]


def files_of(page):
    """Every block that is announced by the name of its file, by that name."""
    text = (ROOT / "docs/recipes" / page).read_text()
    return dict(re.findall(r"`(mine/[\w/.]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", text, re.S | re.M))


@pytest.mark.parametrize(("page", "count", "attack"), [("own-attack.md", 3, "darker"), ("own-model.md", 3, "redraw")])
def test_an_attack_or_a_model_of_ones_own_is_measured_without_a_change(page, count, attack, tmp_path, monkeypatch):
    files = files_of(page)
    assert len(files) == count
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "photos").mkdir()
    Image.fromarray(data.chelsea()[:128, :128]).save(tmp_path / "photos/cat.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "mine"))
    monkeypatch.setenv("WATERMARK_CONFIGS", "mine/configs")
    assert main(["attacks", "show", "photos/cat.png", "--suite", "mine", "--output", "sheet.png"]) == 0
    words = ["scheme=dwt_dct", "suite=mine", "data=folder", "data.path=photos", "unmarked=0", "workers=1"]
    assert main(["evaluate", *words, "output=runs", "name=own"]) == 0
    rows = pd.read_parquet("runs/own/rows.parquet")
    assert rows[rows.attack == attack].error.isna().all()
    assert len(rows[rows.attack == attack]) >= 3


def test_the_hook_refuses_what_is_not_marked_whatever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)  # a hook of git may run this test
    Image.fromarray(data.chelsea()[:256, :256]).save("plain.png")
    assert main(["key", "new", "my.key"]) == 0
    marked = "pictures/Bäume und Straße.png"
    words = ["--provider", "7", "--content", "1", "--key-file", "my.key", "--preflight", "none"]
    Path("pictures").mkdir()
    assert main(["embed", "plain.png", marked, *words]) == 0
    (tool := tmp_path / "watermark").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m watermark "$@"\n')
    tool.chmod(0o755)
    text = (ROOT / "docs/recipes/pre-commit.md").read_text()
    (block,) = re.findall(r"^```sh\n(.*?)^```$", text, re.S | re.M)

    def git(*words):
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(["git", *who, *words], capture_output=True, text=True, env=environment)

    assert git("init", "--quiet").returncode == 0
    hook = tmp_path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(block.replace("/secure/place", str(tmp_path)))
    hook.chmod(0o755)
    git("add", marked)
    assert (done := git("commit", "--message", "marked")).returncode == 0, done.stderr
    git("add", "plain.png")
    refused = git("commit", "--message", "not marked")
    assert refused.returncode != 0
    assert "plain.png: not marked" in refused.stdout + refused.stderr
