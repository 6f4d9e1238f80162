"""What each attack costs the picture, and how much of the mark is left for that price."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from watermark.evaluation.rows import GROUPS, IDENTITY, PERCEPTUAL, Run, mean
from watermark.json_schema import Count, Group, Share
from watermark.metrics.paired import bootstrap_mean
from watermark.metrics.quality_plane import CONSTANT_SET, crossing, degradation
from watermark.report.sections.cells import MeasuredCell

MEASURES = ("psnr", "ssim", "ms_ssim", "worst_tile_psnr", "ciede2000", *PERCEPTUAL)
DISTANCES = ("ciede2000", "lpips", "dists", "flip")
"""Those of them that grow with the damage."""


@dataclass(frozen=True)
class Spread:
    """One value per picture: mean, bootstrap interval (null under two pictures), extremes; worst is the far end."""

    images: Count
    mean: float
    low: float | None
    high: float | None
    min: float
    median: float
    worst: float


@dataclass(frozen=True)
class EmbeddingQuality:
    """Of one scheme's marked pictures of a group; null where nothing was measured."""

    scheme: str
    group: Group
    images: Count
    psnr: Spread | None
    ssim: Spread | None
    ms_ssim: Spread | None
    worst_tile_psnr: Spread | None
    ciede2000: Spread | None
    lpips: Spread | None
    dists: Spread | None
    flip: Spread | None
    ssimulacra2: Spread | None
    cvvdp: Spread | None


@dataclass(frozen=True)
class PlanePoint:
    """A rung: share of marks found (p), damage (q; null where pixels do not stay in place)."""

    strength: float | None
    p: Share | None
    q: float | None
    attack_psnr: float | None


@dataclass(frozen=True)
class PlaneCurve:
    """P against Q of one scheme and attack, with WAVES' summary columns."""

    scheme: str
    attack: str
    points: list[PlanePoint]
    avg_p: Share | None
    avg_q: float | None
    q_at_95: float | Literal["inf", "-inf"] | None
    q_at_70: float | Literal["inf", "-inf"] | None


@dataclass(frozen=True)
class QualityPlane:
    """What each attack costs the picture, and how much of the mark is left for that price."""

    constants: str
    group: Group
    curves: list[PlaneCurve]


@dataclass(frozen=True)
class AttackDamage:
    """Mean damage of a rung to unmarked pictures, where pixels stay in place."""

    attack: str
    strength: float | None
    psnr: float | None
    ssim: float | None
    images: Count


def embedding(run: Run) -> list[EmbeddingQuality]:
    """Quality of the marked pictures per scheme and group, one value per picture."""
    rows = run.rows[run.rows["marked"] & run.rows["psnr"].notna()]
    found = []
    for scheme in run.schemes:
        for group in GROUPS:
            part = rows[(rows["scheme"] == scheme) & (rows["group"] == group)].groupby("image").first()
            if part.empty:
                continue
            spreads = {name: _spread(part[name], name in DISTANCES) for name in MEASURES}
            found.append(EmbeddingQuality(scheme, group, len(part), **spreads))
    return found


def _spread(column: pd.Series, lower_is_better: bool) -> Spread | None:
    """Mean over pictures with its bootstrap interval, and the worst picture; None where nothing was measured."""
    values = pd.to_numeric(column).dropna().astype(float)
    if values.empty:
        return None
    low, high = bootstrap_mean(values.to_numpy())
    return Spread(
        images=len(values),
        mean=float(values.mean()),
        low=low,
        high=high,
        min=float(values.min()),
        median=float(values.median()),
        worst=float(values.max() if lower_is_better else values.min()),
    )


def plane(run: Run, cells: list[MeasuredCell]) -> QualityPlane:
    """P against Q per scheme and attack over its ladder, with WAVES' summary columns."""
    group = run.headline_group
    found = []
    for scheme in run.schemes:
        for attack in run.attacks:
            rungs = [c for c in cells if (c.scheme, c.attack, c.group) == (scheme, attack, group)]
            found.append(_curve(scheme, attack, rungs))
    return QualityPlane(CONSTANT_SET, group, [curve for curve in found if curve.points])


def _curve(scheme: str, attack: str, rungs: list[MeasuredCell]) -> PlaneCurve:
    points = [PlanePoint(cell.strength, cell.detection.rate, _damage(cell), cell.attack_psnr) for cell in rungs]
    cost = [point.q for point in points if point.q is not None]
    performance = [point.p for point in points if point.p is not None]
    defined = bool(points) and len(cost) == len(performance) == len(points)
    return PlaneCurve(
        scheme=scheme,
        attack=attack,
        points=points,
        avg_p=float(np.mean(performance)) if points else None,
        avg_q=float(np.mean(cost)) if defined else None,
        q_at_95=_word(crossing(cost, performance, 0.95)) if defined else None,
        q_at_70=_word(crossing(cost, performance, 0.70)) if defined else None,
    )


def _damage(cell: MeasuredCell) -> float | None:
    if cell.attack_psnr is None or cell.attack_ssim is None:
        return None
    return degradation(cell.attack_psnr, cell.attack_ssim)


def _word(value: float) -> float | Literal["inf", "-inf"]:
    """JSON has no infinity."""
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def attack_costs(run: Run) -> list[AttackDamage]:
    """Mean damage of each rung to unmarked pictures (the attack alone), where pixels stay in place."""
    rows = run.negatives()
    rows = rows[(rows["attack"] != IDENTITY) & rows["attack_psnr"].notna() & (rows["group"] == run.headline_group)]
    rows = rows.drop_duplicates(["image", "attack", "strength"])  # the unmarked picture is the same for every scheme
    return [
        AttackDamage(
            attack=attack,
            strength=None if pd.isna(strength) else float(strength),
            psnr=mean(part["attack_psnr"]),
            ssim=mean(part["attack_ssim"]),
            images=int(part["image"].nunique()),
        )
        for (attack, strength), part in rows.groupby(["attack", "strength"], sort=False, dropna=False)
    ]
