"""Make the finished part of an interrupted run readable: its rows lie in parts until the run ends."""

from pathlib import Path

from watermark.evaluation.manifest import Json, read_manifest, read_progress
from watermark.evaluation.parts import merge_parts, own_file, write_json
from watermark.evaluation.plan import MAX_KEYS, Unit, plan

PROGRESS = "progress.json"


def gather(run_dir: Path) -> bool:
    """Merge the parts that are done into ``rows.parquet`` and say in ``progress.json`` how many of how many they are.

    Reads rows and manifest, and builds nothing: the folder may be a stranger's.

    Args:
        run_dir: the folder of a run, possibly of one that still goes on.

    Returns:
        Whether there was anything that the rows did not hold yet.

    Raises:
        UserError: if it is not a run folder, or its files are not what a run writes.
    """
    manifest = read_manifest(run_dir)
    planned = units(manifest)
    done = finished(run_dir, planned)
    if len(done) <= read_progress(run_dir).get("units_done", 0):
        return False
    rows = merge_parts(run_dir, done)
    write_json(run_dir / PROGRESS, {"units": len(planned), "units_done": len(done), "rows": rows})
    return True


def units(manifest: Json) -> list[Unit]:
    """The parts of a run, from its manifest alone."""
    sizes = [(image["width"], image["height"]) for image in manifest["data"]["images"]]
    on_cpu = str(manifest.get("device")).startswith("cpu")
    config = manifest["config"]
    outside = any(facts.get("outside") for facts in manifest["schemes"].values())
    alone = on_cpu or outside or config.get("cells") or config.get("protocol") == "matched"
    keys = min(max(1, config.get("keys", 1)), MAX_KEYS)
    return plan(manifest["schemes"], sizes, 1 if alone else config.get("batch_size", 1), keys)


def finished(run_dir: Path, planned: list[Unit]) -> list[Unit]:
    """The units of a run whose rows are there."""
    return [unit for unit in planned if own_file(run_dir, "parts", f"{unit.name}.rows.parquet")]
