"""How time and memory grow with the picture and the batch: what ``watermark bench`` measured beside the run."""

import json
from pathlib import Path

from watermark.evaluation.aggregate import Json, Run

FILE = "bench.json"
FIELDS = ("scheme", "stage", "side", "batch", "seconds", "slowest", "repeats", "peak_bytes")
FACTS = ("command", "device", "threads", "clock", "memory", "torch")


def scaling(run: Run) -> Json | None:
    """The cases of ``bench.json`` in the run folder; None where there is none.

    Raises:
        ValueError: if the file is not one of ``watermark bench``.
    """
    path = run.path / FILE
    return read(path) if path.is_file() else None


def read(path: Path) -> Json:
    """Facts and ``cases`` of a ``bench.json``.

    Raises:
        ValueError: if it is none; one line.
    """
    try:
        content = json.loads(path.read_text())
        cases = [{name: case[name] for name in FIELDS} for case in content["cases"]]
        return {**{name: content[name] for name in FACTS}, "cases": cases}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected the cases of watermark bench ({error})") from None
