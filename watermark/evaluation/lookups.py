"""Two questions that need soft decisions and the code: is a near ID ever named, and do random IDs keep the promise?

Asked of the rows that a run kept, after it; the answers lie in ``lookups.json``, from which the report reads them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from watermark.codec import Codec, Layout, Payload
from watermark.detection import Detector
from watermark.detection.null import log10_p_value, pay_for
from watermark.evaluation.job import Job
from watermark.evaluation.rows import PROMISES, Run, load_run, rate
from watermark.evaluation.store import write_json
from watermark.evaluation.threads import one_thread
from watermark.json_schema import Json
from watermark.metrics.clustered import negatives_needed
from watermark.schemes.base import Readout

FILE = "lookups.json"
READINGS = 96
"""Marked readings per scheme that are looked up among near IDs, spread evenly over the attacked ones."""
TRIALS = 20_000
"""Random IDs per scheme that unmarked readings are scored against."""
PER_READING = 200


@one_thread()
def write_lookups(folder: Path, job: Job) -> None:
    """Answer both questions for every scheme of a run whose rows are merged, and write ``lookups.json``."""
    run = load_run(folder)
    found = {}
    for scheme in (name for name in run.schemes if name not in run.outside):  # which carries no IDs of ours
        rows = run.rows[(run.rows["scheme"] == scheme) & run.rows["error"].isna()]
        codec = Codec(job.layout, int(rows["message_bits"].iloc[0]), job.key(0)) if len(rows) else None
        if codec is not None:
            found[scheme] = {
                "near": _near(run, job, rows, Detector(codec, run.false_positive_rate, job.misattribution_rate)),
                "random": _random(run, rows, job.seed),
            }
    write_json(folder / FILE, {"schemes": found})


def _near(run: Run, job: Job, rows: pd.DataFrame, detector: Detector) -> Json | None:
    """Attacked readings of the first key, each looked up in a registry of its ID and all that differ in one bit."""
    marked = run.marked(run.headline_group, searched=True)
    chosen = _spread(marked[marked.index.isin(rows.index) & (marked["key"] == 0)], READINGS)
    logits = run.logits(chosen)
    if logits is None:
        return None
    payloads = {info.id: job.payload(info) for info in job.images.infos}
    told = np.full(len(chosen), "none", dtype="<U5")
    for image, places in chosen.groupby("image", sort=False).indices.items():  # at once: decoding gains by it
        payload, tries = payloads[image], chosen["readings"].to_numpy(dtype=np.int64)[places]
        readout = Readout(torch.from_numpy(logits[places]), torch.from_numpy(tries))
        for place, answer in zip(
            places, detector.detect(readout, registry=neighbours(payload, job.layout)), strict=True
        ):
            named = None if answer.content_id is None else (answer.provider_id, answer.content_id)
            told[place] = "none" if named is None else "right" if named == _ids(payload) else "wrong"
    return {
        "ids": 1 + job.layout.provider_bits + job.layout.content_bits,
        **{name: vars(rate(chosen, told == name)) for name in ("right", "wrong", "none")},
    }


def neighbours(payload: Payload, layout: Layout) -> list[Payload]:
    """A payload, and every one whose provider or content ID differs from it in one bit."""
    providers = [Payload(payload.provider_id ^ 1 << bit, payload.content_id) for bit in range(layout.provider_bits)]
    contents = [Payload(payload.provider_id, payload.content_id ^ 1 << bit) for bit in range(layout.content_bits)]
    return [payload, *providers, *contents]


def _ids(payload: Payload) -> tuple[int, int]:
    return payload.provider_id, payload.content_id


def _random(run: Run, rows: pd.DataFrame, seed: int) -> Json | None:
    """Unmarked readings against random IDs: what a picture without a mark would have to be unlucky for."""
    unmarked = _spread(rows[~rows["marked"]], TRIALS)
    logits = run.logits(unmarked)
    if logits is None:
        return None
    each = min(PER_READING, max(1, TRIALS // len(unmarked)))
    generator = torch.Generator().manual_seed(seed)
    hits = np.zeros((len(unmarked), len(PROMISES)), dtype=int)
    for i, (soft, tries) in enumerate(zip(logits, unmarked["readings"], strict=True)):
        words = torch.rand(each, len(soft), generator=generator) > 0.5  # under a random key every word looks like this
        p = pay_for(log10_p_value(torch.from_numpy(soft).expand(each, -1), words), float(np.log10(max(tries, 1))))
        hits[i] = [(p <= np.log10(target)).sum() for target in PROMISES]
    return {"ids_per_reading": each, "ladder": [_rung(unmarked, hits[:, k], each, t) for k, t in enumerate(PROMISES)]}


def _rung(rows: pd.DataFrame, hits: np.ndarray, each: int, promised: float) -> Json:
    trials = rows.loc[rows.index.repeat(each)]
    yes = (np.arange(each) < hits[:, None]).ravel()
    measured = rate(trials, yes)
    return {"promised": promised, **vars(measured), "supported": measured.n >= negatives_needed(promised)}


def _spread(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most ``count`` rows, evenly over all, in file order."""
    rows = rows.sort_index()
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))]
