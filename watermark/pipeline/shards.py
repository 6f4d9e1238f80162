"""One shard: what every job does alike. Its rows are written last, and say that it is done.

A target of tars holds ``00000.tar`` and ``00000.parquet``; one that mirrors a folder, or only reads, holds the rows
under ``_rows``. What a run measured of itself (seconds) lies apart, in ``_plan``, so that tars and rows are the same
bytes however often a shard is repeated.
"""

import json
import tarfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from watermark.pipeline import store
from watermark.pipeline.plan import FOLDER, shard_name
from watermark.pipeline.store import Place

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_FOLDER = "_rows"


@dataclass(frozen=True)
class Done:
    """What one shard came to.

    Attributes:
        shard: its number.
        pictures: of the plan.
        failed: pictures whose row holds an error.
        bytes_written: of pictures or tar, without rows.
        sha256: of the tar; empty where there is none.
        seconds: of the clock.
        core_seconds: of the processor, of the process that worked.
    """

    shard: int
    pictures: int
    failed: int
    bytes_written: int
    sha256: str
    seconds: float
    core_seconds: float


class Clock:
    """Seconds of the clock and of this process's processor since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Both."""
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


def rows_place(target: Place, number: int, *, beside_tar: bool) -> Place:
    """Where the rows of a shard are."""
    name = f"{shard_name(number)}.parquet"
    return target / name if beside_tar else target / ROWS_FOLDER / name


def finished(target: Place, *, beside_tar: bool) -> set[int]:
    """The shards whose rows are there."""
    folder = target if beside_tar else target / ROWS_FOLDER
    stems = (one.name.removesuffix(".parquet") for one in store.files_below(folder, recursive=False))
    return {int(stem) for stem in stems if stem.isdigit()}


def finish(target: Place, done: Done, rows: Sequence[dict[str, Any]], schema: "pa.Schema", *, beside_tar: bool) -> Done:
    """Write the figures of a shard, and then its rows, with which it is done."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    store.write(_figures(target, done.shard), (json.dumps(asdict(done)) + "\n").encode())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink, compression="zstd")
    store.write(rows_place(target, done.shard, beside_tar=beside_tar), sink.getvalue().to_pybytes())
    return done


def figures(target: Place, number: int) -> Done:
    """What a finished shard came to."""
    return Done(**json.loads(store.read(_figures(target, number))))


def tar(file: "Counted") -> tarfile.TarFile:
    """A tar that is written into a file from front to back."""
    return tarfile.open(fileobj=cast("BinaryIO", file), mode="w|")


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to a tar as everybody would at any time: no owner, no date."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, BytesIO(content))


class Counted:
    """A file to write to that knows the length and SHA-256 of what went through it."""

    def __init__(self, file: BinaryIO) -> None:
        from hashlib import sha256

        self.file, self.length, self._hash = file, 0, sha256()

    def write(self, content: bytes) -> int:
        """Write on."""
        self.length += len(content)
        self._hash.update(content)
        return self.file.write(content)

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._hash.hexdigest()


def _figures(target: Place, number: int) -> Place:
    return target / FOLDER / f"{shard_name(number)}_stats.json"
