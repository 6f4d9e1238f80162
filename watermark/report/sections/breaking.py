"""How much does it take? Where each scheme's mark is lost along an attack's axis, with what that costs the picture."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from scipy import stats

from watermark.evaluation.axis import Axis, Scale
from watermark.evaluation.rows import GROUPS, IDENTITY, Rate, Run, rate
from watermark.json_schema import Count, Group, Share, Size

GRID = 16
"""Parts of an axis, at whose ends the evidence is told."""
LEAST = 6
"""Pictures from which a median has a 95 % interval: of five, all lie on one side of it in 1 case of 16."""


@dataclass(frozen=True)
class SearchedAxis:
    """The strengths that were searched: level 0 is the mild end, 1 the harsh one."""

    attack: str
    parameter: str | None
    scale: Scale
    mild: float
    harsh: float
    step: float | None


@dataclass(frozen=True)
class End:
    """A place on an axis; strength is null beyond the harsh end, where no mark was lost."""

    level: Share
    strength: float | None


@dataclass(frozen=True)
class Alive:
    """Share of pictures whose mark is found at this strength, at which some other picture loses it."""

    level: Share
    strength: float
    rate: Rate


@dataclass(frozen=True)
class Evidence:
    """Median over pictures of -log10 p at a level, between the readings of each picture a straight line."""

    level: Share
    strength: float
    decades: Size


@dataclass(frozen=True)
class BreakingPoint:
    """Where one scheme loses its mark under one attack."""

    scheme: str
    attack: str
    group: Group
    images: Count
    median: Annotated[End, "half of the pictures have lost the mark"]
    low: Annotated[End | None, "95 % interval of the median (order statistics); null under six pictures"]
    high: End | None
    withstood: Annotated[Share, "mean level over pictures; one that never broke counts 1, at once 0"]
    never: Annotated[Count, "pictures whose mark was found at the harsh end"]
    at_once: Annotated[Count, "pictures whose mark was lost at the mild end"]
    attack_psnr: Annotated[float | None, "median over pictures at the breaking point, dB against the marked picture"]
    attack_ssim: float | None
    curve: list[Alive]
    evidence: list[Evidence]


@dataclass(frozen=True)
class PictureBreak:
    """Where one picture lost its mark; strength is null where it never did, survived where it did at once."""

    scheme: str
    attack: str
    image: str
    group: Group
    strength: float | None
    survived: float | None
    attack_psnr: float | None
    attack_ssim: float | None


@dataclass(frozen=True)
class Withstood:
    """Mean over attacks and pictures of how far along its axis the mark held."""

    scheme: str
    group: Group
    images: Count
    share: Share


@dataclass(frozen=True)
class Breaking:
    """Breaking points of the attacks that were searched; since 1.7.0."""

    axes: list[SearchedAxis]
    sentences: Annotated[list[str], "one per attack, weakest scheme last"]
    points: list[BreakingPoint]
    withstood: list[Withstood]
    pictures: list[PictureBreak]


def breaking(run: Run) -> Breaking | None:
    """Medians with intervals, survival and evidence curves; None where nothing was searched."""
    if not run.axes:
        return None
    ends = per_picture(run)
    order = {scheme: place for place, scheme in enumerate(run.schemes)}
    points = [
        _point(run, str(scheme), str(attack), group, part)
        for group in GROUPS
        for (attack, scheme), part in ends[ends["group"] == group].groupby(["attack", "scheme"], sort=False)
    ]
    places = {attack: place for place, attack in enumerate(run.axes)}
    points.sort(key=lambda point: (GROUPS.index(point.group), places[point.attack], order[point.scheme]))
    return Breaking(
        axes=[_axis(run, attack, axis) for attack, axis in run.axes.items()],
        sentences=[said for attack in run.axes if (said := sentence(run, attack, points))],
        points=points,
        withstood=_withstood(ends),
        pictures=[_picture(row) for row in ends.to_dict("records")],
    )


def per_picture(run: Run) -> pd.DataFrame:
    """Where each picture lost its mark: of several keys the middle one (of two the earlier)."""
    ends = run.breaks().sort_values(["level", "never"], kind="stable")
    keys = ends.groupby(["scheme", "attack", "image"], sort=False)["key"]
    return ends[keys.cumcount() == (keys.transform("size") - 1) // 2].sort_index()


def _axis(run: Run, attack: str, axis: Axis) -> SearchedAxis:
    facts = run.manifest["attacks"][attack]
    return SearchedAxis(attack, facts.get("parameter"), axis.scale, axis.mild, axis.harsh, axis.step)


def _point(run: Run, scheme: str, attack: str, group: Group, ends: pd.DataFrame) -> BreakingPoint:
    ends = ends.sort_values(["level", "never"], kind="stable")
    beyond = np.where(ends["never"], np.inf, ends["level"])
    strengths = ends["strength"].to_numpy()

    def end(place: int) -> End:
        lost = bool(np.isfinite(beyond[place]))
        return End(float(beyond[place]) if lost else 1.0, float(strengths[place]) if lost else None)

    interval = stats.quantile_test(beyond, q=0.0, p=0.5).confidence_interval(0.95) if len(ends) >= LEAST else None
    return BreakingPoint(
        scheme=scheme,
        attack=attack,
        group=group,
        images=len(ends),
        median=end((len(ends) - 1) // 2),
        low=None if interval is None else end(int(np.searchsorted(beyond, interval.low))),
        high=None if interval is None else end(int(np.searchsorted(beyond, interval.high))),
        withstood=float(ends["level"].mean()),
        never=int(ends["never"].sum()),
        at_once=int((ends["level"] == 0).sum()),
        attack_psnr=_median(ends["attack_psnr"]),
        attack_ssim=_median(ends["attack_ssim"]),
        curve=_curve(ends, beyond),
        evidence=_evidence(run, scheme, attack, group),
    )


def _median(values: pd.Series) -> float | None:
    return None if values.isna().all() else float(values.median())


def _curve(ends: pd.DataFrame, beyond: np.ndarray) -> list[Alive]:
    """Kaplan and Meier's curve: marks are censored at the ends of the axis only, so it is the share still found."""
    falls = ends[~ends["never"]].drop_duplicates("level")
    return [
        Alive(float(level), float(strength), rate(ends, beyond > level))
        for level, strength in zip(falls["level"], falls["strength"], strict=True)
    ]


def _evidence(run: Run, scheme: str, attack: str, group: Group) -> list[Evidence]:
    axis = run.axes[attack]
    rows = run.rows[run.rows["marked"] & (run.rows["scheme"] == scheme) & (run.rows["group"] == group)]
    rows = rows[rows["attack"].isin([attack, IDENTITY]) & rows["log10_p"].notna()]
    level = [0.0 if a == IDENTITY else axis.level(s) for a, s in zip(rows["attack"], rows["strength"], strict=True)]
    rows = rows.assign(level=level, decades=-rows["log10_p"]).sort_values("level", kind="stable")
    grid = np.linspace(0, 1, GRID + 1)
    lines = [np.interp(grid, part["level"], part["decades"]) for _, part in rows.groupby(["image", "key"])]
    if not lines:
        return []
    medians = np.median(lines, axis=0)
    return [Evidence(float(x), float(axis.strength(x)), float(y)) for x, y in zip(grid, medians, strict=True)]


def _withstood(ends: pd.DataFrame) -> list[Withstood]:
    """Every attack counts the same, and so does every picture."""
    per_image = ends.groupby(["group", "scheme", "attack"])["level"].mean()
    return [
        Withstood(
            scheme=scheme,
            group=group,
            images=int(ends.loc[(ends["scheme"] == scheme) & (ends["group"] == group), "image"].nunique()),
            share=float(levels.mean()),
        )
        for (group, scheme), levels in per_image.groupby(["group", "scheme"], sort=False)
    ]


def _picture(row: dict) -> PictureBreak:
    known = {
        name: None if pd.isna(row[name]) else float(row[name]) for name in ("survived", "attack_psnr", "attack_ssim")
    }
    return PictureBreak(
        scheme=row["scheme"],
        attack=row["attack"],
        image=row["image"],
        group=row["group"],
        strength=None if row["never"] else float(row["strength"]),
        **known,
    )


def sentence(run: Run, attack: str, points: list[BreakingPoint]) -> str | None:
    """``learned is lost at jpeg 7, rivagan at jpeg 34``: medians on the headline's pictures, the best first."""
    own = [p for p in points if p.attack == attack and p.group == run.headline_group]
    own.sort(key=lambda point: (-point.median.level, point.median.strength is not None, -point.withstood))
    return lost_at(own, run.axes[attack]) if own else None


def lost_at(points: list[BreakingPoint], axis: Axis) -> str:
    """Breaking points of one attack in words; what two neighbours have in common is said once."""
    said, before = [], ""
    for point in points:
        how, where = _lost_at(point, axis)
        said.append(f"{point.scheme} {where if how == before else f'{how} {where}'}")
        before = how
    return ", ".join(said)


def _lost_at(point: BreakingPoint, axis: Axis) -> tuple[str, str]:
    """``is lost``, ``at jpeg 7``."""
    if point.median.strength is None:
        how = "is not lost up to" if point.never == point.images else "keeps most marks up to"
        return how, f"{point.attack} {axis.harsh:.3g}"
    at_once = "at once, " if point.median.level == 0 else ""
    return "is lost", f"{at_once}at {point.attack} {point.median.strength:.3g}"
