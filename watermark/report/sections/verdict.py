"""One card per scheme: how good, how sure, how fast."""

import pandas as pd

from watermark.report.rows import IDENTITY, Json, Run, bit_accuracy, mean, misattributed, rate


def cards(run: Run, ladder: list[Json], pairs: list[Json]) -> list[Json]:
    """One verdict per scheme, the best detection first.

    Args:
        run: the evaluation.
        ladder: from ``cells.ladders``.
        pairs: from ``pairwise.pairs``: says which schemes cannot be told from the best.
    """
    found = [_card(run, scheme, ladder) for scheme in run.schemes]
    found.sort(key=lambda card: -(card["detection"]["rate"] or 0.0))
    best = found[0]["scheme"]
    for card in found:
        card["rank"] = "best" if card["scheme"] == best else _against(best, card["scheme"], pairs)
    return found


def _card(run: Run, scheme: str, ladder: list[Json]) -> Json:
    group = run.headline_group
    rows = run.rows[run.rows["scheme"] == scheme]
    negatives = run.negatives()
    clean = rows[rows["marked"] & (rows["attack"] == IDENTITY) & (rows["group"] == group)]
    attacked = [c for c in ladder if (c["scheme"], c["group"]) == (scheme, group) and c["attack"] != IDENTITY]
    facts = run.manifest.get("schemes", {}).get(scheme, {})
    return {
        "scheme": scheme,
        "group": group,
        "message_bits": facts.get("message_bits"),
        "payload_bits": _payload_bits(run.manifest.get("layout") or {}),
        "target_psnr": facts.get("target_psnr"),
        "quality": _quality(rows[rows["marked"] & (rows["group"] == group)]),
        "no_attack": rate(clean, "is_marked"),
        **_attacked(run.marked(group), scheme),
        "false_positives": rate(negatives[negatives["scheme"] == scheme], "is_marked"),
        **_hard(run, scheme),
        "worst": sorted(attacked, key=lambda cell: cell["detection"]["rate"])[:3],
        "failed": int(rows["error"].notna().sum()),
        **_speed(run.costs, scheme),
    }


def _attacked(marked: pd.DataFrame, scheme: str) -> Json:
    """The headline rates: marked pictures of the headline group, after every attack."""
    marked = marked[marked["scheme"] == scheme]
    return {
        "detection": rate(marked, "is_marked"),
        "payload": rate(marked, "payload_ok"),
        "bit_accuracy": bit_accuracy(marked),
        "misattribution": rate(marked, misattributed(marked)),
    }


def _hard(run: Run, scheme: str) -> Json:
    """The same for the hard cases; null where they are the headline."""
    if run.headline_group == "hard":
        return {"hard_cases": None, "hard_payload": None}
    hard = run.marked("hard")
    hard = hard[hard["scheme"] == scheme]
    return {"hard_cases": rate(hard, "is_marked"), "hard_payload": rate(hard, "payload_ok")}


def _payload_bits(layout: Json) -> int | None:
    return sum(v for v in layout.values() if isinstance(v, int) and not isinstance(v, bool)) or None


def _quality(rows: pd.DataFrame) -> Json:
    per_image = rows.groupby("image")[["psnr", "ssim", "worst_tile_psnr"]].first()
    psnr = per_image["psnr"].dropna()
    return {
        "images": len(psnr),
        "psnr": mean(per_image["psnr"]),
        "psnr_min": None if psnr.empty else float(psnr.min()),
        "ssim": mean(per_image["ssim"]),
        "ssim_min": None if per_image["ssim"].isna().all() else float(per_image["ssim"].min()),
        "worst_tile_psnr": None
        if per_image["worst_tile_psnr"].isna().all()
        else float(per_image["worst_tile_psnr"].min()),
    }


def _speed(costs: pd.DataFrame, scheme: str) -> Json:
    """Seconds per image and images per second for embedding and reading; None where nothing was timed."""
    sums = costs[costs["scheme"] == scheme].groupby("stage")[["images", "seconds"]].sum()
    seconds: dict[str, float | None] = dict.fromkeys(("embed", "decode"))
    for stage in seconds:
        if stage in sums.index and sums.loc[stage, "images"] > 0:
            seconds[stage] = float(sums.loc[stage, "seconds"] / sums.loc[stage, "images"])
    return {"seconds": seconds, "images_per_second": {stage: 1 / s if s else None for stage, s in seconds.items()}}


def _against(best: str, scheme: str, pairs: list[Json]) -> str:
    for pair in pairs:
        if {pair["first"], pair["second"]} == {best, scheme}:
            return "worse" if pair["overall"]["separable"] else "not separable"
    return "not tested"
