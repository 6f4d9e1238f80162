"""How often an unmarked picture is called marked: promised, measured, and what the sample may claim."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from watermark.evaluation.rows import IDENTITY, PROMISES, Rate, Run, rate
from watermark.json_schema import Count, Share
from watermark.metrics.clustered import negatives_needed, supported_rate
from watermark.metrics.null_diagnostics import bit_diagnostics, uniformity
from watermark.metrics.rates import clopper_pearson
from watermark.report.sections.identification import RandomIds, random_ids
from watermark.report.wording import count, plural, power, upper_bound

QUANTILES = 120
"""Points of the p-value plot that are kept where a run has more negatives."""


@dataclass(frozen=True)
class PromisedRung:
    """How many p-values of unmarked pictures lie at or below a promised rate, and what that many readings can show."""

    promised: Share
    n: Count
    images: Count
    hits: Count
    blind_hits: Count
    rate: Share | None
    low: Share
    high: Share
    needed: Count
    supported: bool
    broken: bool


@dataclass(frozen=True)
class AttackAlarms:
    """Alarms on unmarked pictures under one attack."""

    attack: str
    alarms: Rate
    at_one_percent: Rate
    smallest_log10_p: float | None


@dataclass(frozen=True)
class ClassAlarms(Rate):
    """Alarms on unmarked pictures of one content class."""

    name: str


@dataclass(frozen=True)
class PromisedShare:
    """Share of p-values at or below a promised rate."""

    promised: Share
    share: Share


@dataclass(frozen=True)
class BitCheck:
    """Do raw bits of unmarked pictures look like coin flips?"""

    n: Count
    bits: Count
    share_of_ones: list[float]
    bias_p: float
    mean_abs_correlation: float | None
    expected_abs_correlation: float | None


@dataclass(frozen=True)
class NullCheck:
    """Clean unmarked pictures, one reading each, and the p-value plot over all negatives."""

    n: Count
    too_small_p: Share | None
    plot: list[list[float]]
    plot_attacked: list[list[float]]
    at_or_below: list[PromisedShare]
    bits: BitCheck | None
    no_bits: Annotated[str | None, "why bits is null"]
    bits_attacked: BitCheck | None


@dataclass(frozen=True)
class FalsePositives:
    """How often unmarked pictures are called marked by one scheme."""

    scheme: str
    promised: Share
    alarms: Rate
    supports_readings: Share
    supports_images: Share
    claim: str
    ladder: list[PromisedRung]
    random_ids: Annotated[RandomIds | None, "the same readings against random IDs"]
    attacks: list[AttackAlarms]
    classes: list[ClassAlarms]
    null: NullCheck


def false_positives(run: Run) -> list[FalsePositives]:
    """One entry per scheme: alarms, the ladder of rates, alarms per attack and the null diagnostics."""
    negatives = run.negatives()
    found = []
    for scheme in run.schemes:
        rows = negatives[negatives["scheme"] == scheme]
        alarms = rate(rows, "is_marked")
        found.append(
            FalsePositives(
                scheme=scheme,
                promised=run.false_positive_rate,
                alarms=alarms,
                supports_readings=supported_rate(alarms.n),
                supports_images=supported_rate(alarms.images),
                claim=_counted(alarms) if scheme in run.outside else _claim(alarms, run.false_positive_rate),
                ladder=[_rung(rows, target) for target in PROMISES],
                random_ids=random_ids(run, scheme),
                attacks=_per_attack(rows),
                classes=[
                    ClassAlarms(name=str(name), **vars(rate(part, "is_marked")))
                    for name, part in rows.groupby("image_class")
                ],
                null=_null(run, rows),
            )
        )
    return found


def _claim(alarms: Rate, promised: float) -> str:
    n, images = alarms.n, alarms.images
    if n == 0:
        return "No unmarked picture was read, so nothing is claimed."
    needed = negatives_needed(promised)
    what = "No alarm" if alarms.successes == 0 else plural(alarms.successes, "alarm")
    text = f"{what} in {plural(n, 'reading')} of {plural(images, 'unmarked image')}. "
    low, high = clopper_pearson(alarms.successes, n)
    if low > promised:
        return text + f"That is more than the promised {power(promised)} allows: do not trust the promise here."
    text += f"As independent readings they support a rate of at most {upper_bound(high)}"
    text += f"; counted as {plural(images, 'image')}, at most {upper_bound(alarms.high)}. "
    if n < needed:
        text += (
            f"They cannot show {power(promised)}: that would take {count(needed)} independent negatives without an "
            f"alarm. {power(promised)} is a promise of theory (the key is random), not a measurement."
        )
    return text


def _counted(alarms: Rate) -> str:
    """What may be said of somebody else's detector, of which nothing is promised."""
    said = "Somebody else's detector: nothing is promised"
    if alarms.n == 0:
        return f"{said}, and no unmarked picture was read."
    what = "no alarm" if alarms.successes == 0 else plural(alarms.successes, "alarm")
    readings = f"{plural(alarms.n, 'reading')} of {plural(alarms.images, 'unmarked image')}"
    return f"{said}. Counted: {what} in {readings}, so a rate of at most {upper_bound(alarms.high)}."


def _rung(rows: pd.DataFrame, target: float) -> PromisedRung:
    """Share of p-values at or below a promised rate; the measured share is only a claim where n supports it."""
    expected = rows["log10_p_expected"].dropna()
    blind = rows["log10_p"].dropna()
    hits, n = int((expected <= np.log10(target)).sum()), len(expected)
    low, high = clopper_pearson(hits, n) if n else (0.0, 1.0)
    needed = negatives_needed(target)
    return PromisedRung(
        promised=target,
        n=n,
        images=int(rows.loc[expected.index, "image"].nunique()),
        hits=hits,
        blind_hits=int((blind <= np.log10(target)).sum()),
        rate=hits / n if n else None,
        low=low,
        high=high,
        needed=needed,
        supported=n >= needed,
        broken=low > target,
    )


def _per_attack(rows: pd.DataFrame) -> list[AttackAlarms]:
    found = []
    for attack, part in rows.groupby("attack", sort=False):
        smallest = part["log10_p_expected"].min()
        found.append(
            AttackAlarms(
                attack=attack,
                alarms=rate(part, "is_marked"),
                at_one_percent=rate(part, part["log10_p_expected"] <= -2),
                smallest_log10_p=None if pd.isna(smallest) else float(smallest),
            )
        )
    return found


def _null(run: Run, rows: pd.DataFrame) -> NullCheck:
    """Diagnostics on clean unmarked pictures, one reading each, and the p-value plot over all negatives."""
    clean = rows[rows["attack"] == IDENTITY]
    check = uniformity(clean["log10_p_expected"].dropna().to_numpy())
    attacked = uniformity(rows["log10_p_expected"].dropna().to_numpy())
    bits = _bits(run, clean)
    return NullCheck(
        n=check.n,
        too_small_p=None if check.n == 0 else check.too_small_p,
        plot=_plot(clean["log10_p_expected"].dropna()),
        plot_attacked=_plot(rows["log10_p_expected"].dropna()),
        at_or_below=[PromisedShare(r, s) for r, s in attacked.at_or_below.items()],
        bits=bits,
        no_bits=None if bits else _no_bits(clean),
        bits_attacked=_bits(run, rows[rows["attack"] != IDENTITY].drop_duplicates("image")),
    )


def _no_bits(clean: pd.DataFrame) -> str:
    """Why the raw bits of clean unmarked pictures say nothing."""
    if clean.empty:
        return "no clean unmarked picture was read."
    if len(clean) < 2:
        return "one clean unmarked picture says nothing about its bits."
    return "the run kept no soft decisions of clean unmarked pictures."


def _plot(log10_p: pd.Series) -> list[list[float]]:
    """Points ``[-log10 expected quantile, -log10 p]`` from the smallest p-value up, thinned to the ones that matter."""
    p = np.sort(log10_p.to_numpy())
    if len(p) == 0:
        return []
    ranks = np.unique(np.round(np.geomspace(1, len(p), QUANTILES)).astype(int))
    expected = -np.log10((ranks - 0.5) / len(p))
    return [[round(float(e), 4), round(float(-v), 4)] for e, v in zip(expected, p[ranks - 1], strict=True)]


def _bits(run: Run, rows: pd.DataFrame) -> BitCheck | None:
    widths = rows["message_bits"].unique()
    logits = run.logits(rows) if len(widths) == 1 else None
    if logits is None or len(logits) < 2:
        return None
    found = bit_diagnostics(logits)
    return BitCheck(
        n=found.n,
        bits=found.bits,
        share_of_ones=[round(float(s), 4) for s in found.share_of_ones],
        bias_p=found.bias_p,
        mean_abs_correlation=found.mean_abs_correlation,
        expected_abs_correlation=found.expected_abs_correlation,
    )
