"""Forged marks against ``trace``: the copy attack, averaging, and payloads combined from valid ones.

The attacker holds pictures of the provider and no key. In the copy attack he takes what a denoiser calls noise in one
marked picture and adds it to another picture; in averaging he does so with the mean over many. The last table has no
pixels: it asks whether three valid words, XORed bit by bit, pass the check bits of a layout.
"""

import logging
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attacks.forgery import average_residual, residual
from watermark.codec import Payload
from watermark.config import build_named
from watermark.identity import State
from watermark.identity.studies.common import Desk, cell, parse, pictures, rate, write
from watermark.pixels import to_image, to_tensor

log = logging.getLogger(__name__)
FACTORS = (1.0, 2.0, 4.0)
LAYOUTS = ("l64", "l128")
WORDS = 10_000


def main() -> None:
    """Run the study."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _, args = parse(__doc__ or "")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for layout in LAYOUTS:
            desk = Desk.open(Path(name), args.scheme, layout, args.target_psnr)
            rows += _attacks(desk, args.images, args.count, layout)
    rows += [_combined_words(layout) for layout in ("l64", "l96", "l128")]
    states = [state.value for state in State]
    table = [
        [
            row["attack"],
            row["layout"],
            str(row["factor"]),
            *(cell(row[state]) if state in row else "-" for state in states),
        ]
        for row in rows
    ]
    settings = {"scheme": args.scheme, "target_psnr": args.target_psnr, "rows": rows}
    write(args.output, "forgery", settings, ["attack", "layout", "factor", *states], table)


def _attacks(desk: Desk, images: Path, count: int, layout: str) -> list[dict[str, Any]]:
    clean = [image for image in pictures(images, 1000) if image.width > image.height][:count]
    marked, ids = zip(*(desk.mark(image) for image in clean), strict=True)
    for content_id, released in zip(ids, marked, strict=True):
        desk.record(content_id, released)
    tensors = torch.cat([to_tensor(image) for image in marked])
    targets = torch.cat([to_tensor(image) for image in clean]).roll(-1, 0)  # each gets its neighbour's mark
    rows = [_row("none (released pictures)", layout, 0.0, desk, tensors)]
    for factor in FACTORS:
        rows.append(_row("copy attack", layout, factor, desk, targets + factor * residual(tensors)))
        shared = average_residual(tensors)
        rows.append(_row(f"averaging over {len(clean)} pictures", layout, factor, desk, targets + factor * shared))
    return rows


def _row(attack: str, layout: str, factor: float, desk: Desk, forged: torch.Tensor) -> dict[str, Any]:
    answers = Counter(desk.ask(to_image(one.clamp(0, 1)[None])).state.value for one in forged)
    log.info("%s %s x%g: %s", attack, layout, factor, dict(answers))
    rates = {state.value: rate(answers[state.value], len(forged)) for state in State}
    return {"attack": attack, "layout": layout, "factor": factor, **rates}


def _combined_words(layout_name: str) -> dict[str, Any]:
    """How often the XOR of three valid words has valid check bits; a CRC is linear, a keyed MAC is not."""
    layout, key = build_named("codec", layout_name), b"mark key of the identity study"
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2**40, (WORDS, 3))
    words = layout.pack([Payload(7, int(number), 1) for number in ids.ravel()], key).reshape(WORDS, 3, -1)
    combined = words[:, 0] ^ words[:, 1] ^ words[:, 2]
    passed = int(layout.checks(combined, key).sum())
    answers = {State.UNKNOWN_ID.value: rate(passed, WORDS), State.NO_MARK.value: rate(WORDS - passed, WORDS)}
    return {"attack": "XOR of three valid words", "layout": layout_name, "factor": "-", **answers}


if __name__ == "__main__":
    main()
