import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from identity_fakes import FAKE_CODE, KEY_ID, FakeAnswer, draw, issue_for_ever
from PIL import Image

from watermark import files
from watermark.errors import UserError
from watermark.files import whole
from watermark.files.metadata import FURTHER
from watermark.identity import Request, issue
from watermark.labels import read_labels
from watermark.registry import Registry


def test_an_issued_file_carries_mark_and_label_and_is_on_record(source, tmp_path, registry, marker):
    record = issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID)
    out = Image.open(tmp_path / "out.png")
    found = marker.detect(out)
    assert (found.provider_id, found.content_id) == (7, record.content_id)
    (label,) = read_labels(out)
    assert (label.label.content_producer, label.label.produce_id) == (FAKE_CODE, record.produce_id)
    assert registry.find(7, record.content_id).record == record
    assert registry.verify().ok


def test_every_issue_takes_another_id(source, tmp_path, registry, marker):
    records = [issue(Request(source, tmp_path / f"{n}.png", 7), registry, marker, KEY_ID) for n in range(5)]
    assert len({record.content_id for record in records}) == 5


class BrokenMarker:
    def __init__(self, marker):
        self.marker = marker

    def embed(self, image, provider_id, content_id):
        return self.marker.embed(image, provider_id, content_id ^ 1)

    def detect(self, image):
        return self.marker.detect(image)


class BlindMarker(BrokenMarker):
    def detect(self, image):
        return FakeAnswer(False, -1.0)


@pytest.mark.parametrize("broken", [BrokenMarker, BlindMarker])
def test_a_mark_that_cannot_be_read_back_is_not_released(source, tmp_path, registry, marker, broken):
    with pytest.raises(UserError, match="cannot be read back from the file"):
        issue(Request(source, tmp_path / "out.png", 7), registry, broken(marker), KEY_ID)
    assert_nothing_released(tmp_path, registry)


class FineMarker:
    """Its mark is read only from a JPEG of quality 97 or more."""

    def embed(self, image, provider_id, content_id):
        self.ids = provider_id, content_id
        return image

    def detect(self, image):
        kept = (files.own_quality(image, Path("a.jpg")) or 0) >= 97
        return FakeAnswer(True, -9.0, *self.ids, 1) if kept else FakeAnswer(False, -1.0)


def test_a_jpeg_that_loses_the_mark_at_its_own_quality_is_issued_at_a_higher_one(tmp_path, registry):
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "in.jpg", quality=80)
    request, told = Request(tmp_path / "in.jpg", tmp_path / "out.jpg", 7), []
    record = issue(request, registry, FineMarker(), KEY_ID, tell=told.append)
    assert [made.quality for made in told] == [98]
    assert files.own_quality(files.load(tmp_path / "out.jpg"), tmp_path / "out.jpg") == 98
    assert registry.find(7, record.content_id).record == record
    with pytest.raises(UserError, match="cannot be read back from the file"):
        issue(replace(request, target=tmp_path / "b.jpg", quality=80), registry, FineMarker(), KEY_ID)


def test_a_registry_that_refuses_stops_the_release(source, tmp_path, registry, marker, monkeypatch):
    def refuse(self, issued, **_):
        raise UserError("the registry's database refused: database or disk is full; nothing was changed")

    monkeypatch.setattr(Registry, "record", refuse)
    with pytest.raises(UserError, match="disk is full"):
        issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID)
    assert_nothing_released(tmp_path, registry)


def test_a_file_that_cannot_take_its_place_is_withdrawn(source, tmp_path, registry, marker, monkeypatch):
    def fail(self):
        raise UserError(f"{self.path}: cannot be written (No space left on device)")

    monkeypatch.setattr(files.Staged, "release", fail)
    with pytest.raises(UserError, match="the record is withdrawn"):
        issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID)
    assert not (tmp_path / "out.png").exists()
    assert registry.verify().count == 3  # the slot, the issue, its withdrawal


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_stopped_issue_leaves_no_record_without_its_file_and_no_file_without_its_record(
    source, tmp_path, registry, marker, monkeypatch, moment
):
    """Ctrl-C while the record is there and the file is not, and when the file has just got its name."""
    release = files.Staged.release

    def stopped(self):
        if moment == "after":
            release(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(files.Staged, "release", stopped)
    with pytest.raises(KeyboardInterrupt):
        issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID)
    assert (tmp_path / "out.png").exists() == (moment == "after")
    assert registry.verify().count == (2 if moment == "after" else 3)  # the slot, the issue, and its withdrawal


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slot": 8}, "slot 8 is not defined"),
        ({"target": Path("out.bmp")}, "place for the label"),
        ({"explicit_label": False, "draw_visible": False}, "needs a recipient"),
        ({"label": "9"}, "Label is '9'"),
        ({"produce_id": "two words"}, "ProduceID has characters"),
        ({"source": Path("missing.png")}, "no such file"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_released(source, tmp_path, registry, marker, change, words):
    fields = {"source": source, "target": tmp_path / "out.png", "slot": 7}
    with pytest.raises(UserError, match=words):
        issue(Request(**{**fields, **change}), registry, marker, KEY_ID)
    assert_nothing_released(tmp_path, registry)


def test_an_existing_file_and_a_foreign_key_are_refused(source, tmp_path, registry, marker):
    (tmp_path / "out.png").write_bytes(b"precious")
    with pytest.raises(UserError, match="exists already"):
        issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID)
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    with pytest.raises(UserError, match="belongs to key key-1, this is key key-2; a new key takes a new slot"):
        issue(Request(source, tmp_path / "new.png", 7), registry, marker, "key-2")
    assert issue(Request(source, tmp_path / "out.png", 7, overwrite=True), registry, marker, KEY_ID)


def test_without_a_visible_label_the_recipient_is_recorded_as_a_keyed_hash(source, tmp_path, registry, marker):
    request = Request(source, tmp_path / "out.png", 7, draw_visible=False, explicit_label=False, recipient="person")
    record = issue(request, registry, marker, KEY_ID)
    assert record.explicit_label is False
    assert record.recipient_reference == registry.recipient_reference("person")
    untouched = marker.embed(draw(1), 7, record.content_id)
    assert np.array_equal(np.asarray(Image.open(request.target)), np.asarray(untouched))


@pytest.mark.parametrize("delay", [0.0, 0.007, 0.031])
def test_a_killed_process_never_leaves_a_picture_without_a_record(
    source, tmp_path, registry, marker, delay, monkeypatch
):
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    worker = context.Process(target=issue_for_ever, args=(tmp_path, results))
    worker.start()
    while results.get() < 3:
        pass
    time.sleep(delay)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    released = list(tmp_path.glob("out*.png"))
    assert len(released) >= 4
    for path in released:
        found = marker.detect(Image.open(path))
        assert registry.find(7, found.content_id) is not None
        assert read_labels(Image.open(path))
    hidden = [path for path in tmp_path.iterdir() if path.name.startswith(whole.PREFIX)]
    for path in hidden:  # nor a hidden one
        try:
            found = marker.detect(files.decode(path.read_bytes(), path))
        except UserError:  # reserved, or half written
            continue
        assert registry.find(7, found.content_id) is not None
    issue(Request(source, tmp_path / "next.png", 7), registry, marker, KEY_ID)
    whole._swept.clear()
    monkeypatch.setattr(whole, "YOUNG", 0.0)
    issue(Request(source, tmp_path / "last.png", 7), registry, marker, KEY_ID)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(whole.PREFIX)] == []
    assert registry.verify().ok


@pytest.mark.parametrize("name", ["file/below.png", "n" * 300 + ".png", "folder.png"])
def test_a_target_that_cannot_be_is_one_line_and_takes_no_id(source, tmp_path, registry, marker, name, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr(Registry, "allocate", lambda *_: pytest.fail("an ID was taken"))
    with pytest.raises(UserError, match=r"cannot be written|it is a folder") as refusal:
        issue(Request(source, tmp_path / name, 7, overwrite=True), registry, marker, KEY_ID)
    assert "\n" not in str(refusal.value)


def test_a_full_disk_is_one_line_that_names_the_target_and_nothing_is_recorded(
    source, tmp_path, registry, marker, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"out\.png: cannot be written \(No space left on device\)"):
        issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID)
    assert_nothing_released(tmp_path, registry)


def assert_nothing_released(tmp_path, registry):
    assert not (tmp_path / "out.png").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert registry.verify().count == 1  # the slot's definition alone


def test_what_is_not_in_the_released_file_is_told(tmp_path, registry, marker):
    source = tmp_path / "in.jpg"
    draw(1).save(source, "MPO", save_all=True, append_images=[draw(2)])
    written = source.read_bytes()
    source.write_bytes(written[:2] + b"\xff\xe6\0\7vendr" + written[2:])
    told = []
    issue(Request(source, tmp_path / "out.png", 7), registry, marker, KEY_ID, tell=told.append)
    assert [(one.lost, one.dropped) for one in told] == [(("JPEG segments",), (FURTHER,))]
