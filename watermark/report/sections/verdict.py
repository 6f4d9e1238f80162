"""The first screen: which scheme, how good, how sure."""

import pandas as pd

from watermark.evaluation.aggregate import IDENTITY, Json, Run, bit_accuracy, mean, misattributed, rate
from watermark.report.sections.pairwise import LEVEL
from watermark.report.wording import count, n_of, percent, power, share

UNEQUAL = 0.5
"""Decibels between schemes from which the page says that quality is not equal."""
SMALL = 20
"""Pictures under which the page warns in its first screen."""


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


def sentence(run: Run, found: list[Json], pairs: list[Json]) -> Json:
    """The verdict in words: a headline, what it rests on, what is promised, and warnings.

    Args:
        run: the evaluation.
        found: from ``cards``.
        pairs: from ``pairwise.pairs``: tells "no difference seen" from "none could have been seen".
    """
    hopeless = any(pair["overall"]["smallest_p"] * len(pairs) > LEVEL for pair in pairs)
    best = found[0]
    pictures = "photos" if best["group"] == "natural" else "test pictures"
    level = [card["scheme"] for card in found[1:] if card["rank"] == "not separable"]
    worse = [card["scheme"] for card in found[1:] if card["rank"] == "worse"]
    headline = f"{best['scheme']}: mark found in {percent(best['detection'])} of attacked {pictures}"
    images = best["detection"]["images"]
    tied = [card["scheme"] for card in found if card["detection"]["rate"] == best["detection"]["rate"]]
    if level and hopeless and len(tied) == 1:
        headline = f"{best['scheme']} keeps the most marks; {images} {pictures} are too few to prove it best"
    elif level and hopeless and len(tied) < len(found):
        lost = "lost no mark" if best["detection"]["rate"] == 1 else "kept the most marks"
        headline = f"{_listed(tied)} {lost}; {images} {pictures} are too few to rank the schemes"
    elif level and worse:
        headline = f"{_listed([best['scheme'], *level])} lead and cannot be told apart"
    elif level:
        headline = f"No scheme stands out among {_listed([best['scheme'], *level])}"
    elif worse:
        headline = f"{best['scheme']} survives best: found in {percent(best['detection'])} of attacked {pictures}"
    rate_of_false = run.false_positive_rate
    return {
        "headline": headline,
        "detail": _detail(best, pictures),
        "promise": (
            f"“Found” means a p-value of at most {power(rate_of_false)} after paying for everything that was tried: in "
            f"theory one false alarm in {count(1 / rate_of_false)} unmarked pictures. {_alarms(found)}"
        ),
        "small": " ".join(filter(None, (_small(best), _unequal(found)))) or None,
    }


def _detail(best: Json, pictures: str) -> str:
    text = (
        f"{best['scheme']}: mark found in {share(best['detection'])} of attacked {pictures}, provider and content ID "
        f"read exactly in {share(best['payload'])}; {n_of(best['detection'])}."
    )
    quality = best["quality"]
    if quality["psnr"] is None:
        return text
    ssim = "" if quality["ssim"] is None else f", SSIM {quality['ssim']:.3f}"
    return f"{text} Marked at {quality['psnr']:.1f} dB PSNR{ssim}."


def _alarms(found: list[Json]) -> str:
    alarms = sum(card["false_positives"]["successes"] for card in found)
    n = sum(card["false_positives"]["n"] for card in found)
    return f"Measured here: {count(alarms)} in {count(n)} readings of unmarked pictures, all schemes together."


def _small(best: Json) -> str | None:
    images = best["detection"]["images"]
    if images >= SMALL:
        return None
    text = f"Only {images} pictures: read the intervals, not the rates."
    if best["detection"]["rate"] < 1:
        return text
    return text + f" A scheme that fails on one picture in {max(2, images // 2)} could still have passed here by luck."


def _unequal(found: list[Json]) -> str | None:
    known = [card["quality"]["psnr"] for card in found if card["quality"]["psnr"] is not None]
    if not known or max(known) - min(known) < UNEQUAL:
        return None
    return (
        f"Schemes are marked at {min(known):.1f} to {max(known):.1f} dB, so this is not a comparison at equal quality; "
        "target_psnr=42 makes one."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
