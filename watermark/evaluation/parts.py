"""The files of a run folder: parts into tables, each written whole or not at all; imports no torch."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from watermark.errors import UserError
from watermark.evaluation.plan import Unit
from watermark.evaluation.records import arrow_schema

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

MAX_PART = 2**30
"""Bytes that a part may claim to hold; a unit of one picture and 243 cells holds 3 MiB."""


def merge_parts(folder: Path, units: Sequence[Unit]) -> int:
    """Parts to ``rows.parquet`` and ``costs.parquet``, streamed in the order of the units; how many rows.

    Raises:
        UserError: if a part is not what a run writes.
    """
    parts = folder / "parts"
    _stream(folder / "rows.parquet", arrow_schema(), (parts / f"{unit.name}.rows.parquet" for unit in units))
    _stream(folder / "costs.parquet", COSTS, (parts / f"{unit.name}.costs.parquet" for unit in units))
    return pq.read_metadata(folder / "rows.parquet").num_rows


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """A table of a run folder that has this schema.

    Raises:
        UserError: if it is none, has other columns, or claims to hold more than ``MAX_PART``.
    """
    try:
        with pq.ParquetFile(path) as file:
            claimed = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if claimed > MAX_PART:
                raise UserError(f"{path}: expected at most {MAX_PART >> 20} MiB of rows, got {claimed >> 20}")
            if not file.schema_arrow.equals(schema):
                raise UserError(f"{path}: expected the columns of {', '.join(schema.names[:3])}, ...; it has others")
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


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

    Whatever lies there, a symbolic link too, is replaced and never written through.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
