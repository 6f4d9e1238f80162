"""Scheme against scheme on the same pictures, with "not separable" as a verdict."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated

import pandas as pd

from watermark.evaluation.rows import Run
from watermark.json_schema import Count, Group, Share, limits
from watermark.metrics.paired import bootstrap_mean, holm, sign_flip, sign_flips, smallest_p

LEVEL = 0.05
"""Of significance, after the correction for all tests of a family."""


@dataclass(frozen=True)
class PairTest:
    """Mean paired difference over pictures with its bootstrap interval, and the sign-flip test.

    Of the share found, or where the attack was searched of the share of its axis that the mark withstood.
    """

    images: Count
    difference: Annotated[float, limits(minimum=-1, maximum=1)]
    low: float | None
    high: float | None
    p: Share
    smallest_p: Share
    p_holm: Share
    p_joint: Annotated[Share, "corrected for all tests of the family at once (Westfall-Young); since 1.7.0"]
    separable: Annotated[bool, "p_joint at most .05"]


@dataclass(frozen=True)
class AttackTest(PairTest):
    """The same under one attack."""

    attack: str


@dataclass(frozen=True)
class SchemePair:
    """Two schemes on the same pictures."""

    first: str
    second: str
    group: Group
    overall: PairTest
    attacks: list[AttackTest]


def pairs(run: Run) -> list[SchemePair]:
    """Every pair of schemes: overall, and per attack, corrected over the pairs and over a pair's attacks."""
    per_image = withstood(run, run.headline_group).unstack("scheme")
    found: list[SchemePair] = []
    overall_differences: list[pd.Series] = []
    for first, second in combinations(run.schemes, 2):
        if not {first, second} <= set(per_image.columns):
            continue
        difference = (per_image[first] - per_image[second]).dropna()
        if difference.empty:  # no picture that both were measured on
            continue
        overall_differences.append(difference.groupby("image").mean())
        overall, attacks = _test(overall_differences[-1]), _per_attack(difference, run.attacks)
        found.append(SchemePair(first, second, run.headline_group, overall, attacks))
    tests = _decided([pair.overall for pair in found], overall_differences)
    return [replace(pair, overall=test) for pair, test in zip(found, tests, strict=True)]


def withstood(run: Run, group: Group) -> pd.Series:
    """By attack, picture and scheme: share of the readings found, or of a searched axis that the mark withstood."""
    keys = ["attack", "image", "scheme"]
    found = run.marked(group).groupby(keys)["is_marked"].mean()
    return pd.concat([found, run.breaks(group).groupby(keys)["level"].mean()]).astype(float)


def _per_attack(difference: pd.Series, attacks: list[str]) -> list[AttackTest]:
    present = set(difference.index.get_level_values("attack"))
    known = [attack for attack in attacks if attack in present]
    differences = [difference.loc[attack] for attack in known]
    tests = _decided([_test(one) for one in differences], differences)
    return [AttackTest(attack=attack, **vars(test)) for attack, test in zip(known, tests, strict=True)]


def _test(difference: pd.Series) -> PairTest:
    """Mean paired difference over pictures, its bootstrap interval and the sign-flip (clustered McNemar) p-value."""
    values = difference.to_numpy(dtype=float)
    low, high = bootstrap_mean(values)
    known = low == low
    p = sign_flip(values)
    return PairTest(
        images=len(values),
        difference=float(values.mean()),
        low=low if known else None,
        high=high if known else None,
        p=p,
        smallest_p=smallest_p(len(values)),
        p_holm=p,
        p_joint=p,
        separable=p <= LEVEL,
    )


def _decided(tests: list[PairTest], differences: list[pd.Series]) -> list[PairTest]:
    """The same tests, corrected for all of them: by Holm, and jointly, which decides."""
    if not tests:
        return []
    adjusted = holm([test.p for test in tests])
    joint = sign_flips(pd.concat(differences, axis=1).to_numpy())
    return [
        replace(test, p_holm=float(p), p_joint=float(q), separable=bool(q <= LEVEL))
        for test, p, q in zip(tests, adjusted, joint, strict=True)
    ]
