"""The same against servers that speak S3 and Google's protocol: nothing is on this disk but the registry."""

import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pipeline_fakes import Copier, reserve
from pyarrow.fs import FileSystem

from watermark.errors import UserError
from watermark.pipeline import Job, run, sources, store
from watermark.pipeline.store import Place


@pytest.fixture(scope="module")
def amazon():
    server = pytest.importorskip("moto.server", reason="moto is not installed: uv sync --group ci")
    running = server.ThreadedMotoServer(port=0)
    running.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        host, port = running.get_host_and_port()
        bucket = Place.of(f"s3://bucket?endpoint_override={host}:{port}&scheme=http&region=us-east-1")
        creating = FileSystem.from_uri(f"{bucket}&allow_bucket_creation=true")[0]
        creating.create_dir("bucket")
        yield bucket
    running.stop()


@pytest.fixture(scope="module")
def google():
    pytest.importorskip("gcp_storage_emulator", reason="gcp-storage-emulator is not installed: uv sync --group ci")
    words = [sys.executable, str(Path(__file__).with_name("google_store.py"))]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    port = int(running.stdout.readline())
    yield Place.of(f"gs://anonymous@bucket?scheme=http&endpoint_override=127.0.0.1:{port}&retry_limit_seconds=20")
    running.kill()
    running.wait()


@pytest.fixture(params=["amazon", "google"])
def bucket(request, photos):
    """A bucket with the photos in it."""
    place = request.getfixturevalue(request.param)
    for path in photos.rglob("*.png"):
        store.write(place / f"in/{path.relative_to(photos).as_posix()}", path.read_bytes())
    yield place
    for one in store.files_below(place):
        FileSystem.from_uri(str(place))[0].delete_file(f"bucket/{one.name}")


def copied(source, target, deaths):
    settings = {"source": str(source), "shard_size": 4}
    listed = partial(sources.entries, source)
    job = Job(target, settings, listed, reserve, partial(Copier, target, deaths=deaths), 4, tars=True)
    return run(job, lambda build, numbers: map(build(), numbers), lambda *_: nullcontext(lambda _: None))


def test_a_bucket_becomes_shards_in_a_bucket_that_equal_those_of_a_disk(bucket, photos, tmp_path):
    names = [entry.name for entry in sources.entries(bucket / "in")]
    assert names == [entry.name for entry in sources.entries(Place.of(str(photos)))]
    assert copied(bucket / "in", bucket / "out", tmp_path).made == 3
    copied(Place.of(str(photos)), Place.of(str(tmp_path / "out")), tmp_path)
    written = {one.name for one in store.files_below(bucket / "out")}
    assert {"00000.tar", "00002.parquet", "manifest.json", "_plan/plan.json", "_plan/00001_stats.json"} <= written
    for number in range(3):
        assert store.read(bucket / f"out/0000{number}.tar") == (tmp_path / f"out/0000{number}.tar").read_bytes()


def test_a_run_on_a_bucket_goes_on_where_rows_are_missing(bucket, tmp_path):
    copied(bucket / "in", bucket / "out", tmp_path)
    FileSystem.from_uri(str(bucket))[0].delete_file("bucket/out/00001.parquet")
    assert copied(bucket / "in", bucket / "out", tmp_path).made == 1


def test_what_is_not_there_is_one_line(bucket, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        store.read(bucket / "in/none.png")
    with pytest.raises(UserError, match="no such file or folder"):
        list(sources.entries(bucket / "nothing"))
    assert store.read(bucket / "in/a/1.png", 1, 3) == b"PNG"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://me:secret@bucket/x", "no credentials in the address"),
        ("gs://anonymous:secret@bucket/x", "no credentials in the address"),
        ("s3://anonymous@bucket/x", "no credentials in the address"),
        ("https://example.org/x", r"expected a path, s3:// or gs://"),
    ],
)
def test_addresses_that_are_refused(text, said):
    with pytest.raises(UserError, match=said) as error:
        Place.of(text)
    assert "secret" not in str(error.value)


def test_a_file_of_many_blocks_is_written_and_read_in_part(bucket):
    store.write(bucket / "large", bytes(range(256)) * 2**17)  # 32 MiB
    assert store.read(bucket / "large", 2**25 - 2, 2) == b"\xfe\xff"


def test_a_manifest_on_a_store_names_pictures_beside_it_and_no_others(bucket):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def listed(uri):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"uri": [uri]}), sink)
        store.write(bucket / "in/list.parquet", sink.getvalue().to_pybytes())
        return [entry.uri for entry in sources.entries(bucket / "in/list.parquet")]

    assert listed("a/1.png") == [str(bucket / "in/a/1.png")]
    stranger = str(replace(bucket, user="" if bucket.user else "anonymous") / "in/a/1.png")
    with pytest.raises(UserError, match=r"below its own folder|no credentials"):
        listed(stranger)


def test_a_store_that_does_not_answer_is_one_line_soon():
    began = time.monotonic()
    with pytest.raises(UserError, match="cannot be reached"):
        store.kind(Place.of("gs://anonymous@bucket/x?scheme=http&endpoint_override=127.0.0.1:9&retry_limit_seconds=1"))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("gs://one/x", "gs://one?retry_limit_seconds=60"),
        ("gs://anonymous@one/x?scheme=http", "gs://anonymous@one?scheme=http&retry_limit_seconds=60"),
        ("gs://one/x?retry_limit_seconds=5", "gs://one?retry_limit_seconds=5"),
        ("s3://one/x?region=r", "s3://one?region=r"),
    ],
)
def test_google_is_asked_for_a_minute_where_the_address_does_not_say(text, asked):
    assert store._address(Place.of(text).parent) == asked


def test_names_are_taken_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Place.of("a b?.png").path == str(tmp_path / "a b?.png")
    manifest = Place.of("s3://bucket/lists/today.parquet?region=x")
    assert str(Place.of("one.png", manifest.parent)) == "s3://bucket/lists/one.png?region=x"
    assert Place.of(str(tmp_path / "x.png"), Place.of(str(tmp_path))).path == str(Path(tmp_path / "x.png"))
