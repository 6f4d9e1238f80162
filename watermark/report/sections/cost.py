"""What it takes to embed, attack and read: images per second, seconds per image and megapixel, memory."""

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from watermark.evaluation.rows import Run
from watermark.json_schema import Count, Size
from watermark.report.sections.bench import Scaling, scaling


@dataclass(frozen=True)
class Times:
    """Means over the run."""

    images: Count
    seconds_per_image: Size
    images_per_second: Size | None
    seconds_per_megapixel: Size
    megapixels_per_image: Size


@dataclass(frozen=True)
class SchemeTimes(Times):
    """Of a scheme's embedding (``embed``) or reading (``decode``)."""

    scheme: str
    stage: str


@dataclass(frozen=True)
class AttackTimes(Times):
    """Of an attack."""

    attack: str


@dataclass(frozen=True)
class Cost:
    """Times and memory, on the device that the manifest names."""

    device: str | None
    threads: int | None
    peak_bytes: Annotated[Count | None, "of any one process (CPU, libraries included) or stage (GPU, allocated)"]
    scaling: Annotated[Scaling | None, "watermark bench; null where it was not run for this folder"]
    schemes: list[SchemeTimes]
    attacks: list[AttackTimes]


def cost(run: Run) -> Cost:
    """Times summed over the run, by scheme and by attack, on the device that the manifest names."""
    costs = run.costs
    schemes = [
        SchemeTimes(scheme=scheme, stage=stage, **vars(_sum(part)))
        for (scheme, stage), part in costs[costs["stage"].isin(["embed", "decode"])].groupby(["scheme", "stage"])
    ]
    attacks = [
        AttackTimes(attack=attack, **vars(_sum(part)))
        for attack, part in costs[costs["stage"] == "attack"].groupby("attack", sort=False)
    ]
    return Cost(
        device=run.manifest.get("device"),
        threads=run.manifest.get("threads"),
        peak_bytes=_peak(costs),
        scaling=scaling(run),
        schemes=schemes,
        attacks=sorted(attacks, key=lambda entry: -entry.seconds_per_image),
    )


def _peak(costs: pd.DataFrame) -> int | None:
    """The most that any one process (CPU) or stage (GPU) held; None where the run did not look."""
    known = costs["peak_bytes"].dropna() if "peak_bytes" in costs else costs.iloc[:0]
    return None if len(known) == 0 else int(known.max())


def _sum(part: pd.DataFrame) -> Times:
    images, pixels, seconds = (float(part[name].sum()) for name in ("images", "pixels", "seconds"))
    return Times(
        images=int(images),
        seconds_per_image=seconds / max(images, 1),
        images_per_second=images / seconds if seconds > 0 else None,
        seconds_per_megapixel=seconds / max(pixels / 1e6, 1e-9),
        megapixels_per_image=pixels / max(images, 1) / 1e6,
    )
