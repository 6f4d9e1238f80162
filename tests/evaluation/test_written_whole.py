"""The files of a run folder appear whole or not at all, and what a killed run left in it is removed by the next."""

import os
import signal
import subprocess
import sys

import pytest

from watermark.errors import UserError
from watermark.evaluation.parts import whole, write_text
from watermark.files import whole as staging

KILLED = """
import os, signal, sys
from pathlib import Path
from watermark.evaluation.parts import whole
with whole(Path(sys.argv[1]) / "rows.parquet") as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path, monkeypatch):
    (tmp_path / "rows.parquet").write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "rows.parquet").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(staging, "_swept", set())
    write_text(tmp_path / "manifest.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "rows.parquet"]


def test_an_error_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "hidden")

    refused = pytest.raises(UserError, match=r"rows\.parquet: cannot be written \(No space left on device\)")
    with refused, whole(tmp_path / "rows.parquet"):
        full()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(UserError, match=r"rows\.parquet: cannot be written") as raised:
        write_text(tmp_path / "rows.parquet", "x")
    assert "hidden" not in str(raised.value)


def test_a_link_is_replaced_and_never_written_through(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "rows.parquet").symlink_to(tmp_path / "victim")
    write_text(tmp_path / "rows.parquet", "new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "rows.parquet").is_symlink()
    assert (tmp_path / "rows.parquet").read_text() == "new"
