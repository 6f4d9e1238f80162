"""Where was it edited? How well maps of edited pictures fit what was done to them, rung by rung."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from watermark.evaluation.rows import GROUPS, IDENTITY, Run
from watermark.json_schema import Count, Group, Share, Size
from watermark.metrics.clustered import supported_rate
from watermark.metrics.paired import bootstrap_mean

PROMISED = 1e-2
"""Share of regions without the mark that a map may call marked; ``watermark.localization.FALSE_ALARM_RATE``."""


@dataclass(frozen=True)
class MapMean:
    """Mean over pictures of a share, with its 95 % bootstrap interval (null under two pictures)."""

    images: Count
    mean: Share
    low: Share | None
    high: Share | None


@dataclass(frozen=True)
class Alarms:
    """Regions that lie wholly in an edited part. Null: no picture had one.

    Where a share is 0 in every picture, its interval is that of none of so many pictures.
    """

    called_marked: Annotated[MapMean | None, "share that the map calls marked; at most 1e-2 is promised"]
    reached_1e2: Annotated[MapMean | None, "share whose score is as high as a promise of 1e-2 asks for, mark or not"]
    reached_1e3: Annotated[MapMean | None, "likewise 1e-3"]


@dataclass(frozen=True)
class MappedRung(Alarms):
    """One scheme, attack, rung and group of pictures; of the untouched picture what no edit can be compared with."""

    scheme: str
    attack: str
    strength: float | None
    group: Group
    n: Annotated[Count, "maps"]
    failed: Annotated[Count, "readings without a map, because the cell failed; in no mean"]
    area: Annotated[Share, "of the picture that was edited, mean"]
    f1: Annotated[MapMean | None, "of the px called edited; null where nothing was edited"]
    iou: MapMean | None
    edited_marked: Annotated[MapMean | None, "of the edited px, those at the border of the part too: called marked"]
    unknown: Annotated[MapMean, "of all px"]
    kept_edited: Annotated[MapMean | None, "of the px that were not edited: called edited"]


@dataclass(frozen=True)
class MappedScheme(Alarms):
    """One scheme and group of pictures over all its edits."""

    scheme: str
    group: Group
    images: Count
    n: Annotated[Count, "maps of edited pictures"]
    f1: MapMean | None
    kept_edited: MapMean | None
    seconds: Annotated[Size | None, "of wall time for a map; null where the run kept no times"]


@dataclass(frozen=True)
class Localization:
    """Maps of edited pictures against the truth; since 1.8.0."""

    promised: Share
    without: Annotated[list[str], "schemes of the run whose marks cannot be located"]
    schemes: list[MappedScheme]
    rungs: list[MappedRung]


def localization(run: Run) -> Localization | None:
    """Means with intervals by picture; None where the run mapped nothing."""
    rows = run.rows[run.rows["marked"]]
    mapped = set(rows.loc[rows["map_unknown"].notna(), ["attack"]]["attack"])
    schemes = set(rows.loc[rows["map_unknown"].notna(), "scheme"])
    if not mapped:
        return None
    rows = rows[rows["attack"].isin(mapped) & rows["scheme"].isin(schemes)]
    return Localization(
        promised=PROMISED,
        without=[name for name in run.schemes if name not in schemes],
        schemes=[
            _scheme(run, scheme, group, part)
            for scheme in run.schemes
            for group in GROUPS
            if len(part := rows[(rows["scheme"] == scheme) & (rows["group"] == group)])
        ],
        rungs=[
            _rung(scheme, attack, strength, group, part)
            for (scheme, attack, strength, group), part in rows.groupby(
                ["scheme", "attack", "strength", "group"], dropna=False, sort=False
            )
            if part["map_unknown"].notna().any()
        ],
    )


def _rung(scheme: str, attack: str, strength: float, group: Group, rows: pd.DataFrame) -> MappedRung:
    known = rows[rows["map_unknown"].notna()]
    unknown = _mean(known, "map_unknown")
    assert unknown is not None
    return MappedRung(
        scheme=scheme,
        attack=attack,
        strength=None if pd.isna(strength) else float(strength),
        group=group,
        n=len(known),
        failed=len(rows) - len(known),
        area=float(known["edited_area"].mean()),
        f1=_mean(known, "map_f1"),
        iou=_mean(known, "map_iou"),
        edited_marked=_mean(known, "map_edited_marked"),
        unknown=unknown,
        kept_edited=_mean(known, "map_kept_edited"),
        **vars(_alarms(known)),
    )


def _scheme(run: Run, scheme: str, group: Group, rows: pd.DataFrame) -> MappedScheme:
    edited = rows[(rows["attack"] != IDENTITY) & rows["map_unknown"].notna()]
    costs = run.costs[(run.costs["scheme"] == scheme) & (run.costs["stage"] == "map")]
    images = int(costs["images"].sum())
    return MappedScheme(
        scheme=scheme,
        group=group,
        images=int(edited["image"].nunique()),
        n=len(edited),
        f1=_mean(edited, "map_f1"),
        kept_edited=_mean(edited, "map_kept_edited"),
        seconds=float(costs["seconds"].sum()) / images if images else None,
        **vars(_alarms(edited)),
    )


def _alarms(rows: pd.DataFrame) -> Alarms:
    columns = ("map_alarms", "map_reached_1e2", "map_reached_1e3")
    return Alarms(*(_mean(rows, column, rare=True) for column in columns))


def _mean(rows: pd.DataFrame, column: str, *, rare: bool = False) -> MapMean | None:
    """Every picture counts the same, whatever the number of its keys and rungs; ``rare``: see ``Alarms``."""
    values = rows.loc[rows[column].notna()].groupby("image")[column].mean().to_numpy(dtype=float)
    if not len(values):
        return None
    low, high = (0.0, supported_rate(len(values))) if rare and not values.any() else bootstrap_mean(values)
    known = np.isfinite(low)
    return MapMean(
        images=len(values),
        mean=float(values.mean()),
        low=max(0.0, low) if known else None,
        high=min(1.0, high) if known else None,
    )
