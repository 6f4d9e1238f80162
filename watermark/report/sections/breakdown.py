"""Where it works and where it does not: by content class, resolution and aspect."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from watermark.evaluation.rows import Rate, Run, rate, with_ids


@dataclass(frozen=True)
class Breakdown:
    """Rates over all attacks for one scheme and kind of picture."""

    kind: Literal["content", "resolution", "aspect"]
    value: str
    scheme: str
    detection: Rate
    payload: Rate


def breakdown(run: Run) -> list[Breakdown]:
    """Detection and payload recovery over all attacks, per scheme and kind of picture, hard cases included."""
    marked = run.marked()
    kinds: dict[Literal["content", "resolution", "aspect"], pd.Series] = {
        "content": marked["image_class"],
        "resolution": _resolution(marked),
        "aspect": _aspect(marked),
    }
    found = []
    for kind, labels in kinds.items():
        for (scheme, value), part in marked.groupby(["scheme", labels.rename("value")], sort=False):
            detection, payload = rate(part, "is_marked"), rate(with_ids(part), "payload_ok")
            found.append(Breakdown(kind, str(value), scheme, detection, payload))
    return found


def _resolution(rows: pd.DataFrame) -> pd.Series:
    side = np.minimum(rows["width"], rows["height"])
    names = ["short side under 256 px", "256 to 511 px", "512 to 1023 px", "1024 px and more"]
    return pd.Series(np.array(names, dtype=object)[np.digitize(side, [256, 512, 1024])], index=rows.index)


def _aspect(rows: pd.DataFrame) -> pd.Series:
    ratio = rows["width"] / rows["height"]
    names = ["portrait (under 4:5)", "about square", "landscape (over 5:4)", "panorama (over 2:1)"]
    return pd.Series(np.array(names, dtype=object)[np.digitize(ratio, [0.8, 1.2501, 2.0001])], index=rows.index)
