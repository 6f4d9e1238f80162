"""The folder of one run: parts while it runs, tables when it is done. A part is there whole or not at all."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from watermark.errors import UserError
from watermark.evaluation.cells import Measured
from watermark.evaluation.job import Job, Unit
from watermark.evaluation.records import arrow_schema
from watermark.pixels import to_image

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
THUMBNAIL = 512  # px, long side of the pictures that the report shows


class RunStore:
    """Read and write one run folder.

    Args:
        folder: made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = folder / "parts"
        self.parts.mkdir(parents=True, exist_ok=True)

    def claim(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, or make sure that the rows that lie here are of the same job.

        Raises:
            UserError: if the folder holds another job's rows.
        """
        path = self.folder / "manifest.json"
        if path.exists():
            found = json.loads(path.read_text())["job_key"]
            if found != manifest["job_key"]:
                raise UserError(
                    f"{self.folder}: holds rows of another configuration, code or data set; choose another name="
                )
            return
        write_json(path, manifest)

    def has(self, unit: Unit) -> bool:
        """Whether this unit's rows are there."""
        return self._rows_path(unit).exists()

    def keep(self, unit: Unit, measured: Measured) -> None:
        """Write a unit's costs, then its rows; the rows make it count."""
        rows = pa.Table.from_pylist([asdict(row) for row in measured.rows], schema=arrow_schema())
        costs = pa.Table.from_pylist(measured.costs, schema=COSTS)
        _write_table(costs, self.parts / f"{unit.name}.costs.parquet")
        _write_table(rows, self._rows_path(unit))

    def keep_pictures(self, scheme: str, image: str, pictures: dict[str, Tensor]) -> None:
        """Small pictures for the report: original, marked, ten times the residual, attacked."""
        original, marked = pictures["original"], pictures["marked"]
        shown = {**pictures, "residual10": (0.5 + 10 * (marked - original)).clamp(0, 1)}
        folder = self.folder / "samples" / scheme / image.replace("/", "_")
        for name, picture in shown.items():
            path = folder / f"{name}.webp"
            path.parent.mkdir(parents=True, exist_ok=True)
            thumbnail = to_image(picture)
            thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
            thumbnail.save(path, quality=85)

    def merge(self, job: Job) -> int:
        """Parts to ``rows.parquet`` and ``costs.parquet``, streamed in the order of the units; how many rows."""
        units = [unit for unit in job.units if self.has(unit)]
        _stream(self.folder / "rows.parquet", arrow_schema(), (self._rows_path(unit) for unit in units))
        costs = (self.parts / f"{unit.name}.costs.parquet" for unit in units)
        _stream(self.folder / "costs.parquet", COSTS, costs)
        return pq.read_metadata(self.folder / "rows.parquet").num_rows

    def _rows_path(self, unit: Unit) -> Path:
        return self.parts / f"{unit.name}.rows.parquet"


def _stream(path: Path, schema: pa.Schema, parts: Iterable[Path]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part, schema=schema))
    temporary.replace(path)


def _write_table(table: pa.Table, path: Path) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    temporary.write_text(json.dumps(content, indent=2, default=str, allow_nan=False) + "\n")
    temporary.replace(path)
