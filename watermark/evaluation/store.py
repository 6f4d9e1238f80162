"""The folder of one run: parts while it runs, tables when it is done. A part is there whole or not at all."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from torch import Tensor

from watermark.errors import UserError
from watermark.evaluation.cells import Measured
from watermark.evaluation.job import Job
from watermark.evaluation.manifest import read_manifest
from watermark.evaluation.parts import COSTS, merge_parts, sample_folder, whole, write_json, write_table
from watermark.evaluation.plan import Unit
from watermark.evaluation.records import arrow_schema
from watermark.pixels import to_image

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
            if read_manifest(self.folder)["job_key"] != manifest["job_key"]:
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
        write_table(costs, self.parts / f"{unit.name}.costs.parquet")
        write_table(rows, self._rows_path(unit))

    def keep_pictures(self, scheme: str, image: str, pictures: dict[str, Tensor]) -> None:
        """Small pictures for the report: original, marked, ten times the residual, attacked."""
        original, marked = pictures["original"], pictures["marked"]
        shown = {**pictures, "residual10": (0.5 + 10 * (marked - original)).clamp(0, 1)}
        folder = sample_folder(self.folder, scheme, image)
        for name, picture in shown.items():
            path = folder / f"{name}.webp"
            path.parent.mkdir(parents=True, exist_ok=True)
            thumbnail = to_image(picture)
            thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
            with whole(path) as temporary:
                thumbnail.save(temporary, "WEBP", quality=85)

    def merge(self, job: Job) -> int:
        """Parts to ``rows.parquet`` and ``costs.parquet``, in the order of the units; how many rows."""
        return merge_parts(self.folder, [unit for unit in job.units if self.has(unit)])

    def _rows_path(self, unit: Unit) -> Path:
        return self.parts / f"{unit.name}.rows.parquet"
