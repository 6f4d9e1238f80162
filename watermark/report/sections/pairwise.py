"""Scheme against scheme on the same pictures, with "not separable" as a verdict."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated

import pandas as pd

from watermark.evaluation.rows import Run
from watermark.json_schema import Count, Group, Share, limits
from watermark.metrics.paired import bootstrap_mean, holm, sign_flip, smallest_p

LEVEL = 0.05
"""Of significance, after Holm's correction."""


@dataclass(frozen=True)
class PairTest:
    """Mean paired difference over pictures with its bootstrap interval, and the sign-flip test."""

    images: Count
    difference: Annotated[float, limits(minimum=-1, maximum=1)]
    low: float | None
    high: float | None
    p: Share
    smallest_p: Share
    p_holm: Share
    separable: bool


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
    """Every pair of schemes: overall, and per attack with Holm's correction over the attacks."""
    rows = run.marked(run.headline_group)
    per_image = rows.groupby(["attack", "image", "scheme"])["is_marked"].mean().unstack("scheme")
    found: list[SchemePair] = []
    for first, second in combinations(run.schemes, 2):
        if not {first, second} <= set(per_image.columns):
            continue
        difference = (per_image[first] - per_image[second]).dropna()
        if difference.empty:  # no picture that both were measured on
            continue
        overall, attacks = _test(difference.groupby("image").mean()), _per_attack(difference, run.attacks)
        found.append(SchemePair(first, second, run.headline_group, overall, attacks))
    tests = _decided([pair.overall for pair in found])
    return [replace(pair, overall=test) for pair, test in zip(found, tests, strict=True)]


def _per_attack(difference: pd.Series, attacks: list[str]) -> list[AttackTest]:
    present = set(difference.index.get_level_values("attack"))
    known = [attack for attack in attacks if attack in present]
    tests = _decided([_test(difference.loc[attack]) for attack in known])
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
        separable=p <= LEVEL,
    )


def _decided(tests: list[PairTest]) -> list[PairTest]:
    """The same tests with Holm's correction for all of them."""
    adjusted = list(holm([test.p for test in tests])) if tests else []
    return [replace(test, p_holm=float(p), separable=p <= LEVEL) for test, p in zip(tests, adjusted, strict=True)]
