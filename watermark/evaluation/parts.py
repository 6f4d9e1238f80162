"""The files of a run folder: parts into tables, each written whole or not at all; imports no torch."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from watermark.errors import UserError
from watermark.evaluation.plan import Unit
from watermark.evaluation.records import arrow_schema
from watermark.files.whole import Staged, told
from watermark.shown import reason

COSTS = pa.schema(
    [
        ("unit", pa.string()),
        ("scheme", pa.string()),
        ("stage", pa.string()),
        ("attack", pa.string()),
        ("images", pa.int64()),
        ("pixels", pa.int64()),
        ("seconds", pa.float64()),
        ("peak_bytes", pa.int64()),
    ]
)

MAX_PART, MAX_RATIO = 2**30, 20
"""A table may claim to hold this many bytes, and so many times those of its file; soft decisions hardly shrink."""
FREE_ROWS = 100_000
"""And one row for each byte of its file, beside these; a row of a run takes some hundred bytes."""


def merge_parts(folder: Path, units: Sequence[Unit]) -> int:
    """Parts to ``rows.parquet`` and ``costs.parquet``, streamed in the order of the units; how many rows.

    Raises:
        UserError: if a part is not what a run writes, or no regular file of this folder.
    """
    for kind, schema in (("rows", arrow_schema()), ("costs", COSTS)):
        _stream(folder / f"{kind}.parquet", schema, (_part(folder, f"{unit.name}.{kind}.parquet") for unit in units))
    return pq.read_metadata(folder / "rows.parquet").num_rows


def sample_folder(run_dir: Path, scheme: str, image: str) -> Path:
    """Where the small pictures of one image lie; no two images share it, whatever their names and folders are."""
    known_by = re.sub(r"[^A-Za-z0-9.-]", "_", image)[-60:].lstrip(".")
    digest = hashlib.sha256(image.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return run_dir / "samples" / scheme / f"{digest}-{known_by}"


def own_file(run_dir: Path, *parts: str) -> Path | None:
    """A regular file below a run folder; None where there is none, or where a link or a name leads elsewhere."""
    path = run_dir.joinpath(*parts)
    try:
        inside = path.resolve(strict=True) == run_dir.resolve(strict=True).joinpath(*parts)
        return path if inside and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a loop of links, a name with a zero byte
        return None


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """A table of a run folder that has the columns of this schema.

    Args:
        path: of a Parquet file; it may be a stranger's.
        schema: the columns to read; the file may have others.

    Raises:
        UserError: if it is none, lacks a column or has it of another type, or claims to hold more than it can.
    """
    try:
        with pq.ParquetFile(path) as file:
            facts, size = file.metadata, path.stat().st_size
            claimed = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
            if claimed > MAX_RATIO * size + MAX_PART or facts.num_rows > size + FREE_ROWS:
                said = f"{facts.num_rows} rows, {claimed >> 20} MiB in a file of {size >> 10} KiB"
                raise UserError(f"{path}: claims to hold {said}; not read")
            if missing := [name for name in schema.names if name not in file.schema_arrow.names]:
                raise UserError(f"{path}: lacks {', '.join(missing)}")
            for column in schema:
                place = file.schema_arrow.get_field_index(column.name)
                if (kind := file.schema_arrow.field(place).type) != column.type:
                    raise UserError(f"{path}: {column.name}: expected {column.type}, got {kind!s:.80}")
            return file.read(columns=schema.names).cast(schema)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {reason(error)}") from None


def _part(folder: Path, name: str) -> Path:
    path = own_file(folder, "parts", name)
    if path is None:
        raise UserError(f"{folder / 'parts' / name}: expected a regular file, got none")
    return path


def _stream(path: Path, schema: pa.Schema, parts: Iterable[Path]) -> None:
    with whole(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(read_table(part, schema))


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table, whole or not at all."""
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, default=str, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place at the end; nothing is left where that fails.

    Whatever lies there, a symbolic link too, is replaced and never written through. What a killed run left is removed.

    Raises:
        UserError: it cannot be written, in one line that names ``path``.
    """
    if path.is_symlink():
        with told(path):
            path.unlink()
    with Staged(path, overwrite=True) as staged:
        try:
            yield staged.temporary
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({reason(error)})") from None
        staged.release()
