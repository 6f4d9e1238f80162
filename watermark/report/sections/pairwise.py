"""Scheme against scheme on the same pictures, with "not separable" as a verdict."""

from itertools import combinations

import pandas as pd

from watermark.metrics.paired import bootstrap_mean, holm, sign_flip, smallest_p
from watermark.report.rows import Json, Run

LEVEL = 0.05


def pairs(run: Run) -> list[Json]:
    """Every pair of schemes: overall, and per attack with Holm's correction over the attacks."""
    rows = run.marked(run.headline_group)
    per_image = rows.groupby(["attack", "image", "scheme"])["is_marked"].mean().unstack("scheme")
    found: list[Json] = []
    for first, second in combinations(run.schemes, 2):
        if not {first, second} <= set(per_image.columns):
            continue
        difference = (per_image[first] - per_image[second]).dropna()
        if difference.empty:  # no picture that both were measured on
            continue
        found.append(
            {
                "first": first,
                "second": second,
                "group": run.headline_group,
                "overall": _test(difference.groupby("image").mean()),
                "attacks": _per_attack(difference, run.attacks),
            }
        )
    adjusted = list(holm([pair["overall"]["p"] for pair in found])) if found else []
    for pair, p in zip(found, adjusted, strict=True):
        _decide(pair["overall"], float(p))
    return found


def _per_attack(difference: pd.Series, attacks: list[str]) -> list[Json]:
    present = set(difference.index.get_level_values("attack"))
    tests = [{"attack": attack, **_test(difference.loc[attack])} for attack in attacks if attack in present]
    for test, p in zip(tests, holm([test["p"] for test in tests]) if tests else [], strict=True):
        _decide(test, float(p))
    return tests


def _test(difference: pd.Series) -> Json:
    """Mean paired difference over pictures, its bootstrap interval and the sign-flip (clustered McNemar) p-value."""
    values = difference.to_numpy(dtype=float)
    low, high = bootstrap_mean(values)
    known = low == low
    return {
        "images": len(values),
        "difference": float(values.mean()),
        "low": low if known else None,
        "high": high if known else None,
        "p": sign_flip(values),
        "smallest_p": smallest_p(len(values)),
    }


def _decide(test: Json, adjusted: float) -> None:
    test["p_holm"] = adjusted
    test["separable"] = adjusted <= LEVEL
