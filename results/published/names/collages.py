# ruff: noqa: T201 - a script prints
"""Who is named in collages near the threshold: ``python results/published/names/collages.py DIR ROWS.jsonl --count 200``.

A picture of 320 px a side, marked at 45 dB with a key and IDs of its own, is laid on another one as a tenth of its area,
more or less: the area goes down after a picture that was found and up after one that was not, so that half are lost
and many are read just under the threshold. Rows are appended; the same command goes on. Seeded.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

from attacks import Collage
from watermark import Watermarker, files
from watermark.detection.detector import Detector
from watermark.images import to_8bit
from watermark.pixels import to_tensor

SIDE, START, STEP = 320, 0.12, 1.06


@torch.no_grad()
def measure(paths: list[Path], number: int, area: float, scheme: str = "tile_spread") -> dict:
    """One collage: what the detector answers at its promised rates, and the likeliest ID whatever its doubt."""
    rng = np.random.default_rng([number, SIDE])
    marker = Watermarker.load(scheme, key=f"collage {number}", target_psnr=45)
    ids = int(rng.integers(1 << 12)), int(rng.integers(1 << 40))
    picture = to_tensor(files.load(paths[number % len(paths)]))[..., :SIDE, :SIDE]
    image = to_8bit(marker.embed(picture, *ids))
    image = to_8bit(Collage(area)(image, [torch.Generator().manual_seed(number)]))
    readout = marker.read(image)
    (found,) = marker.detector.detect(readout)
    (likeliest,) = Detector(marker.codec, misattribution_rate=1).detect(readout)
    return {
        "number": number,
        "scheme": scheme,
        "area": area,
        "log10_p": found.log10_p,
        "is_marked": found.is_marked,
        "named": found.content_id is not None,
        "wrongly_named": found.content_id is not None and (found.provider_id, found.content_id) != ids,
        "likeliest_is_wrong": found.is_marked and (likeliest.provider_id, likeliest.content_id) != ids,
    }


def summary(rows: list[dict]) -> str:
    """One line."""
    marked, named = (sum(row[name] for row in rows) for name in ("is_marked", "named"))
    near = sum(row["is_marked"] and row["log10_p"] > -12 for row in rows)
    wrong = sum(row["wrongly_named"] for row in rows)
    high = binomtest(wrong, named).proportion_ci(0.95, "exact").high if named else 1.0
    likeliest = sum(row["likeliest_is_wrong"] for row in rows)
    areas = f"area {min(r['area'] for r in rows):.3f} to {max(r['area'] for r in rows):.3f}"
    return (
        f"{len(rows)} collages, {areas}: {marked} marked, {near} of them with log10 p in (-12, -6], {named} named, "
        f"{wrong} wrongly (at most {high:.2g}), likeliest ID wrong in {likeliest}"
    )


def main() -> None:
    """Measure what is missing, then say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in arguments.rows.read_text().splitlines()] if arguments.rows.exists() else []
    paths = sorted(files.find_pictures(arguments.pictures))
    for number in range(len(rows), arguments.count):
        area = START if not rows else rows[-1]["area"] * (1 / STEP if rows[-1]["is_marked"] else STEP)
        rows.append(measure(paths, number, min(1.0, area)))
        with arguments.rows.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
    print(summary(rows))


if __name__ == "__main__":
    main()
