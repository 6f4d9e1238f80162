"""Who measured what with which tools, and what failed."""

import hashlib
import json

from watermark.report.rows import Json, Run
from watermark.report.sections.coverage import missing, progress, unfinished

EXAMPLES = 5


def provenance(run: Run) -> Json:
    """The manifest without its bulk, plus hashes and counts of what was found on disk."""
    manifest = run.manifest
    data = manifest.get("data", {})
    images = run.rows.drop_duplicates("image")
    config = json.dumps(manifest.get("config", {}), sort_keys=True, default=str)
    return {
        "command": manifest.get("command"),
        "job_key": manifest.get("job_key"),
        "config": manifest.get("config", {}),
        "config_hash": hashlib.sha256(config.encode()).hexdigest(),
        "git": manifest.get("git", {}),
        "versions": manifest.get("versions", {}),
        "device": manifest.get("device"),
        "threads": manifest.get("threads"),
        "seeds": manifest.get("seeds", {}),
        "wall_seconds": manifest.get("wall_seconds", progress(run).get("wall_seconds_of_last_call")),
        "data": {
            "name": data.get("name"),
            "manifest_hash": data.get("manifest_hash"),
            "images": len(images),
            "classes": {str(k): int(v) for k, v in images["image_class"].value_counts().items()},
        },
        "schemes": manifest.get("schemes", {}),
        "layout": manifest.get("layout"),
        "perceptual": manifest.get("perceptual") or {},
        "rows": len(run.rows),
    }


def failures(run: Run) -> Json:
    """Cells that failed, grouped by reason, and cells that the manifest names but the rows lack."""
    failed = run.rows[run.rows["error"].notna()]
    grouped = []
    for (scheme, attack, error), part in failed.groupby(["scheme", "attack", "error"], sort=False):
        pictures = sorted(part["image"].unique())
        strengths = [float(s) for s in part["strength"].dropna().unique()]
        grouped.append(
            {
                "scheme": scheme,
                "attack": attack,
                "error": error,
                "rows": len(part),
                "strengths": strengths,
                "images": pictures[:EXAMPLES],
                "more_images": max(0, len(pictures) - EXAMPLES),
            }
        )
    return {"rows": len(failed), "grouped": grouped, "missing": missing(run), "unfinished": unfinished(run)}
