"""Forged marks against ``trace``: the copy attack, averaging, and payloads combined from valid ones.

The attacker holds pictures of the provider and no key, and wants a picture of somebody else to carry the mark. The
pictures are cut to one size; the first half is issued, the second half are the victims. In the copy attack he takes
what a denoiser calls noise in one marked picture and adds it to a victim; in averaging he does so with the mean over
all marked ones. The last rows have no pixels: three valid words are XORed bit by bit, and a layout's check is asked.
"""

import logging
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ImageOps

from attacks.residual import average_residual, residual
from watermark.codec import Payload
from watermark.config import build_named
from watermark.identity import State
from watermark.identity.studies.common import Desk, cell, parse, pictures, rate, write
from watermark.pixels import to_image, to_tensor

log = logging.getLogger(__name__)
FACTORS = (1.0, 2.0, 4.0)
LAYOUTS = ("l64", "l128")
WORDS = 10_000
SIZE = (384, 288)


def main() -> None:
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
    write(args.output, "copies", settings, ["attack", "layout", "factor", *states], table)


def _attacks(desk: Desk, images: Path, count: int, layout: str) -> list[dict[str, Any]]:
    fitted = [ImageOps.fit(image, SIZE) for image in pictures(images, 2 * count)]
    issued, victims = fitted[: len(fitted) // 2], fitted[len(fitted) // 2 :]
    marked, ids = zip(*(desk.mark(image) for image in issued), strict=True)
    for content_id, released in zip(ids, marked, strict=True):
        desk.record(content_id, released)
    tensors = torch.cat([to_tensor(image) for image in marked])
    targets = torch.cat([to_tensor(image) for image in victims])[: len(tensors)]
    rows = [_row("none: released", layout, 0.0, desk, tensors), _row("none: victims", layout, 0.0, desk, targets)]
    for factor in FACTORS:
        rows.append(_row("copy attack", layout, factor, desk, targets + factor * residual(tensors)[: len(targets)]))
        shared = average_residual(tensors)
        rows.append(_row(f"averaging over {len(issued)}", layout, factor, desk, targets + factor * shared))
    return rows


def _row(attack: str, layout: str, factor: float, desk: Desk, forged: torch.Tensor) -> dict[str, Any]:
    answers = Counter(desk.ask(to_image(one.clamp(0, 1)[None])).state.value for one in forged)
    log.info("%s %s x%g: %s", attack, layout, factor, dict(answers))
    rates = {state.value: rate(answers[state.value], len(forged)) for state in State}
    return {"attack": attack, "layout": layout, "factor": factor, **rates}


def _combined_words(layout_name: str) -> dict[str, Any]:
    """How often the XOR of three valid words has valid check bits; a CRC is linear, a keyed MAC is not."""
    layout, key = build_named("layout", layout_name), b"mark key of the identity study"
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2**40, (WORDS, 3))
    words = layout.pack([Payload(7, int(number), 1) for number in ids.ravel()], key).reshape(WORDS, 3, -1)
    combined = words[:, 0] ^ words[:, 1] ^ words[:, 2]
    passed = int(layout.checks(combined, key).sum())
    answers = {State.UNKNOWN_ID.value: rate(passed, WORDS), State.NO_MARK.value: rate(WORDS - passed, WORDS)}
    return {"attack": "XOR of three valid words", "layout": layout_name, "factor": "-", **answers}


if __name__ == "__main__":
    main()
