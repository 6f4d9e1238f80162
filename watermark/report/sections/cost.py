"""What it takes to embed, attack and read: images per second, seconds per image and megapixel, memory."""

import pandas as pd

from watermark.report.rows import Json, Run
from watermark.report.sections.bench import scaling


def cost(run: Run) -> Json:
    """Times summed over the run, by scheme and by attack, on the device that the manifest names."""
    costs = run.costs
    schemes = [
        {"scheme": scheme, "stage": stage, **_sum(part)}
        for (scheme, stage), part in costs[costs["stage"].isin(["embed", "decode"])].groupby(["scheme", "stage"])
    ]
    attacks = [
        {"attack": attack, **_sum(part)}
        for attack, part in costs[costs["stage"] == "attack"].groupby("attack", sort=False)
    ]
    return {
        "device": run.manifest.get("device"),
        "threads": run.manifest.get("threads"),
        "peak_bytes": _peak(costs),
        "scaling": scaling(run),
        "schemes": schemes,
        "attacks": sorted(attacks, key=lambda entry: -entry["seconds_per_image"]),
    }


def _peak(costs: pd.DataFrame) -> int | None:
    """The most that any one process (CPU) or stage (GPU) held; None where the run did not look."""
    known = costs["peak_bytes"].dropna() if "peak_bytes" in costs else costs.iloc[:0]
    return None if len(known) == 0 else int(known.max())


def _sum(part: pd.DataFrame) -> Json:
    images, pixels, seconds = (float(part[name].sum()) for name in ("images", "pixels", "seconds"))
    return {
        "images": int(images),
        "seconds_per_image": seconds / max(images, 1),
        "images_per_second": images / seconds if seconds > 0 else None,
        "seconds_per_megapixel": seconds / max(pixels / 1e6, 1e-9),
        "megapixels_per_image": pixels / max(images, 1) / 1e6,
    }
