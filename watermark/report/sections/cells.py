"""Scheme x attack x rung: the rates behind the heat map and the survival curves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import pandas as pd

from watermark.evaluation.rows import Rate, Run, bit_accuracy, mean, rate, with_ids
from watermark.json_schema import Count, Group, Share, limits

Harder = Literal["higher", "lower", "away"]


@dataclass(frozen=True)
class Rates:
    """What became of the marks, and of unmarked pictures, under an attack."""

    detection: Rate
    payload: Rate
    alarms: Rate
    bit_accuracy: Share | None
    median_log10_p: Annotated[float, limits(maximum=0)] | None
    failed: Count


@dataclass(frozen=True)
class MeasuredCell(Rates):
    """One scheme, attack, rung and group of pictures."""

    scheme: str
    attack: str
    strength: float | None
    group: Group
    attack_psnr: float | None
    attack_ssim: float | None


@dataclass(frozen=True)
class Ladder(Rates):
    """One scheme, attack and group of pictures, pooled over the attack's rungs."""

    scheme: str
    attack: str
    group: Group
    rungs: Count


@dataclass(frozen=True)
class AttackFacts:
    """An attack of the run."""

    name: str
    parameter: str | None
    unit: str
    harder: Annotated[
        Harder, "which way its strengths get worse; away: to both sides, where they lie on both sides of the mildest"
    ]
    identity: float | None
    geometric: bool
    version: Count
    reproduces: str
    family: Annotated[str, "what kind of thing it does; null where an older run does not say"] | None
    strengths: Annotated[list[float], "its rungs; of an attack that was searched the ends of the axis"]
    searched: Annotated[bool, "its breaking point was searched; since 1.7.0"]


def cells(run: Run) -> list[MeasuredCell]:
    """One entry per scheme, attack, rung and group of pictures."""
    found = []
    for key, marked, unmarked in _pairs(run, ["scheme", "attack", "strength", "group"]):
        strength = None if pd.isna(key[2]) else float(key[2])
        in_place = marked["attack_ssim"].notna() | marked["error"].notna()  # some reshared, some not: no one cost
        found.append(
            MeasuredCell(
                scheme=key[0],
                attack=key[1],
                strength=strength,
                group=key[3],
                attack_psnr=mean(marked["attack_psnr"]) if in_place.all() else None,
                attack_ssim=mean(marked["attack_ssim"]) if in_place.all() else None,
                **vars(_rates(marked, unmarked)),
            )
        )
    return found


def ladders(run: Run) -> list[Ladder]:
    """One entry per scheme, attack and group, pooled over the attack's rungs: the cells of the heat map."""
    found = []
    for key, marked, unmarked in _pairs(run, ["scheme", "attack", "group"]):
        rungs = int(marked["strength"].nunique(dropna=False))
        rates = vars(_rates(marked, unmarked))
        found.append(Ladder(scheme=key[0], attack=key[1], group=key[2], rungs=rungs, **rates))
    return found


def _pairs(run: Run, keys: list[str]) -> Iterator[tuple[tuple, pd.DataFrame, pd.DataFrame]]:
    """Marked rows of every cell, with the unmarked rows of the same cell."""
    columns = [
        *dict.fromkeys([*keys, "strength"]),
        "image_code",
        "is_marked",
        "payload_ok",
        "right_bits",
        "log10_p",
        "has_ids",
    ]
    columns += ["error", "attack_psnr", "attack_ssim"]
    none = run.rows.loc[:, columns].iloc[:0]
    unmarked = dict(iter(run.negatives()[columns].groupby(keys, dropna=False)))
    unmarked = {_key(key): rows for key, rows in unmarked.items()}
    rungs = run.rows["marked"] & ~run.rows["attack"].isin(list(run.axes))  # a search is no rung: see breaking
    for key, marked in run.rows.loc[rungs, columns].groupby(keys, dropna=False, sort=False):
        yield key, marked, unmarked.get(_key(key), none)


def _key(key: tuple) -> tuple:
    """NaN (no strength) is not equal to itself and would never be found."""
    return tuple(None if part != part else part for part in key)


def _rates(marked: pd.DataFrame, unmarked: pd.DataFrame) -> Rates:
    return Rates(
        detection=rate(marked, "is_marked"),
        payload=rate(with_ids(marked), "payload_ok"),
        alarms=rate(unmarked, "is_marked"),
        bit_accuracy=bit_accuracy(marked),
        median_log10_p=None if marked["log10_p"].isna().all() else float(marked["log10_p"].median()),
        failed=int(marked["error"].notna().sum()),
    )


def attacks(run: Run) -> list[AttackFacts]:
    """The attacks of the run with their facts, in order, the one that does nothing left out."""
    facts = run.manifest.get("attacks", {})
    found = []
    for name in run.attacks:
        known = facts.get(name, {})
        axis = run.axes.get(name)
        read = run.rows.loc[run.rows["attack"] == name, "strength"].dropna().unique()
        strengths = (axis.mild, axis.harsh) if axis else read
        harder = _harder(run, name, [float(s) for s in strengths])
        parameter = run.rows.loc[run.rows["attack"] == name, "parameter"].iloc[0]
        found.append(
            AttackFacts(
                name=name,
                parameter=known.get("parameter") or parameter,
                unit=known.get("unit", ""),
                harder=harder,
                identity=known.get("identity"),
                geometric=bool(known.get("geometric", False)),
                version=int(known.get("version", 1)),
                reproduces=known.get("reproduces", ""),
                family=known.get("family"),
                strengths=sorted((float(s) for s in strengths), reverse=harder == "lower"),
                searched=axis is not None,
            )
        )
    return found


def _harder(run: Run, attack: str, strengths: list[float]) -> Harder:
    """Which way the strengths of this run get worse: where all of an ``away`` attack lie on one side, only that way."""
    known = run.manifest.get("attacks", {}).get(attack, {})
    if axis := run.axes.get(attack):
        return "higher" if axis.harsh > axis.mild else "lower"
    harder: Harder = known.get("harder", "higher")
    if harder != "away" or not strengths:
        return harder
    zero = known.get("identity")
    if zero is None:
        return _beyond_the_mild_end(run, attack, strengths)
    if min(strengths) >= zero:
        return "higher"
    return "lower" if max(strengths) <= zero else "away"


def _beyond_the_mild_end(run: Run, attack: str, strengths: list[float]) -> Harder:
    """The same of an attack that never leaves a picture alone, by the axis of its configuration.

    One strength before the mild end is milder still (a screenshot at full size); two lead to another side.
    """
    suite = run.manifest.get("config", {}).get("suite")
    entry = suite.get(attack) if isinstance(suite, dict) else None
    axis = entry.get("axis") if isinstance(entry, dict) else None
    mild, harsh = (axis.get("mild"), axis.get("harsh")) if isinstance(axis, dict) else (None, None)
    if not isinstance(mild, int | float) or not isinstance(harsh, int | float):
        return "away"
    before = [value for value in strengths if (value - mild) * (harsh - mild) < 0]
    return "away" if len(before) > 1 else "higher" if harsh > mild else "lower"
