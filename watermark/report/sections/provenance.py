"""Who measured what with which tools, what failed, and what is missing."""

import hashlib
import json

from watermark.evaluation.aggregate import Json, Run

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
        "wall_seconds": manifest.get("wall_seconds", _progress(run).get("wall_seconds_of_last_call")),
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
    return {"rows": len(failed), "grouped": grouped, "missing": _missing(run), "unfinished": _unfinished(run)}


def _missing(run: Run) -> list[Json]:
    """Rungs of the manifest's ladders that have fewer rows than there are pictures."""
    planned = {name: facts.get("sweep") or [None] for name, facts in run.manifest.get("attacks", {}).items()}
    pictures = {image["id"] for image in run.manifest.get("data", {}).get("images", [])}
    marked = run.rows[run.rows["marked"]]
    counts = marked.groupby(["scheme", "attack", "strength"], dropna=False)["image"].nunique()
    seen = {(s, a, None if v != v else float(v)): int(n) for (s, a, v), n in counts.items()}
    found = []
    for scheme in run.schemes:
        for attack, sweep in planned.items():
            for strength in sweep:
                n = seen.get((scheme, attack, None if strength is None else float(strength)), 0)
                if n < len(pictures):
                    found.append(
                        {"scheme": scheme, "attack": attack, "strength": strength, "lacking": len(pictures) - n}
                    )
    return found


def _unfinished(run: Run) -> Json | None:
    progress = _progress(run)
    if progress.get("units_done", 0) >= progress.get("units", 0):
        return None
    return {"units": progress["units"], "units_done": progress["units_done"]}


def _progress(run: Run) -> Json:
    path = run.path / "progress.json"
    return json.loads(path.read_text()) if path.is_file() else {}
