"""One card per scheme: how good, how sure, how fast."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import pandas as pd

from watermark.evaluation.rows import IDENTITY, Rate, Run, bit_accuracy, mean, misattributed, rate, unnamed, with_ids
from watermark.json_schema import Count, Group, Json, Share, Size, limits
from watermark.report.sections.breaking import Breaking
from watermark.report.sections.cells import Ladder
from watermark.report.sections.pairwise import SchemePair

Rank = Literal["best", "not separable", "worse", "not tested"]


@dataclass(frozen=True)
class MarkQuality:
    """Mean and worst picture of the marked ones, before any attack; null where nothing was measured."""

    images: Count
    psnr: float | None
    psnr_min: float | None
    ssim: float | None
    ssim_min: float | None
    worst_tile_psnr: float | None


@dataclass(frozen=True)
class PerStage:
    """Embedding and reading; null where nothing was timed."""

    embed: Size | None
    decode: Size | None


@dataclass(frozen=True)
class Card:
    """How good, how sure, how fast one scheme is."""

    scheme: str
    group: Group
    rank: Rank
    message_bits: Count | None
    payload_bits: Count | None
    target_psnr: float | None
    quality: MarkQuality
    no_attack: Rate
    withstood: Annotated[
        Share | None, "of the searched axes, mean over attacks and pictures; null where none was searched; since 1.7.0"
    ]
    detection: Annotated[Rate, "over the rungs; n = 0 where all attacks were searched"]
    payload: Rate
    bit_accuracy: Share | None
    misattribution: Rate
    unnamed: Annotated[Rate, "marked, and no ID certain enough to name; since 1.4.0"]
    false_positives: Rate
    hard_cases: Rate | None
    hard_payload: Rate | None
    worst: Annotated[list[Ladder], limits(maxItems=3)]
    failed: Count
    outside: Annotated[bool, "marked and read by somebody else: no IDs, and no promise of false alarms; since 1.8.0"]
    seconds: PerStage
    images_per_second: Annotated[PerStage, "over the run; since 1.2.0"]


def cards(run: Run, ladder: list[Ladder], pairs: list[SchemePair], broken: Breaking | None = None) -> list[Card]:
    """One verdict per scheme, first the one that withstands most, or where nothing was searched is found most often.

    Args:
        run: the evaluation.
        ladder: from ``cells.ladders``.
        pairs: from ``pairwise.pairs``: says which schemes cannot be told from the best.
        broken: from ``breaking.breaking``.
    """
    shares = broken.withstood if broken else []
    withstood = {one.scheme: one.share for one in shares if one.group == run.headline_group}
    found = [replace(_card(run, scheme, ladder), withstood=withstood.get(scheme)) for scheme in run.schemes]
    found.sort(key=lambda card: (-(card.withstood or 0.0), -(card.detection.rate or 0.0)))
    best = found[0].scheme
    return [replace(card, rank=_against(best, card.scheme, pairs)) for card in found]


def _card(run: Run, scheme: str, ladder: list[Ladder]) -> Card:
    group = run.headline_group
    rows = run.rows[run.rows["scheme"] == scheme]
    negatives = run.negatives()
    clean = rows[rows["marked"] & (rows["attack"] == IDENTITY) & (rows["group"] == group)]
    marked = run.marked(group)
    marked = marked[marked["scheme"] == scheme]
    every = run.marked(group, searched=True)
    every = every[every["scheme"] == scheme]
    named = with_ids(every)
    attacked = [c for c in ladder if (c.scheme, c.group) == (scheme, group) and c.attack != IDENTITY]
    facts = run.manifest.get("schemes", {}).get(scheme, {})
    seconds = _seconds(run.costs, scheme)
    return Card(
        scheme=scheme,
        group=group,
        rank="not tested",
        message_bits=facts.get("message_bits"),
        payload_bits=None if scheme in run.outside else _payload_bits(run.manifest.get("layout") or {}),
        target_psnr=facts.get("target_psnr"),
        quality=_quality(rows[rows["marked"] & (rows["group"] == group)]),
        no_attack=rate(clean, "is_marked"),
        withstood=None,
        detection=rate(marked, "is_marked"),
        payload=rate(with_ids(marked), "payload_ok"),
        bit_accuracy=bit_accuracy(marked),
        misattribution=rate(named, misattributed(named)),
        unnamed=rate(named, unnamed(named)),
        false_positives=rate(negatives[negatives["scheme"] == scheme], "is_marked"),
        hard_cases=_hard(run, scheme, "is_marked"),
        hard_payload=_hard(run, scheme, "payload_ok"),
        worst=sorted(attacked, key=lambda cell: cell.detection.rate or 0.0)[:3],
        failed=int(rows["error"].notna().sum()),
        outside=scheme in run.outside,
        seconds=seconds,
        images_per_second=PerStage(*(1 / each if each else None for each in (seconds.embed, seconds.decode))),
    )


def _hard(run: Run, scheme: str, hits: str) -> Rate | None:
    """A headline rate for the hard cases; None where they are the headline."""
    if run.headline_group == "hard":
        return None
    hard = run.marked("hard")
    if hard.empty:
        return None
    hard = hard[hard["scheme"] == scheme]
    return rate(with_ids(hard) if hits == "payload_ok" else hard, hits)


def _payload_bits(layout: Json) -> int | None:
    return sum(v for v in layout.values() if isinstance(v, int) and not isinstance(v, bool)) or None


def _quality(rows: pd.DataFrame) -> MarkQuality:
    per_image = rows.groupby("image")[["psnr", "ssim", "worst_tile_psnr"]].first()
    psnr = per_image["psnr"].dropna()
    return MarkQuality(
        images=len(psnr),
        psnr=mean(per_image["psnr"]),
        psnr_min=None if psnr.empty else float(psnr.min()),
        ssim=mean(per_image["ssim"]),
        ssim_min=None if per_image["ssim"].isna().all() else float(per_image["ssim"].min()),
        worst_tile_psnr=None
        if per_image["worst_tile_psnr"].isna().all()
        else float(per_image["worst_tile_psnr"].min()),
    )


def _seconds(costs: pd.DataFrame, scheme: str) -> PerStage:
    """Seconds per image for embedding and reading."""
    sums = costs[costs["scheme"] == scheme].groupby("stage")[["images", "seconds"]].sum()
    seconds: dict[str, float | None] = dict.fromkeys(("embed", "decode"))
    for stage in seconds:
        if stage in sums.index and sums.loc[stage, "images"] > 0:
            seconds[stage] = float(sums.loc[stage, "seconds"] / sums.loc[stage, "images"])
    return PerStage(**seconds)


def _against(best: str, scheme: str, pairs: list[SchemePair]) -> Rank:
    if scheme == best:
        return "best"
    for pair in pairs:
        if {pair.first, pair.second} == {best, scheme}:
            return "worse" if pair.overall.separable else "not separable"
    return "not tested"
