"""The same scores under four ways to set a threshold, because the choice changes every published number."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from watermark.evaluation.rows import Rate, Run, rate
from watermark.json_schema import Count, Group, Share
from watermark.metrics.tpr_at_fpr import auc, threshold_at, tpr_at_fpr

TARGETS = (0.001, 0.01, 0.05, 0.1)
"""Empirical false-positive rates, strictest first; the first one that the calibration negatives support is used."""


@dataclass(frozen=True)
class Negatives:
    """Unmarked readings that thresholds and AUC rest on; since 1.2.0."""

    n: Count
    images: Count


@dataclass(frozen=True)
class Policy:
    """A threshold on ``-log10 p`` and what it gives."""

    threshold: float
    tpr: Rate
    fpr: Rate


@dataclass(frozen=True)
class CalibratedPolicy(Policy):
    """Set on the unmarked readings of half of the pictures, judged on all others."""

    calibration_images: Count


@dataclass(frozen=True)
class PooledPolicy:
    """Set on all unmarked readings; the interval is a bootstrap over pictures."""

    threshold: float
    tpr: Share
    low: float | None
    high: float | None
    fpr: Share | None


@dataclass(frozen=True)
class PerAttackPolicy:
    """Each attack with a threshold from its own negatives, mean over attacks."""

    tpr: Share
    attacks: Count


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve of one attack, marked pictures against unmarked ones."""

    attack: str
    auc: Share | None
    n: Count
    unmarked: Count
    unmarked_images: Count


@dataclass(frozen=True)
class Thresholds:
    """The same scores of one scheme under four ways to set a threshold."""

    scheme: str
    group: Group
    negatives: Negatives
    target: float | None
    deployed: Policy
    theory: Policy | None
    calibrated: CalibratedPolicy | None
    pooled: PooledPolicy | None
    per_attack: PerAttackPolicy | None
    auc: list[Auc]


def thresholds(run: Run) -> list[Thresholds]:
    """One entry per scheme: deployed, calibrated, pooled and per-attack thresholds, and the AUC per attack.

    Scores are ``-log10_p_expected``: is this the mark that is claimed? That is what other benchmarks measure (their
    message is known), and unlike blind detection it is continuous.
    """
    group = run.headline_group
    marked = run.marked(group)
    negatives = run.negatives()
    negatives = negatives[(negatives["group"] == group) & negatives["attack"].isin(run.attacks)]
    return [
        _scheme(run, scheme, marked[marked["scheme"] == scheme], negatives[negatives["scheme"] == scheme])
        for scheme in run.schemes
        if scheme not in run.outside  # it gives no score
    ]


def _scheme(run: Run, scheme: str, marked: pd.DataFrame, negatives: pd.DataFrame) -> Thresholds:
    chosen = negatives["image"].isin(_calibration_half(negatives["image"].unique()))
    calibration, test = negatives[chosen], negatives[~chosen]
    marked_test = marked[~marked["image"].isin(set(calibration["image"]))]
    target = next((t for t in TARGETS if len(calibration) * t >= 1), None)
    return Thresholds(
        scheme=scheme,
        group=run.headline_group,
        negatives=Negatives(len(negatives), int(negatives["image"].nunique())),
        target=target,
        deployed=_at(marked, negatives, -np.log10(run.false_positive_rate)),
        theory=None if target is None else _at(marked, negatives, -np.log10(target)),
        calibrated=_calibrated(calibration, test, marked_test, target),
        pooled=_bootstrapped(marked, negatives, target),
        per_attack=_per_attack(marked, negatives, target),
        auc=[_auc(attack, part, negatives) for attack, part in marked.groupby("attack", sort=False)],
    )


def _calibration_half(images: Iterable[str]) -> set[str]:
    """Half of the pictures that were read unmarked, by a hash of the name alone: the same in every run on them."""
    order = sorted(images, key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(order[: len(order) // 2])


def _score(rows: pd.DataFrame) -> np.ndarray:
    """Scores, higher is more like the mark; a failed cell has none and scores 0."""
    return -rows["log10_p_expected"].fillna(0.0).to_numpy(dtype=float)


def _at(marked: pd.DataFrame, negatives: pd.DataFrame, threshold: float) -> Policy:
    return Policy(
        threshold=float(threshold),
        tpr=rate(marked, _score(marked) >= threshold),
        fpr=rate(negatives, _score(negatives) >= threshold),
    )


def _calibrated(
    calibration: pd.DataFrame, test: pd.DataFrame, marked: pd.DataFrame, target: float | None
) -> CalibratedPolicy | None:
    threshold = None if target is None else threshold_at(_score(calibration), target)
    if threshold is None or marked.empty or test.empty:
        return None
    return CalibratedPolicy(
        threshold=threshold,
        tpr=rate(marked, _score(marked) > threshold),
        fpr=rate(test, _score(test) > threshold),
        calibration_images=int(calibration["image"].nunique()),
    )


def _bootstrapped(marked: pd.DataFrame, negatives: pd.DataFrame, target: float | None) -> PooledPolicy | None:
    if target is None or negatives["image"].nunique() < 2:  # one picture does not say how much pictures differ
        return None
    found = tpr_at_fpr(_score(marked), _score(negatives), target, marked["image"], negatives["image"])
    if found.tpr is None or found.threshold is None:
        return None
    return PooledPolicy(found.threshold, found.tpr, found.low, found.high, found.fpr)


def _per_attack(marked: pd.DataFrame, negatives: pd.DataFrame, target: float | None) -> PerAttackPolicy | None:
    """Each attack with a threshold from its own negatives: the most generous policy, mean over attacks."""
    if target is None:
        return None
    rates = []
    for attack, part in marked.groupby("attack"):
        threshold = threshold_at(_score(negatives[negatives["attack"] == attack]), target)
        if threshold is None:
            return None
        rates.append(float(np.mean(_score(part) > threshold)))
    return PerAttackPolicy(float(np.mean(rates)), len(rates)) if rates else None


def _auc(attack: str, marked: pd.DataFrame, negatives: pd.DataFrame) -> Auc:
    """Area under the ROC curve of one attack, marked pictures against unmarked ones."""
    negatives = negatives[negatives["attack"] == attack]
    value = auc(_score(marked), _score(negatives))
    return Auc(
        attack=attack,
        auc=None if np.isnan(value) else value,
        n=len(marked),
        unmarked=len(negatives),
        unmarked_images=int(negatives["image"].nunique()),
    )
