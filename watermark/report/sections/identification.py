"""Right, wrong or no owner, against the size of the registry that a mark is looked up in."""

import json

import pandas as pd

from watermark.metrics.identification import colliding_pairs, look_up
from watermark.report.rows import Json, Run, misattributed, rate

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
VOLUMES = (1e6, 1e9, 1e11)


def identification(run: Run) -> Json:
    """Measured blind answers, and simulated look-ups of the same readings in registries of growing size."""
    return {"schemes": [_scheme(run, scheme) for scheme in run.schemes], "collisions": _collisions(run)}


def _scheme(run: Run, scheme: str) -> Json:
    marked = run.marked(run.headline_group)
    marked = marked[(marked["scheme"] == scheme) & marked["error"].isna()]
    wrong = misattributed(marked)
    return {
        "scheme": scheme,
        "group": run.headline_group,
        "blind": {
            "right": rate(marked, "payload_ok"),
            "wrong": rate(marked, wrong),
            "none": rate(marked, ~marked["payload_ok"] & ~wrong),
        },
        "gain": _gain(marked),
        "near": _kept(run, scheme, "near"),
        "readings": len(marked),
        "images": int(marked["image"].nunique()),
        "lookup": _lookups(run, marked) if marked["log10_p_expected"].notna().any() else None,
    }


def _gain(marked: pd.DataFrame) -> Json:
    """What the error-correcting code is worth: readings whose raw bits are all right, and those that decode exactly."""
    read = marked[marked["payload_ok"]]
    return {
        "raw": rate(marked, marked["bit_errors"] == 0),
        "coded": rate(marked, "payload_ok"),
        "most_wrong_bits_read": None if read.empty else float((read["bit_errors"] / read["message_bits"]).max()),
    }


def _kept(run: Run, scheme: str, question: str) -> Json | None:
    """An answer of ``watermark.evaluation.lookups``; None where the run kept no soft decisions or is older than it."""
    return lookups(run).get(scheme, {}).get(question)


def lookups(run: Run) -> Json:
    """By scheme, what ``lookups.json`` in the run folder says."""
    path = run.path / "lookups.json"
    return json.loads(path.read_text())["schemes"] if path.is_file() else {}


def _lookups(run: Run, marked: pd.DataFrame) -> list[Json]:
    found = []
    for size in SIZES:
        outcome = look_up(marked["log10_p_expected"], marked["hypotheses"], size, run.false_positive_rate)
        right, wrong, none = (float(share.mean()) for share in outcome)
        found.append({"size": size, "right": right, "wrong": wrong, "none": max(0.0, none)})
    return found


def _collisions(run: Run) -> Json | None:
    layout = run.manifest.get("layout") or {}
    content = layout.get("content_bits", layout.get("content"))
    if not content:
        return None
    return {
        "content_bits": content,
        "id_bits": content + (layout.get("provider_bits", layout.get("provider")) or 0),
        "ids_per_provider": 2**content,
        "random": [{"images": n, "pairs": colliding_pairs(n, content)} for n in VOLUMES],
    }
