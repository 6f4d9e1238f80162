"""Take a finished run at its word: measure random cells again and compare the rows."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from watermark.errors import UserError
from watermark.evaluation.agreement import differences, rounding
from watermark.evaluation.cells import UnitRun
from watermark.evaluation.job import Cell, Job, Unit
from watermark.evaluation.provenance import device_name, versions


@dataclass
class Verification:
    """What came of it.

    Attributes:
        cells: cells measured again (one scheme, one batch of pictures, one attack at one strength).
        rows: rows compared.
        differing_rows: rows of which at least one field differs.
        differences: one line per differing field.
        exact: whether bytes were compared, as on the machine of the run, or numbers within the stated tolerance.
        notes: what is not as it was when the run was made (code, library versions).
    """

    cells: int = 0
    rows: int = 0
    differing_rows: int = 0
    differences: list[str] = field(default_factory=list)
    exact: bool = True
    notes: list[str] = field(default_factory=list)


def verify(run_dir: Path, cells: int = 5, seed: int | None = None) -> Verification:
    """Measure ``cells`` random cells of the run again.

    Raises:
        UserError: if the folder is no run, or its pictures are not the same any more.
    """
    manifest_path = run_dir / "manifest.json"
    if not manifest_path.exists():
        raise UserError(f"{run_dir}: expected a run folder with a manifest.json")
    if cells < 1:
        raise UserError(f"--cells: expected at least 1, got {cells}")
    manifest = json.loads(manifest_path.read_text())
    job = Job(manifest["config"])
    if job.images.manifest_hash() != manifest["data"]["manifest_hash"]:
        raise UserError(f"{run_dir}: the pictures are not those of the run any more")
    result = Verification(exact=_same_machine(manifest, job), notes=_changes(manifest, job))
    rng = np.random.default_rng(secrets.randbits(64) if seed is None else seed)
    done = [unit for path in sorted((run_dir / "parts").glob("*.rows.parquet")) if (unit := _unit(path, job))]
    if not done:
        raise UserError(f"{run_dir}: expected finished parts, found none")
    for _ in range(cells):
        unit, cell = done[rng.integers(len(done))], job.cells[rng.integers(len(job.cells))]
        _compare(run_dir, job, unit, cell, result)
    return result


def _unit(path: Path, job: Job) -> Unit | None:
    """What a part holds, from its name: batches of the device that the run was made on, not of this one."""
    scheme, place, count = path.name.removesuffix(".rows.parquet").rsplit("-", 2)
    if scheme not in job.config["schemes"] or not (place.isdecimal() and count.isdecimal()):
        return None
    indices = tuple(range(int(place), int(place) + int(count)))
    return Unit(scheme, indices) if indices and indices[-1] < len(job.images.infos) else None


def _same_machine(manifest: dict[str, Any], job: Job) -> bool:
    """Whether bytes can be expected: the same code and libraries on a processor of the same name and rounding."""
    here = {"job_key": job.key_hash, "device": device_name(job.device), "rounding": rounding(job.device)}
    return all(manifest.get(name) == value for name, value in here.items())


def _changes(manifest: dict[str, Any], job: Job) -> list[str]:
    now = versions()
    changed = [f"{name} {was} -> {now.get(name)}" for name, was in manifest["versions"].items() if now.get(name) != was]
    if job.key_hash != manifest["job_key"]:
        changed.insert(0, "the code, a library or the device is not the one that the run was made with")
    return changed


def _compare(run_dir: Path, job: Job, unit: Unit, cell: Cell, result: Verification) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if job.device.type == "cpu" else threads)  # as the run's workers do
    again = UnitRun(job, unit, job.marker(unit.scheme)).measure(lambda: None, [cell]).rows
    torch.set_num_threads(threads)
    table = pq.read_table(run_dir / "parts" / f"{unit.name}.rows.parquet").to_pylist()
    kept = {_name(row): row for row in table if (row["attack"], row["strength"]) == (cell.name, cell.strength)}
    result.cells += 1
    for row in map(asdict, again):
        result.rows += 1
        was = kept.get(_name(row), {})
        where = f"{unit.scheme}, {row['image']}, {cell.name} {cell.strength}, marked={row['marked']}"
        found = differences(was, row, result.exact, job.config["false_positive_rate"])
        lines = [f"{where}: {line}" for line in found]
        result.differing_rows += bool(lines)
        result.differences += lines


def _name(row: dict[str, Any]) -> tuple[str, bool]:
    return row["image"], row["marked"]
