"""Who measured what with which tools, and what failed."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd

from watermark.evaluation.rows import Run
from watermark.json_schema import Count
from watermark.report.sections.coverage import MissingCell, Unfinished, missing, progress, unfinished

EXAMPLES = 5


@dataclass(frozen=True)
class DataFacts:
    """The pictures, by the hash of their names and bytes."""

    name: str | None
    manifest_hash: str | None
    images: Count
    classes: dict[str, Count]


@dataclass(frozen=True)
class Provenance:
    """The manifest without its bulk, plus hashes and counts of what was found on disk."""

    command: str | None
    job_key: str | None
    config: dict[str, Any]
    config_hash: str
    git: dict[str, Any]
    versions: dict[str, Any]
    device: str | None
    threads: int | None
    seeds: dict[str, Any]
    wall_seconds: float | None
    data: DataFacts
    schemes: dict[str, Any]
    layout: dict[str, Any] | None
    perceptual: Annotated[
        dict[str, Any], "of each perceptual measure: backbone file and sha256, or package and version"
    ]
    rows: Count


@dataclass(frozen=True)
class FailureGroup:
    """Rows that failed for one reason."""

    scheme: str
    attack: str
    error: str
    rows: Count
    strengths: list[float]
    images: list[str]
    more_images: Count


@dataclass(frozen=True)
class Failures:
    """What failed, and what the manifest names but the rows lack."""

    rows: Count
    grouped: list[FailureGroup]
    missing: list[MissingCell]
    unfinished: Unfinished | None


def provenance(run: Run) -> Provenance:
    """The manifest without its bulk, plus hashes and counts of what was found on disk."""
    manifest = run.manifest
    data = manifest.get("data", {})
    images = pd.concat([run.rows, run.refused]).drop_duplicates("image")
    config = json.dumps(manifest.get("config", {}), sort_keys=True, default=str)
    return Provenance(
        command=manifest.get("command"),
        job_key=manifest.get("job_key"),
        config=manifest.get("config", {}),
        config_hash=hashlib.sha256(config.encode()).hexdigest(),
        git=manifest.get("git", {}),
        versions=manifest.get("versions", {}),
        device=manifest.get("device"),
        threads=manifest.get("threads"),
        seeds=manifest.get("seeds", {}),
        wall_seconds=manifest.get("wall_seconds", progress(run).get("wall_seconds_of_last_call")),
        data=DataFacts(
            name=data.get("name"),
            manifest_hash=data.get("manifest_hash"),
            images=len(images),
            classes={str(k): int(v) for k, v in images["image_class"].value_counts().items()},
        ),
        schemes=manifest.get("schemes", {}),
        layout=manifest.get("layout"),
        perceptual=manifest.get("perceptual") or {},
        rows=len(run.rows) + len(run.refused),
    )


def failures(run: Run) -> Failures:
    """Cells that failed, grouped by reason, and cells that the manifest names but the rows lack."""
    failed = pd.concat([run.rows, run.refused])
    failed = failed[failed["error"].notna()]
    grouped = []
    for (scheme, attack, error), part in failed.groupby(["scheme", "attack", "error"], sort=False):
        pictures = sorted(part["image"].unique())
        strengths = [float(s) for s in part["strength"].dropna().unique()]
        grouped.append(
            FailureGroup(
                scheme=scheme,
                attack=attack,
                error=error,
                rows=len(part),
                strengths=strengths,
                images=pictures[:EXAMPLES],
                more_images=max(0, len(pictures) - EXAMPLES),
            )
        )
    return Failures(len(failed), grouped, missing(run), unfinished(run))
