"""Shards of marked pictures: on record before they are written, the same bytes when repeated, failures as rows."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pipeline_fakes import contents

from watermark.cli import main
from watermark.keystore import KeyFile
from watermark.labels import read_labels
from watermark.pipeline import embedding
from watermark.pipeline.embedding import OTHER_BYTES
from watermark.registry import Registry, Slot

sys.path.append(str(Path(__file__).parents[1] / "identity"))
from identity_fakes import FAKE_CODE, FakeMarker, draw


@pytest.fixture(autouse=True)
def _quick_marks(monkeypatch):
    monkeypatch.setattr(embedding, "marker_for", lambda *_, **__: FakeMarker())
    monkeypatch.setattr(embedding, "TOGETHER", 3)


@pytest.fixture
def registry(tmp_path):
    KeyFile.new().save(tmp_path / "my.key")
    key = KeyFile.load(tmp_path / "my.key")
    opened = Registry(tmp_path / "registry.db", key.registry_key)
    opened.add_slot(Slot(7, FAKE_CODE, key.key_id, "tile_spread", "3", "l64", 40))
    opened.add_slot(Slot(9, FAKE_CODE, key.key_id, "tile_spread", "3", "l64", 40))
    yield opened
    opened.close()


@pytest.fixture
def source(tmp_path):
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for number in range(6):
        draw(number).save(tmp_path / "photos" / f"{number}.png")
    draw(6).save(tmp_path / "photos" / "deep" / "6.bmp")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return tmp_path / "photos"


def here(build, numbers):
    yield from map(build(), numbers)


def pipeline(tmp_path, source, *words, execute=here, out="out"):
    """The verb, its engine put aside: shards are made in this process."""
    given = [str(source), str(tmp_path / out), "--key-file", str(tmp_path / "my.key")]
    given += ["--registry", str(tmp_path / "registry.db"), "--visible", "elsewhere", "--shard-size", "4", *words]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watermark.cli.pipeline._engine", lambda _: execute)
        return main(["pipeline", "embed", *given])


def rows(folder, pattern="*.parquet"):
    return [row for path in sorted(folder.glob(pattern)) for row in pq.read_table(path).to_pylist()]


def test_every_picture_is_marked_labelled_and_on_record_or_a_row_that_says_why(tmp_path, registry, source, capsys):
    assert pipeline(tmp_path, source, "--provider", "7") == 1
    assert "7 of 8 pictures, 1 failed" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["pictures"] == 8
    members = {}
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(path) as archive:
            members |= {one.name: archive.extractfile(one).read() for one in archive}
    assert len(members) == 7
    made = rows(tmp_path / "out")
    assert [row["name"] for row in made] == [*(f"{n}.png" for n in range(6)), "broken.jpg", "deep/6.bmp"]
    assert len({row["content"] for row in made}) == 8
    for row in made:
        found = registry.find(7, int(row["content"]))
        if row["name"] == "broken.jpg":
            assert "broken.jpg: cannot be read" in row["error"]
            assert (found, row["file"]) == (None, None)
            continue
        image = Image.open(io.BytesIO(members[row["file"]]))
        assert image.format == "PNG"
        assert FakeMarker().detect(image).content_id == int(row["content"]) == found.record.content_id
        assert read_labels(image)[0].label.produce_id == found.record.produce_id
        assert row["sha256"] == found.record.released_sha256
    assert registry.verify(full=True).ok
    assert registry.verify().count == 2 + 7


def test_tars_are_what_webdataset_reads(tmp_path, registry, source):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed: uv sync --group ci")
    pipeline(tmp_path, source, "--provider", "7")
    read = list(wds.WebDataset([str(path) for path in sorted((tmp_path / "out").glob("*.tar"))], shardshuffle=False))
    assert [one["__key__"] for one in read] == ["000000000", "000000001", "000000002", "000000003"] + [
        f"00001000{n}" for n in (0, 1, 3)
    ]


def test_tars_as_source_keep_what_lies_beside_a_picture(tmp_path, registry):
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / "00.tar", "w") as archive:
        for number in range(3):
            draw(number).save(tmp_path / "one.png")
            archive.add(tmp_path / "one.png", f"x/{number}.png")
            (tmp_path / "one.txt").write_text(f"caption {number}")
            archive.add(tmp_path / "one.txt", f"x/{number}.txt")
    assert pipeline(tmp_path, tmp_path / "in", "--provider", "7") == 0
    with tarfile.open(tmp_path / "out" / "00000.tar") as archive:
        assert archive.getnames()[:2] == ["000000000.png", "000000000.txt"]
        assert archive.extractfile("000000002.txt").read() == b"caption 2"
    assert [row["name"] for row in rows(tmp_path / "out")] == ["x/0.png", "x/1.png", "x/2.png"]


def test_a_manifest_names_providers_and_ids_that_were_reserved_before(tmp_path, registry, source, capsys):
    taken = registry.content_ids(registry.reserve(9, 2))
    manifest = pa.table(
        {
            "uri": ["photos/0.png", str(source / "1.png"), "photos/none.png", "photos/2.png"],
            "provider": [9, None, 7, 9],
            "content": pa.array([str(taken[1]), None, None, None]),
        }
    )
    pq.write_table(manifest, tmp_path / "list.parquet")
    assert pipeline(tmp_path, tmp_path / "list.parquet", "--provider", "7") == 1
    made = rows(tmp_path / "out")
    assert [row["provider"] for row in made] == [9, 7, 7, 9]
    assert made[0]["content"] == str(taken[1])
    assert "none.png: no such file" in made[2]["error"]
    assert registry.verify(full=True).ok
    stranger = pa.table({"uri": ["photos/0.png"], "content": ["123456"]})
    pq.write_table(stranger, tmp_path / "list2.parquet")
    assert pipeline(tmp_path, tmp_path / "list2.parquet", "--provider", "7", out="second") == 2
    assert "content ID 123456 of slot 7 was never reserved" in capsys.readouterr().err


def test_two_pictures_with_one_id_are_never_both_released(tmp_path, registry, source):
    (taken,) = registry.content_ids(registry.reserve(7, 1))
    uris = [f"photos/{number}.png" for number in (0, 1, 2, 3, 4)]
    pq.write_table(pa.table({"uri": uris, "content": [taken] * 5}), tmp_path / "list.parquet")
    assert pipeline(tmp_path, tmp_path / "list.parquet", "--provider", "7") == 1
    assert [row["error"] for row in rows(tmp_path / "out")] == [None, *[OTHER_BYTES] * 4]


def test_a_mirror_keeps_names(tmp_path, registry, source):
    assert pipeline(tmp_path, source, "--provider", "7", "--mirror") == 1
    assert FakeMarker().detect(Image.open(tmp_path / "out" / "deep" / "6.png")).is_marked
    assert [row["file"] for row in rows(tmp_path / "out" / "_rows")][-1] == "deep/6.png"
    assert not list((tmp_path / "out").glob("*.tar"))


def test_a_mirror_writes_no_picture_over_another(tmp_path, registry, source, capsys):
    draw(9).save(source / "5.bmp")
    assert pipeline(tmp_path, source, "--provider", "7", "--mirror") == 2
    assert "5.png and 5.bmp would both be 5.png; rename one" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.png"))


class Stop(Exception):
    pass


@pytest.mark.parametrize("moment", ["staged", "finish"])
def test_a_shard_that_was_cut_off_after_its_records_is_written_the_same(
    tmp_path, registry, source, moment, monkeypatch
):
    pipeline(tmp_path, source, "--provider", "7", "--mirror")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    before = registry.verify().count

    def stop(*_, **__):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(embedding.shards, "add_member" if moment == "staged" else "finish", stop)
        assert pipeline(tmp_path, source, "--provider", "7") == 2
    recorded = registry.verify().count
    assert before < recorded < before + 7
    assert not list((tmp_path / "out").glob("*.parquet"))
    if moment == "finish":
        first = (tmp_path / "out" / "00000.tar").read_bytes()
    assert pipeline(tmp_path, source, "--provider", "7") == 1
    assert registry.verify(full=True).ok
    assert registry.verify().count == before + 7
    if moment == "finish":
        assert (tmp_path / "out" / "00000.tar").read_bytes() == first
    whole = contents(tmp_path / "out")
    assert pipeline(tmp_path, source, "--provider", "7") == 1
    assert contents(tmp_path / "out") == whole


def test_another_configuration_on_a_target_is_an_error_in_one_line(tmp_path, registry, source, capsys):
    pipeline(tmp_path, source, "--provider", "7")
    capsys.readouterr()
    assert pipeline(tmp_path, source, "--provider", "7", "--quality", "80") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "was begun with quality None, not 80; name another target" in said
    slot = registry.slot(7)
    registry.close()
    (tmp_path / "registry.db").rename(tmp_path / "other.db")
    Registry(tmp_path / "registry.db", KeyFile.load(tmp_path / "my.key").registry_key).add_slot(slot)
    assert pipeline(tmp_path, source, "--provider", "7") == 2
    assert "were not reserved in this registry" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--provider", "8"], "slot 8 is not defined in this registry"),
        ([], "expected a provider for every picture"),
        (["--provider", "7", "--shard-size", "0"], "--shard-size: expected at least 1, got 0"),
        (["--provider", "7", "--quality", "101"], "--quality: expected 1 to 100"),
    ],
)
def test_bad_words_are_one_line_and_write_nothing(tmp_path, registry, source, words, said, capsys):
    assert pipeline(tmp_path, source, *words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not list((tmp_path / "out").rglob("*.json"))


def test_a_dry_run_counts_and_tries_and_writes_nothing(tmp_path, registry, source, capsys):
    assert pipeline(tmp_path, source, "--provider", "7", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "8 pictures" in said
    assert "2 shards of 4" in said
    assert "core-hours" in said
    assert "1 failed" in said
    assert not (tmp_path / "out").exists()
    assert registry.verify().count == 2
    assert registry.reserve(7, 1).start == 0


def test_a_target_that_holds_something_else_or_is_in_use_is_refused(tmp_path, registry, source, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("mine")
    assert pipeline(tmp_path, source, "--provider", "7") == 2
    assert "expected an empty folder" in capsys.readouterr().err
    assert pipeline(tmp_path, source, "--provider", "7", out="photos/deep") == 2
    assert "expected a target outside of the source" in capsys.readouterr().err
    (tmp_path / "out" / "precious.txt").unlink()

    def twice(build, numbers):
        assert pipeline(tmp_path, source, "--provider", "7") == 2
        yield from here(build, numbers)

    assert pipeline(tmp_path, source, "--provider", "7", execute=twice) == 1
    assert "another run is filling this folder" in capsys.readouterr().err
