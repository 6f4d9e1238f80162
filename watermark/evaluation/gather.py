"""Make the finished part of an interrupted run readable: its rows lie in parts until the run ends."""

import json
from pathlib import Path

PROGRESS = "progress.json"


def gather(run_dir: Path) -> bool:
    """Merge the parts that are done into ``rows.parquet`` and say in ``progress.json`` how many of how many they are.

    Args:
        run_dir: the folder of a run, possibly of one that still goes on.

    Returns:
        Whether there was anything that the rows did not hold yet.

    Raises:
        UserError: if the pictures of the run cannot be found.
    """
    done = len(list((run_dir / "parts").glob("*.rows.parquet")))
    said = run_dir / PROGRESS
    known = json.loads(said.read_text())["units_done"] if said.is_file() else 0
    if not (run_dir / "manifest.json").is_file() or done <= known:
        return False
    from watermark.data.images import ImageInfo  # torch takes seconds
    from watermark.evaluation.job import Job
    from watermark.evaluation.store import RunStore, write_json

    manifest = json.loads((run_dir / "manifest.json").read_text())
    job = Job(manifest["config"] | {"device": "cpu"})
    fields = ("id", "class", "width", "height", "sha256")
    job.images.adopt([ImageInfo(*(image[name] for name in fields)) for image in manifest["data"]["images"]])
    store = RunStore(run_dir)
    rows = store.merge(job)
    units_done = sum(store.has(unit) for unit in job.units)
    write_json(said, {"units": len(job.units), "units_done": units_done, "rows": rows})
    return True
