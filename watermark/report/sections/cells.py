"""Scheme x attack x rung: the rates behind the heat map and the survival curves."""

import pandas as pd

from watermark.evaluation.aggregate import GROUPS, IDENTITY, Json, Run, bit_accuracy, mean, rate


def cells(run: Run) -> list[Json]:
    """One entry per scheme, attack, rung and group of pictures."""
    keys = ["scheme", "attack", "strength", "group"]
    marked = run.rows[run.rows["marked"]]
    negatives = {key: rows for key, rows in run.negatives().groupby(keys, dropna=False)}
    found = []
    for key, rows in marked.groupby(keys, dropna=False, sort=False):
        unmarked = negatives.get(key, run.rows.iloc[:0])
        found.append(
            {
                "scheme": key[0],
                "attack": key[1],
                "strength": None if pd.isna(key[2]) else float(key[2]),
                "group": key[3],
                **_rates(rows, unmarked),
                "attack_psnr": mean(rows["attack_psnr"]),
                "attack_ssim": mean(rows["attack_ssim"]),
            }
        )
    return found


def ladders(run: Run) -> list[Json]:
    """One entry per scheme, attack and group, pooled over the attack's rungs: the cells of the heat map."""
    found = []
    for scheme in run.schemes:
        of_scheme = run.rows[run.rows["scheme"] == scheme]
        for attack in [IDENTITY, *run.attacks]:
            rows = of_scheme[of_scheme["attack"] == attack]
            for group in GROUPS:
                part = rows[rows["group"] == group]
                marked = part[part["marked"]]
                if marked.empty:
                    continue
                unmarked = part[~part["marked"] & part["error"].isna()]
                rungs = int(marked["strength"].nunique(dropna=False))
                found.append(
                    {"scheme": scheme, "attack": attack, "group": group, "rungs": rungs, **_rates(marked, unmarked)}
                )
    return found


def _rates(marked: pd.DataFrame, unmarked: pd.DataFrame) -> Json:
    return {
        "detection": rate(marked, "is_marked"),
        "payload": rate(marked, "payload_ok"),
        "alarms": rate(unmarked, "is_marked"),
        "bit_accuracy": bit_accuracy(marked),
        "median_log10_p": None if marked["log10_p"].isna().all() else float(marked["log10_p"].median()),
        "failed": int(marked["error"].notna().sum()),
    }


def attacks(run: Run) -> list[Json]:
    """The attacks of the run with their facts, in order, the one that does nothing left out."""
    facts = run.manifest.get("attacks", {})
    found = []
    for name in run.attacks:
        known = facts.get(name, {})
        strengths = run.rows.loc[run.rows["attack"] == name, "strength"].dropna().unique()
        harder = known.get("harder", "higher")
        found.append(
            {
                "name": name,
                "parameter": known.get("parameter") or run.rows.loc[run.rows["attack"] == name, "parameter"].iloc[0],
                "unit": known.get("unit", ""),
                "harder": harder,
                "identity": known.get("identity"),
                "geometric": bool(known.get("geometric", False)),
                "version": int(known.get("version", 1)),
                "reproduces": known.get("reproduces", ""),
                "strengths": sorted((float(s) for s in strengths), reverse=harder == "lower"),
            }
        )
    return found
