"""What differs between two runs of one command on two processors: python rows_between_processors.py RUN_A RUN_B."""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from watermark.evaluation.agreement import differences

SAME = ("is_marked", "decoded_provider_id", "decoded_content_id", "payload_ok", "readings")

a, b = map(Path, sys.argv[1:3])
largest: dict[str, tuple[float, float]] = {}
rows = decisions = flips = outside = 0
for part in sorted((a / "parts").glob("*.rows.parquet")):
    for was, now in zip(*(pq.read_table(run / "parts" / part.name).to_pylist() for run in (a, b)), strict=True):
        rows += 1
        decisions += any(was[name] != now[name] for name in SAME)
        flips = max(flips, abs(was["bit_errors"] - now["bit_errors"]))
        outside += bool(differences(was, now, exact=False, rate=1e-6))
        soft = [np.frombuffer(row["logits"], "<f2").astype(float) for row in (was, now)]
        found = {"logits": (float(np.abs(soft[0] - soft[1]).max()), 0.0)}
        for name, value in was.items():
            if isinstance(value, float):
                near = " below -10" if name.startswith("log10_p") and value < -10 else ""
                found[name + near] = (abs(value - now[name]), abs(value - now[name]) / max(abs(value), 1e-9))
        for name, (absolute, relative) in found.items():
            before = largest.get(name, (0.0, 0.0))
            largest[name] = max(absolute, before[0]), max(relative, before[1])
print(f"{rows} rows, {decisions} decisions differ, at most {flips} bit errors more or less, {outside} out of tolerance")
for name, (absolute, relative) in sorted(largest.items()):
    print(f"{name}: at most {absolute:.2g}, relative {relative:.2g}")
