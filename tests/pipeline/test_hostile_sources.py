"""Lists and archives that somebody else made: nothing outside of them is opened, and whatever is wrong is one line."""

import io
import os
import random
import sys
import tarfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from watermark.detection import Detection
from watermark.errors import UserError
from watermark.pipeline import plan as plans
from watermark.pipeline import sources
from watermark.pipeline.detecting import Examiner
from watermark.pipeline.store import Place


class Reader:
    """Sees no mark in any picture."""

    def detect(self, _):
        return Detection(is_marked=False, log10_p=0.0, readings=1, corrected=0)


@pytest.fixture
def dataset(tmp_path):
    """What was sent: a folder with a picture. Beside it lies a picture that is nobody's business."""
    (tmp_path / "sent").mkdir()
    for path in (tmp_path / "sent" / "a.png", tmp_path / "secret.png"):
        Image.new("RGB", (64, 64), (90, 100, 110)).save(path)
    return tmp_path / "sent"


def listed(dataset, **columns):
    pq.write_table(pa.table(columns), dataset / "list.parquet")
    return Place.of(str(dataset / "list.parquet"))


def read(dataset, source, anywhere=False):
    """The rows of a run that looks at every picture of a source."""
    target = Place.of(str(dataset.parent / "out"))
    entries = sources.entries(source, anywhere)
    plan = plans.make(target, {"source": str(source)}, entries, 100, None)
    examiner = Examiner(Reader, target)
    for number in range(plan.shards):
        examiner(number)
    found = sorted((dataset.parent / "out" / "_rows").glob("*.parquet"))
    return [row for path in found for row in pq.read_table(path).to_pylist()]


def told(action):
    """What it gives, and the one line with which it refuses."""
    try:
        return action(), ""
    except UserError as error:
        said = str(error)
    assert said.isprintable(), said
    return [], said


OUTSIDE = [
    "{}/secret.png",
    "../secret.png",
    "sent/../../secret.png",
    "file://{}/secret.png",
    "link.png",
    "links/secret.png",
]
OUTSIDE += ["s3://bucket/x.png", "s3://bucket/x.png?endpoint_override=http://127.0.0.1:9", "/etc/hostname"]


@pytest.mark.parametrize("uri", OUTSIDE)
def test_a_list_names_no_picture_outside_of_its_folder(dataset, uri):
    (dataset / "link.png").symlink_to(dataset.parent / "secret.png")
    (dataset / "links").symlink_to(dataset.parent)
    source = listed(dataset, uri=["a.png", uri.format(dataset.parent)])
    with pytest.raises(UserError, match="below its own folder") as error:
        read(dataset, source)
    assert "\n" not in str(error.value)


def test_a_list_that_is_believed_may_name_any(dataset):
    source = listed(dataset, uri=["a.png", f"{dataset.parent}/secret.png"])
    assert [row["error"] for row in read(dataset, source, anywhere=True)] == [None, None]


def test_a_pipe_among_the_pictures_is_not_waited_for(dataset):
    os.mkfifo(dataset / "pipe.png")
    rows = read(dataset, listed(dataset, uri=["pipe.png", "a.png"]))
    assert "not a regular file" in rows[0]["error"]
    assert rows[1]["error"] is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_named(dataset):
    (dataset / os.fsdecode(b"\xff.png")).touch()
    with pytest.raises(UserError, match=r"names in UTF-8, got \\udcff\.png; rename it"):
        read(dataset, Place.of(str(dataset)))


SHAPES = {
    "bytes": {"uri": pa.array([b"a.png"])},
    "numbers": {"uri": [1]},
    "lists": {"uri": [["a.png"]]},
    "nothing": {"uri": pa.nulls(3)},
    "a null": {"uri": ["a.png", None]},
    "empty": {"uri": [""]},
    "no column": {"url": ["a.png"]},
    "a long text, often": {"uri": pa.DictionaryArray.from_arrays([0] * 4096, ["x" * 2**22])},
    "zeros": {"uri": ["a\0b.png"]},
    "fractions": {"uri": ["a.png"], "provider": [1.5]},
    "digits": {"uri": ["a.png"], "content": ["9" * 5000]},
    "nested numbers": {"uri": ["a.png"], "content": [{"a": 1}]},
    "another scheme": {"uri": ["gopher://x/a.png"]},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_list_of_another_shape_is_one_line_or_a_row(dataset, shape):
    source, began = listed(dataset, **SHAPES[shape]), time.process_time()
    rows, said = told(lambda: read(dataset, source))
    assert said or all(row["error"] for row in rows)
    assert time.process_time() - began < 5


def test_a_damaged_list_is_one_line(dataset):
    rng, path = random.Random(0), dataset / "list.parquet"
    pq.write_table(pa.table({"uri": ["a.png"] * 50, "provider": [7] * 50}), path, compression="zstd")
    whole, refused = path.read_bytes(), 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        refused += bool(told(lambda: list(sources.entries(Place.of(str(path)))))[1])
    assert refused


def member(name, kind=tarfile.REGTYPE, content=b"", **facts):
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, len(content)
    for fact, value in facts.items():
        setattr(made, fact, value)
    return made, io.BytesIO(content)


def picture():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 100, 110)).save(buffer, "PNG")
    return buffer.getvalue()


STRANGE = {
    "absolute": member("/etc/a.png", content=picture()),
    "up": member("../../up.png", content=picture()),
    "link": member("link.png", tarfile.SYMTYPE, linkname="/etc/hostname"),
    "hard link": member("hard.png", tarfile.LNKTYPE, linkname="../../secret.png"),
    "device": member("device.png", tarfile.CHRTYPE, devmajor=1, devminor=5),
    "pipe": member("pipe.png", tarfile.FIFOTYPE),
    "escape codes": member("a\x1b]0;owned\x07\n.png", content=picture()),
    "surrogates": member("a\udcff.png", content=picture()),
    "long": member("x" * 5000 + ".png", content=picture()),
    "headers": member("h.png", content=picture(), pax_headers={"size": "99999999999999999999", "path": "../../x.png"}),
    "negative": member("n.png", content=picture(), pax_headers={"size": "-512"}),
    "sparse": member(
        "s.png", content=picture(), pax_headers={"GNU.sparse.size": str(2**50), "GNU.sparse.map": "0,512"}
    ),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_members_of_a_tar_are_read_from_the_tar_and_nowhere_else(dataset, strange):
    made, content = STRANGE[strange]
    before = set(dataset.parent.rglob("*"))
    with tarfile.open(dataset / "x.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(*member("first.png", content=picture()))
        archive.addfile(made, content)
    source = Place.of(str(dataset / "x.tar"))
    rows, said = told(lambda: read(dataset, source))
    assert said or rows[0]["error"] is None
    assert all("\n" not in (row["error"] or "") for row in rows)
    made_now = set(dataset.parent.rglob("*")) - before
    assert all(path.is_relative_to(dataset.parent / "out") or path == dataset / "x.tar" for path in made_now)
    assert not Path("/etc/a.png").exists()
