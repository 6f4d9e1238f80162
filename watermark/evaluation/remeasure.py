"""Take a finished run at its word: measure random cells again and compare the rows."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from watermark.errors import UserError
from watermark.evaluation.agreement import differences, rounding
from watermark.evaluation.cells import UnitRun
from watermark.evaluation.gather import finished, units
from watermark.evaluation.job import Job
from watermark.evaluation.manifest import read_manifest
from watermark.evaluation.parts import read_table
from watermark.evaluation.plan import Unit
from watermark.evaluation.provenance import device_name, versions
from watermark.evaluation.rebuild import trusted
from watermark.evaluation.records import arrow_schema
from watermark.evaluation.suite import Cell
from watermark.evaluation.threads import one_thread


@dataclass
class Remeasured:
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


def remeasure(
    run_dir: Path,
    cells: int = 5,
    seed: int | None = None,
    *,
    pictures: Path | None = None,
    own: Sequence[Path] = (),
) -> Remeasured:
    """Measure ``cells`` random cells of the run again.

    Args:
        run_dir: the folder of a run; it may be a stranger's.
        cells: how many.
        seed: of the choice; None: another one every time.
        pictures: where the photographs are, if the run measured a folder.
        own: further configuration folders of the user.

    Raises:
        UserError: if the folder is no run, its pictures are not the same any more, or it names what the configuration
            of this machine does not.
    """
    if cells < 1:
        raise UserError(f"--cells: expected at least 1, got {cells}")
    manifest = read_manifest(run_dir)
    done = finished(run_dir, units(manifest))
    if not done:
        raise UserError(f"{run_dir}: expected finished parts, found none")
    try:
        job = Job(trusted(manifest["config"], own, pictures))
    except ValueError as error:
        raise UserError(f"{run_dir}: {str(error).splitlines()[0]}") from None
    if job.images.manifest_hash() != manifest["data"].get("manifest_hash"):
        raise UserError(f"{run_dir}: the pictures are not those of the run any more")
    result = Remeasured(exact=_same_machine(manifest, job), notes=_changes(manifest, job))
    rng = np.random.default_rng(secrets.randbits(64) if seed is None else seed)
    for _ in range(cells):
        unit = done[rng.integers(len(done))]
        met = job.cells_of(unit)
        _compare(run_dir, job, unit, met[rng.integers(len(met))], result)
    return result


def _same_machine(manifest: dict[str, Any], job: Job) -> bool:
    """Whether bytes can be expected: the same code and libraries on a processor of the same name and rounding."""
    here = {"job_key": job.key_hash, "device": device_name(job.device), "rounding": rounding(job.device)}
    return all(manifest.get(name) == value for name, value in here.items())


def _changes(manifest: dict[str, Any], job: Job) -> list[str]:
    now = versions()
    changed = [
        f"{name} {was} -> {now.get(name)}" for name, was in manifest.get("versions", {}).items() if now.get(name) != was
    ]
    if job.key_hash != manifest["job_key"]:
        changed.insert(0, "the code, a library or the device is not the one that the run was made with")
    return changed


def _compare(run_dir: Path, job: Job, unit: Unit, cell: Cell, result: Remeasured) -> None:
    with one_thread(job.device):  # as the run's workers do
        again = UnitRun(job, unit, job.subject(unit.scheme, unit.key)).measure(lambda: None, [cell]).rows
    table = read_table(run_dir / "parts" / f"{unit.name}.rows.parquet", arrow_schema()).to_pylist()
    kept = {_name(row): row for row in table if row["attack"] == cell.name}
    if cell.search is None:
        kept = {name: row for name, row in kept.items() if row["strength"] == cell.strength}
    now = {_name(row): row for row in map(asdict, again)}
    turned = {name[0] for name in kept.keys() & now.keys() if kept[name]["is_marked"] != now[name]["is_marked"]}
    result.cells += 1
    for name in dict.fromkeys([*now, *kept]):
        image, marked, strength = name
        if not result.exact and image in turned and (name in now) != (name in kept):
            continue  # a search that rounding turned at the threshold went on elsewhere
        result.rows += 1
        if name in kept and name in now:
            settings = result.exact, job.config["false_positive_rate"], job.misattribution_rate
            found = differences(kept[name], now[name], *settings)
        else:
            found = ["was read, is not" if name in kept else "was not read, is"]
        where = f"{unit.scheme}, {image}, key {unit.key}, {cell.name} {strength}, marked={marked}"
        lines = [f"{where}: {line}" for line in found]
        result.differing_rows += bool(lines)
        result.differences += lines


def _name(row: dict[str, Any]) -> tuple[str, bool, float | None]:
    return row["image"], row["marked"], row["strength"]
