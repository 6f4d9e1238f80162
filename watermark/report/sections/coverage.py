"""What of the planned work is in the report: units, pictures with and without a mark, which cells were drawn."""

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from watermark.data.spread import spread
from watermark.evaluation.draw import Draw, draw
from watermark.evaluation.manifest import read_progress
from watermark.evaluation.plan import MAX_KEYS
from watermark.evaluation.rows import Run
from watermark.json_schema import Count, Json
from watermark.report.wording import count, plural


@dataclass(frozen=True)
class Coverage:
    """What of the planned work is in the report; since 1.2.0."""

    pictures: Count
    not_marked: Annotated[
        dict[str, Count], "by scheme: pictures that could not be read or marked; in no rate; since 1.6.0"
    ]
    marked_pictures: dict[str, Count]
    unmarked_pictures: Count
    unfinished: Annotated[str | None, "in words; null where all planned work is in the report"]
    drawn: Annotated[str | None, "in words; null where every picture met every cell of the suite; since 1.9.0"]


@dataclass(frozen=True)
class Unfinished:
    """Units of work, one scheme on one batch of pictures."""

    units: Count
    units_done: Count


@dataclass(frozen=True)
class MissingCell:
    """A rung that has fewer pictures than planned, marked or unmarked."""

    scheme: str
    attack: str
    strength: float | None
    lacking: Count
    unmarked_lacking: Count


def coverage(run: Run) -> Coverage:
    """Pictures read with and without a mark, and in words what is not there (yet)."""
    pictures = len(run.manifest.get("data", {}).get("images", [])) or run.rows["image"].nunique()
    marked = run.rows[run.rows["marked"]].groupby("scheme")["image"].nunique()
    return Coverage(
        pictures=int(pictures),
        not_marked={s: int(n) for s, n in run.refused.groupby("scheme")["image"].nunique().items()},
        marked_pictures={scheme: int(marked.get(scheme, 0)) for scheme in run.schemes},
        unmarked_pictures=int(run.negatives()["image"].nunique()),
        unfinished=_sentence(unfinished(run), marked, pictures),
        drawn=_drawn(run),
    )


def dealt(run: Run) -> Draw | None:
    """Which cells each picture was to meet; None: all.

    Raises:
        UserError: if the manifest tells of more cells than its attacks have.
    """
    config, attacks = run.manifest["config"], run.manifest["attacks"]
    if config.get("cells") is None:
        return None
    cells = {cell: attacks[cell[0]].get("family") or "" for cell in _planned(run)}
    pictures = [image["id"] for image in run.manifest["data"]["images"]]
    keys = min(max(1, config.get("keys", 1)), MAX_KEYS)
    return draw(cells, pictures, config["cells"], config.get("seed", 0), keys)


def _planned(run: Run) -> list[tuple[str, float | None]]:
    """Every attacked cell of the suite."""
    sweeps = {name: facts.get("sweep") or [None] for name, facts in run.manifest.get("attacks", {}).items()}
    return [(name, None if value is None else float(value)) for name, sweep in sweeps.items() for value in sweep]


def _drawn(run: Run) -> str | None:
    deal = dealt(run)
    if deal is None:
        return None
    sizes = [len(cards) for cards in deal.cards.values()]
    least, most = min(sizes), max(sizes)
    times = count(most) if least == most else f"{count(least)} or {count(most)}"
    config, suite = run.manifest["config"], plural(len(sizes), "attacked cell")
    return (
        f"Each picture met {count(config['cells'])} of the suite's {suite}, drawn by seed {config.get('seed', 0)} and "
        f"the same for every scheme; each cell was dealt {times} times."
    )


def _sentence(units: Unfinished | None, marked: pd.Series, pictures: int) -> str | None:
    if units is None:
        return None
    least, most = (int(marked.min()), int(marked.max())) if len(marked) else (0, 0)
    seen = count(most) if least == most else f"{count(least)} to {count(most)}"
    return (
        f"Not finished: {count(units.units_done)} of {plural(units.units, 'unit')} of work (one scheme on one "
        f"batch of pictures) are in this report, {seen} of {plural(pictures, 'picture')} per scheme."
    )


def unfinished(run: Run) -> Unfinished | None:
    """How many units of how many are done; None where all are, or where the run does not say."""
    said = progress(run)
    if said.get("units_done", 0) >= said.get("units", 0):
        return None
    return Unfinished(said["units"], said["units_done"])


def progress(run: Run) -> Json:
    """What ``progress.json`` of the run folder says."""
    return read_progress(run.path)


def missing(run: Run) -> list[MissingCell]:
    """Rungs of the manifest's ladders that have fewer rows than planned, of marked or of unmarked pictures."""
    images, deal = run.manifest.get("data", {}).get("images", []), dealt(run)
    rows = pd.concat([run.rows, run.refused])
    marked, unmarked = (_counts(rows[rows["marked"] == kind]) for kind in (True, False))
    negatives = set(spread(run.manifest.get("config", {}).get("unmarked"), len(images)))
    found = []
    planned = dict.fromkeys(_planned(run), (len(images), len(negatives)))
    if deal is not None:
        met = {cell: deal.pictures(cell) for cell in planned}
        planned = {cell: (len(pictures), len(pictures & negatives)) for cell, pictures in met.items()}
    for scheme in run.schemes:
        for cell, (with_mark, plain) in planned.items():
            lacking = with_mark - marked.get((scheme, *cell), 0)
            without = plain - unmarked.get((scheme, *cell), 0)
            if max(lacking, without) > 0:
                found.append(MissingCell(scheme, *cell, max(0, lacking), max(0, without)))
    return found


def _counts(rows: pd.DataFrame) -> dict[tuple[str, str, float | None], int]:
    counts = rows.groupby(["scheme", "attack", "strength"], dropna=False)["image"].nunique()
    return {(s, a, None if v != v else float(v)): int(n) for (s, a, v), n in counts.items()}
