"""`pipeline detect`: a row for every picture, marked or not, and one that says why for what cannot be read."""

import re
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage import data

from watermark import Watermarker
from watermark.cli import main
from watermark.keystore import KeyFile

KEY_WORDS = ["--scheme", "dwt_dct", "--shard-size", "2"]


@pytest.fixture
def uploads(tmp_path):
    KeyFile.new().save(tmp_path / "my.key")
    marker = Watermarker.load("dwt_dct", key=KeyFile.load(tmp_path / "my.key").mark_key)
    (tmp_path / "uploads").mkdir()
    plain = Image.fromarray(np.asarray(data.coffee())[:192, :256])
    marker.embed(plain, 7, 2**35 + 1).save(tmp_path / "uploads" / "a.png")
    plain.save(tmp_path / "uploads" / "b.png")
    (tmp_path / "uploads" / "c.png").write_bytes(b"no picture")
    return tmp_path / "uploads"


def here(build, numbers):
    yield from map(build(), numbers)


def detect(tmp_path, source, target, *words, execute=here):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watermark.cli.pipeline._engine", lambda _: execute)
        given = ["--key-file", str(tmp_path / "my.key"), *KEY_WORDS, *words]
        return main(["pipeline", "detect", str(source), str(tmp_path / target), *given])


def rows(folder):
    return [row for path in sorted((folder / "_rows").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_every_picture_has_its_answer_in_a_row(tmp_path, uploads, capsys):
    assert detect(tmp_path, uploads, "found") == 1
    assert "2 of 3 pictures, 1 failed" in capsys.readouterr().out
    marked, plain, broken = rows(tmp_path / "found")
    assert (marked["is_marked"], marked["provider"], marked["content"]) == (True, 7, str(2**35 + 1))
    assert marked["log10_p"] < -6
    assert (plain["is_marked"], plain["content"], plain["error"]) == (False, None, None)
    assert "c.png: expected one of PNG" in broken["error"]
    assert broken["is_marked"] is None


def test_what_was_written_as_tars_is_read_from_them(tmp_path, uploads):
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / "00000.tar", "w") as archive:
        archive.add(uploads / "b.png", "000000000.png")
        archive.add(uploads / "a.png", "000000001.png")
    assert detect(tmp_path, tmp_path / "tars", "found") == 0
    assert [(row["name"], row["is_marked"]) for row in rows(tmp_path / "found")] == [
        ("000000000.png", False),
        ("000000001.png", True),
    ]


def test_another_key_on_the_same_target_is_refused(tmp_path, uploads, capsys):
    detect(tmp_path, uploads, "found")
    (tmp_path / "my.key").unlink()
    KeyFile.new().save(tmp_path / "my.key")
    capsys.readouterr()
    assert detect(tmp_path, uploads, "found") == 2
    assert re.search(
        r"was begun with keys [0-9a-f]{16}, not [0-9a-f]{16}; name another target$", capsys.readouterr().err, re.M
    )


def test_a_ring_of_keys_names_whose_key_it_is(tmp_path, uploads):
    (tmp_path / "ring").mkdir()
    (tmp_path / "my.key").rename(tmp_path / "ring" / "7.key")
    KeyFile.new().save(tmp_path / "ring" / "9.key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watermark.cli.pipeline._engine", lambda _: here)
        words = [str(uploads), str(tmp_path / "found"), "--keyring", str(tmp_path / "ring"), *KEY_WORDS]
        assert main(["pipeline", "detect", *words]) == 1
    assert [row["provider"] for row in rows(tmp_path / "found")] == [7, None, None]


@pytest.mark.slow
def test_through_worker_processes(tmp_path, uploads):
    """What is sent to a worker can be sent."""
    given = ["--key-file", str(tmp_path / "my.key"), *KEY_WORDS, "--engine", "processes", "--workers", "1"]
    assert main(["pipeline", "detect", str(uploads), str(tmp_path / "found"), *given]) == 1
    assert [row["is_marked"] for row in rows(tmp_path / "found")] == [True, False, None]
