"""Numbers that others published for the same attack at the same strengths, next to ours."""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from watermark.evaluation.rows import Run, rate
from watermark.json_schema import Count, Group, Json, Share
from watermark.metrics.paired import bootstrap_mean

RATE = 1e-3
"""False-positive rate that the published numbers are quoted at."""


@dataclass(frozen=True)
class OurRate:
    """Of one scheme, measured as the published numbers were."""

    scheme: str
    rate: float
    low: Share | None
    high: Share | None
    images: Count
    gap_to_best: float


@dataclass(frozen=True)
class Twin:
    """A published number for an attack, and ours at the same strengths."""

    source: str
    attack: str
    strengths: list[float | str]
    published: dict[str, float]
    best: str
    ours: list[OurRate]


@dataclass(frozen=True)
class Published:
    """Numbers that others published, next to ours."""

    group: Group
    sources: dict[str, Any]
    twins: list[Twin]


def published() -> Json:
    """Sources and twins as they lie in ``published.json``."""
    return json.loads((resources.files(__package__) / "published.json").read_text())


def twins(run: Run) -> Published:
    """Every published number whose whole ladder is in this run, with ours and the gap to the best of them.

    Ours is measured as theirs: the message is known and the false-positive rate is 0.1 %, here by theory
    (``log10_p_expected <= -3``). Pictures, payload sizes and qualities still differ.
    """
    known = published()
    rows = run.marked(run.headline_group)
    cells = dict(iter(rows.groupby(["scheme", "attack"])))
    schemes = [scheme for scheme in run.schemes if scheme not in run.outside]  # of others there is no p-value
    found = []
    for twin in known["twins"]:
        parts = twin.get("parts") or {twin["attack"]: twin["strengths"]}
        best = max(twin["values"], key=lambda name: twin["values"][name])
        theirs = twin["values"][best]
        ours = [entry for scheme in schemes if (entry := _ours(cells, scheme, parts, theirs)) is not None]
        if not ours:
            continue
        found.append(
            Twin(
                source=twin["source"],
                attack=twin["attack"],
                strengths=twin.get("strengths") or [f"{a} {_span(s)}" for a, s in parts.items()],
                published=twin["values"],
                best=best,
                ours=ours,
            )
        )
    used = {entry.source for entry in found}
    return Published(
        group=run.headline_group,
        sources={name: source for name, source in known["sources"].items() if name in used},
        twins=found,
    )


def _ours(
    cells: dict[tuple, pd.DataFrame], scheme: str, parts: dict[str, list[float]], theirs: float
) -> OurRate | None:
    """Mean over attacks of the mean over strengths; None unless every rung is there."""
    means: list[pd.Series] = []
    for attack, strengths in parts.items():
        of_attack = cells.get((scheme, attack))
        if of_attack is None:
            return None
        near = of_attack[np.isclose(of_attack["strength"].to_numpy(float)[:, None], strengths).any(axis=1)]
        if near["strength"].nunique() < len(strengths):
            return None
        hit = near["log10_p_expected"].fillna(0) <= np.log10(RATE)
        if len(parts) == 1:
            found = rate(near, hit)
            share = found.successes / found.n
            return OurRate(scheme, share, found.low, found.high, found.images, share - theirs)
        means.append(hit.groupby(near["image"]).mean())
    per_image = pd.concat(means, axis=1).mean(axis=1)
    low, high = bootstrap_mean(per_image.to_numpy())
    known = low == low and low < high  # all pictures alike: the bootstrap has nothing to say
    return OurRate(
        scheme=scheme,
        rate=float(per_image.mean()),
        low=low if known else None,
        high=high if known else None,
        images=len(per_image),
        gap_to_best=float(per_image.mean()) - theirs,
    )


def _span(strengths: list[float]) -> str:
    return f"{strengths[0]:g} to {strengths[-1]:g}"
