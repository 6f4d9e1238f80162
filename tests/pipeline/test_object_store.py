"""The same against a server that speaks S3 (moto's): nothing is on this disk but the registry."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from pipeline_fakes import Copier, reserve

from watermark.errors import UserError
from watermark.pipeline import Job, run, sources, store
from watermark.pipeline.store import Place


@pytest.fixture(scope="module")
def endpoint():
    server = pytest.importorskip("moto.server", reason="moto is not installed: uv sync --group ci")
    running = server.ThreadedMotoServer(port=0)
    running.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        host, port = running.get_host_and_port()
        yield f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    running.stop()


@pytest.fixture
def bucket(endpoint, photos):
    """A bucket with the photos in it."""
    import pyarrow.fs

    place = Place.of(f"s3://bucket{endpoint}")
    file_system, _ = pyarrow.fs.FileSystem.from_uri(str(place))
    file_system.create_dir("bucket")
    for path in photos.rglob("*.png"):
        store.write(place / f"in/{path.relative_to(photos).as_posix()}", path.read_bytes())
    yield place
    file_system.delete_dir_contents("bucket")


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
    import pyarrow.fs

    copied(bucket / "in", bucket / "out", tmp_path)
    file_system, _ = pyarrow.fs.FileSystem.from_uri(str(bucket))
    file_system.delete_file("bucket/out/00001.parquet")
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
        ("https://example.org/x", r"expected a path, s3:// or gs://"),
    ],
)
def test_addresses_that_are_refused(text, said):
    with pytest.raises(UserError, match=said) as error:
        Place.of(text)
    assert "secret" not in str(error.value)


def test_names_are_taken_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Place.of("a b?.png").path == str(tmp_path / "a b?.png")
    manifest = Place.of("s3://bucket/lists/today.parquet?region=x")
    assert str(Place.of("one.png", manifest.parent)) == "s3://bucket/lists/one.png?region=x"
    assert Place.of(str(tmp_path / "x.png"), Place.of(str(tmp_path))).path == str(Path(tmp_path / "x.png"))
