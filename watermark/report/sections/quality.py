"""What each attack costs the picture, and how much of the mark is left for that price."""

import math

import numpy as np
import pandas as pd

from watermark.metrics.paired import bootstrap_mean
from watermark.metrics.quality_plane import CONSTANT_SET, crossing, degradation
from watermark.report.rows import GROUPS, IDENTITY, Json, Run, mean

MEASURES = ("psnr", "ssim", "ms_ssim", "worst_tile_psnr", "ciede2000", "lpips", "dists")
DISTANCES = ("ciede2000", "lpips", "dists")
"""Those of them that grow with the damage."""


def embedding(run: Run) -> list[Json]:
    """Quality of the marked pictures per scheme and group, one value per picture."""
    rows = run.rows[run.rows["marked"] & run.rows["psnr"].notna()]
    found = []
    for scheme in run.schemes:
        for group in GROUPS:
            part = rows[(rows["scheme"] == scheme) & (rows["group"] == group)].groupby("image").first()
            if part.empty:
                continue
            entry: Json = {"scheme": scheme, "group": group, "images": len(part)}
            found.append(entry | {name: _spread(part[name], name in DISTANCES) for name in MEASURES})
    return found


def _spread(column: pd.Series, lower_is_better: bool) -> Json | None:
    """Mean over pictures with its bootstrap interval, and the worst picture; None where nothing was measured."""
    values = pd.to_numeric(column).dropna().astype(float)
    if values.empty:
        return None
    low, high = bootstrap_mean(values.to_numpy())
    return {
        "images": len(values),
        "mean": float(values.mean()),
        "low": low,
        "high": high,
        "min": float(values.min()),
        "median": float(values.median()),
        "worst": float(values.max() if lower_is_better else values.min()),
    }


def plane(run: Run, cells: list[Json]) -> Json:
    """P against Q per scheme and attack over its ladder, with WAVES' summary columns."""
    group = run.headline_group
    found = []
    for scheme in run.schemes:
        for attack in run.attacks:
            rungs = [c for c in cells if c["scheme"] == scheme and c["attack"] == attack and c["group"] == group]
            found.append(_curve(scheme, attack, rungs))
    return {"constants": CONSTANT_SET, "group": group, "curves": [curve for curve in found if curve["points"]]}


def _curve(scheme: str, attack: str, rungs: list[Json]) -> Json:
    points = []
    for cell in rungs:
        known = cell["attack_psnr"] is not None and cell["attack_ssim"] is not None
        points.append(
            {
                "strength": cell["strength"],
                "p": cell["detection"]["rate"],
                "q": degradation(cell["attack_psnr"], cell["attack_ssim"]) if known else None,
                "attack_psnr": cell["attack_psnr"],
            }
        )
    cost = [point["q"] for point in points]
    defined = bool(points) and all(q is not None for q in cost)
    performance = [point["p"] for point in points]
    return {
        "scheme": scheme,
        "attack": attack,
        "points": points,
        "avg_p": float(np.mean(performance)) if points else None,
        "avg_q": float(np.mean(cost)) if defined else None,
        "q_at_95": _word(crossing(cost, performance, 0.95)) if defined else None,
        "q_at_70": _word(crossing(cost, performance, 0.70)) if defined else None,
    }


def _word(value: float) -> float | str:
    """JSON has no infinity."""
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def attack_costs(run: Run) -> list[Json]:
    """Mean damage of each rung to unmarked pictures (the attack alone), where pixels stay in place."""
    rows = run.negatives()
    rows = rows[(rows["attack"] != IDENTITY) & rows["attack_psnr"].notna() & (rows["group"] == run.headline_group)]
    rows = rows.drop_duplicates(["image", "attack", "strength"])  # the unmarked picture is the same for every scheme
    return [
        {
            "attack": attack,
            "strength": None if pd.isna(strength) else float(strength),
            "psnr": mean(part["attack_psnr"]),
            "ssim": mean(part["attack_ssim"]),
            "images": int(part["image"].nunique()),
        }
        for (attack, strength), part in rows.groupby(["attack", "strength"], sort=False, dropna=False)
    ]
