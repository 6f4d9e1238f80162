"""Measure who is named: ``python -m watermark.detection.names results/runs/names --case "l64 in 1024" --words 120000``.

Random payloads through Gaussian noise that leaves them near the threshold, decoded and weighed as those of pictures
are. Chunks are written one by one and the same command goes on where it was stopped; without ``--words`` it summarises
what is there: ``--table results/published/names``.
"""

import argparse
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from watermark.codec import Codec, Layout
from watermark.codec.limiter import limited
from watermark.codec.payload import CURRENT_VERSION
from watermark.detection.detector import MISATTRIBUTION_RATE, Detector
from watermark.detection.measure import random_payload
from watermark.detection.null import log10_p_value

CASES = {
    "l64 in 1024": (Layout(), 1024),
    "l96 in 512": (Layout(4, 20, 56, 16), 512),
    "l128 in 1024": (Layout(4, 24, 68, 32, "mac"), 1024),
    "l64 with 8 check bits in 1024": (Layout(check_bits=8), 1024),
}
CHUNK = 256
RATE = 1e-6  # false positives
STRENGTHS = (-5.0, -13.0)  # log10 p of the mean correlation: drawn evenly from the one of the first to the second
ASKED = (-14.0, -4.0)  # own log10 p outside: not decoded; what lies above 1e-4 cannot hide a wrong answer below 1e-6
DECADES = range(-6, -12, -1)
RATES = (1e-2, 1e-3, MISATTRIBUTION_RATE)


def chunk(case: str, number: int) -> NDArray[np.float64]:
    """Up to ``CHUNK`` answers ``(n, 3)`` that called the word marked: log10 p, log10 doubt, 1 if it is the one sent."""
    layout, bits = CASES[case]
    codec = Codec(layout, bits, key="names")
    rng, words = np.random.default_rng([number, bits]), layout.log10_words(CURRENT_VERSION)
    first, last = (float(norm.isf(10 ** (p - words))) for p in STRENGTHS)
    share = rng.uniform(first, last, size=(CHUNK, 1)) / bits**0.5  # mean correlation of one bit with its sign
    payloads = [random_payload(layout, rng) for _ in range(CHUNK)]
    messages = codec.encode(payloads)
    noise = torch.from_numpy(rng.standard_normal(messages.shape) * np.sqrt(1 / share**2 - 1))
    logits = messages.double() * 2 - 1 + noise
    own = (log10_p_value(limited(logits), messages) + words).numpy()
    asked = np.flatnonzero((own > ASKED[0]) & (own <= ASKED[1]))
    once = torch.ones(len(asked), dtype=torch.int64)
    found = Detector(codec, RATE, misattribution_rate=1).detect(
        SimpleNamespace(logits=logits[asked], readings=once, others=None)
    )
    rows = [
        (
            answer.log10_p,
            answer.log10_doubt,
            (answer.provider_id, answer.content_id) == (sent.provider_id, sent.content_id),
        )
        for answer, sent in zip(found, (payloads[i] for i in asked), strict=True)
        if answer.log10_doubt is not None
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def measure(folder: Path, case: str, words: int, part: int, parts: int) -> None:
    """Send every ``parts``-th chunk of ``words`` words; chunks that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(part, math.ceil(words / CHUNK), parts):
        target = folder / f"{case.replace(' ', '_')}.{number:05d}.npy"
        if not target.is_file():
            partial = target.with_suffix(".partial")
            with partial.open("wb") as file:
                np.save(file, chunk(case, number).astype(np.float32))
            partial.replace(target)


def gathered(folder: Path, case: str) -> tuple[NDArray[np.float64], int]:
    """All answers of a case, and how many words were sent."""
    files = sorted(folder.glob(f"{case.replace(' ', '_')}.*.npy"))
    rows = [np.load(file).astype(np.float64) for file in files]
    return (np.concatenate(rows) if rows else np.zeros((0, 3))), len(files) * CHUNK


def decades(rows: NDArray[np.float64]) -> list[dict[str, float]]:
    """Per decade of p: answers, wrong ones, and at each rate how many are named, wrongly named and withheld."""
    found = []
    for top in DECADES:
        p, doubt, right = rows[(rows[:, 0] <= top) & (rows[:, 0] > top - 1)].T
        entry: dict[str, float] = {"log10_p": top, "marked": len(p), "likeliest_wrong": int((right == 0).sum())}
        for rate in RATES:
            named = doubt <= math.log10(rate)
            entry[f"named at {rate:g}"] = int(named.sum())
            entry[f"wrongly named at {rate:g}"] = int((named & (right == 0)).sum())
        found.append(entry)
    return found


def calibration(rows: NDArray[np.float64]) -> list[dict[str, float]]:
    """Per decade of the doubt: answers, how many are wrong, and how many the doubt foretold."""
    found = []
    for top in range(0, -7, -1):
        inside = rows[(rows[:, 1] <= top) & ((rows[:, 1] > top - 1) | (top == -6))]
        foretold = float((10 ** inside[:, 1]).sum())
        found.append(
            {"log10_doubt": top, "n": len(inside), "wrong": int((inside[:, 2] == 0).sum()), "foretold": foretold}
        )
    return found


def table(case: str, words: int, rows: NDArray[np.float64]) -> str:
    """Markdown: the decades of p, then those of the doubt."""
    lines = [f"## {case}: {words} words sent", "", "| log10 p | marked | likeliest ID wrong, % |"]
    lines[-1] += "".join(f" withheld at {rate:g}, % | wrongly named of named |" for rate in RATES)
    lines.append("|---" * (3 + 2 * len(RATES)) + "|")
    for d in decades(rows):
        cells = [f"({d['log10_p'] - 1}, {d['log10_p']}]", str(d["marked"]), _percent(d["likeliest_wrong"], d["marked"])]
        for rate in RATES:
            named, wrong = int(d[f"named at {rate:g}"]), int(d[f"wrongly named at {rate:g}"])
            cells += [_percent(d["marked"] - named, d["marked"]), f"{wrong} / {named} {_at_most(wrong, named)}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| log10 doubt | answers | wrong | foretold |", "|---|---|---|---|"]
    for c in calibration(rows):
        span = f"({c['log10_doubt'] - 1}, {c['log10_doubt']}]" if c["log10_doubt"] > -6 else "up to -6"
        lines.append(f"| {span} | {c['n']} | {c['wrong']} | {c['foretold']:.3g} |")
    return "\n".join(lines) + "\n"


def _percent(count: float, n: float) -> str:
    if not n:
        return "none"
    low, high = binomtest(int(count), int(n)).proportion_ci(0.95, "wilson")
    return f"{100 * count / n:.2f} [{100 * low:.2f}, {100 * high:.2f}]"


def _at_most(count: int, n: int) -> str:
    """Clopper-Pearson, both sides: what so many names vouch for."""
    return f"[{binomtest(count, n).proportion_ci(0.95, 'exact').high:.1e} at most]" if n else ""


def main() -> None:
    """Measure a share of the chunks, or write ``table.md`` and ``summary.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where chunks are kept")
    parser.add_argument("--case", choices=CASES, default="l64 in 1024")
    parser.add_argument("--words", type=int, default=0)
    parser.add_argument("--part", default="1/1", help="i/n: the i-th of n processes")
    parser.add_argument("--table", type=Path, help="folder to write the summary of all cases to")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.part.split("/"))
    measure(arguments.folder, arguments.case, arguments.words, part - 1, parts)
    if arguments.table:
        cases = {case: gathered(arguments.folder, case) for case in CASES}
        tables = [table(case, words, rows) for case, (rows, words) in cases.items() if words]
        (arguments.table / "table.md").write_text("\n".join(tables))
        summary = {
            case: {"words": words, "decades": decades(rows), "calibration": calibration(rows)}
            for case, (rows, words) in cases.items()
            if words
        }
        (arguments.table / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
