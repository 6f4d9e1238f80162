"""The same scores under four ways to set a threshold, because the choice changes every published number."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from watermark.metrics.tpr_at_fpr import auc, threshold_at, tpr_at_fpr
from watermark.report.rows import Json, Run, rate

TARGETS = (0.001, 0.01, 0.05, 0.1)
"""Empirical false-positive rates, strictest first; the first one that the calibration negatives support is used."""


def thresholds(run: Run) -> list[Json]:
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
    ]


def _scheme(run: Run, scheme: str, marked: pd.DataFrame, negatives: pd.DataFrame) -> Json:
    chosen = negatives["image"].isin(_calibration_half(negatives["image"].unique()))
    calibration, test = negatives[chosen], negatives[~chosen]
    marked_test = marked[~marked["image"].isin(set(calibration["image"]))]
    target = next((t for t in TARGETS if len(calibration) * t >= 1), None)
    return {
        "scheme": scheme,
        "group": run.headline_group,
        "negatives": {"n": len(negatives), "images": int(negatives["image"].nunique())},
        "target": target,
        "deployed": _at(marked, negatives, -np.log10(run.false_positive_rate)),
        "theory": None if target is None else _at(marked, negatives, -np.log10(target)),
        "calibrated": _calibrated(calibration, test, marked_test, target),
        "pooled": _bootstrapped(marked, negatives, target),
        "per_attack": _per_attack(marked, negatives, target),
        "auc": [_auc(attack, part, negatives) for attack, part in marked.groupby("attack", sort=False)],
    }


def _calibration_half(images: Iterable[str]) -> set[str]:
    """Half of the pictures that were read unmarked, by a hash of the name alone: the same in every run on them."""
    order = sorted(images, key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(order[: len(order) // 2])


def _score(rows: pd.DataFrame) -> np.ndarray:
    """Scores, higher is more like the mark; a failed cell has none and scores 0."""
    return -rows["log10_p_expected"].fillna(0.0).to_numpy(dtype=float)


def _at(marked: pd.DataFrame, negatives: pd.DataFrame, threshold: float) -> Json:
    return {
        "threshold": float(threshold),
        "tpr": rate(marked, _score(marked) >= threshold),
        "fpr": rate(negatives, _score(negatives) >= threshold),
    }


def _calibrated(
    calibration: pd.DataFrame, test: pd.DataFrame, marked: pd.DataFrame, target: float | None
) -> Json | None:
    threshold = None if target is None else threshold_at(_score(calibration), target)
    if threshold is None or marked.empty or test.empty:
        return None
    return {
        "threshold": threshold,
        "tpr": rate(marked, _score(marked) > threshold),
        "fpr": rate(test, _score(test) > threshold),
        "calibration_images": int(calibration["image"].nunique()),
    }


def _bootstrapped(marked: pd.DataFrame, negatives: pd.DataFrame, target: float | None) -> Json | None:
    if target is None or negatives["image"].nunique() < 2:  # one picture does not say how much pictures differ
        return None
    found = tpr_at_fpr(_score(marked), _score(negatives), target, marked["image"], negatives["image"])
    if found.tpr is None:
        return None
    return {"threshold": found.threshold, "tpr": found.tpr, "low": found.low, "high": found.high, "fpr": found.fpr}


def _per_attack(marked: pd.DataFrame, negatives: pd.DataFrame, target: float | None) -> Json | None:
    """Each attack with a threshold from its own negatives: the most generous policy, mean over attacks."""
    if target is None:
        return None
    rates = []
    for attack, part in marked.groupby("attack"):
        threshold = threshold_at(_score(negatives[negatives["attack"] == attack]), target)
        if threshold is None:
            return None
        rates.append(float(np.mean(_score(part) > threshold)))
    return {"tpr": float(np.mean(rates)), "attacks": len(rates)} if rates else None


def _auc(attack: str, marked: pd.DataFrame, negatives: pd.DataFrame) -> Json:
    """Area under the ROC curve of one attack, marked pictures against unmarked ones."""
    negatives = negatives[negatives["attack"] == attack]
    value = auc(_score(marked), _score(negatives))
    return {
        "attack": attack,
        "auc": None if np.isnan(value) else value,
        "n": len(marked),
        "unmarked": len(negatives),
        "unmarked_images": int(negatives["image"].nunique()),
    }
