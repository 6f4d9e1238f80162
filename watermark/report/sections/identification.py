"""Right, wrong or no owner, against the size of the registry that a mark is looked up in."""

import numpy as np

from watermark.evaluation.aggregate import Json, Run, misattributed, rate
from watermark.metrics.identification import colliding_pairs, look_up, score_from_log10

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
READINGS = 600
"""Readings per scheme that the simulation uses at most, evenly spread over the rows."""
VOLUMES = (1e6, 1e9, 1e11)


def identification(run: Run) -> Json:
    """Measured blind answers, and simulated look-ups of the same readings in registries of growing size."""
    return {"schemes": [_scheme(run, scheme) for scheme in run.schemes], "collisions": _collisions(run)}


def _scheme(run: Run, scheme: str) -> Json:
    marked = run.marked(run.headline_group)
    marked = marked[(marked["scheme"] == scheme) & marked["error"].isna()]
    wrong = misattributed(marked)
    step = max(1, -(-len(marked) // READINGS))
    used = marked.iloc[::step]
    used = used[used["log10_p_expected"].notna()]
    logits = run.logits(used)
    return {
        "scheme": scheme,
        "group": run.headline_group,
        "blind": {
            "right": rate(marked, "payload_ok"),
            "wrong": rate(marked, wrong),
            "none": rate(marked, ~marked["payload_ok"] & ~wrong),
        },
        "readings": len(used),
        "images": int(used["image"].nunique()),
        "lookup": None if logits is None else _lookups(run, used["log10_p_expected"], used["hypotheses"], logits),
    }


def _lookups(run: Run, log10_p: object, hypotheses: object, logits: np.ndarray) -> list[Json]:
    tries = np.maximum(np.asarray(hypotheses, dtype=float), 1)
    score = score_from_log10(np.asarray(log10_p, dtype=float) - np.log10(tries))  # the search was paid for; undo it
    found = []
    for size in SIZES:
        right, wrong, none = look_up(logits, score, tries, size, run.false_positive_rate)
        found.append(
            {"size": size, "right": float(right.mean()), "wrong": float(wrong.mean()), "none": float(none.mean())}
        )
    return found


def _collisions(run: Run) -> Json | None:
    layout = run.manifest.get("layout") or {}
    content = layout.get("content_bits", layout.get("content"))
    if not content:
        return None
    return {
        "content_bits": content,
        "ids_per_provider": 2**content,
        "random": [{"images": n, "pairs": colliding_pairs(n, content)} for n in VOLUMES],
    }
