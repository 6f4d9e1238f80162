"""`learned_tough` at one evidence for all pictures, and at one PSNR of the same mean: regeneration survived, and what is seen.

python tough.py --rows evidence=RUN_DIR psnr=RUN_DIR > tough.jsonl        # readings of two runs of `watermark evaluate`
python tough.py --seen DIR --evidence 117 --psnr 42.16 > tough_seen.jsonl # visibility of every picture in both arms
python tough.py --table tough.jsonl tough_seen.jsonl
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

STRONGEST = 36.0
"""dB, below which ``target_evidence`` may not go."""
ARMS = ("evidence", "psnr")
RESAMPLES = 10_000
SEEN = {"psnr": 2, "ssimulacra2": 1, "cvvdp": 3, "ssim": 4}
"""Measures of visibility, and the digits that are shown."""


def rows(runs: dict[str, Path]) -> None:
    """One line a reading."""
    import pandas as pd

    for arm, folder in runs.items():
        for path in sorted(folder.glob("parts/*rows.parquet")):
            for row in pd.read_parquet(path).query("marked").to_dict("records"):
                strength = None if row["strength"] != row["strength"] else round(float(row["strength"]), 4)
                said = {"arm": arm, "image": row["image"], "attack": row["attack"], "strength": strength}
                print(json.dumps(said | {"exact": bool(row["payload_ok"]), "log10_p": round(float(row["log10_p"]), 2)}))


def seen(folder: Path, evidence: float, decibels: float) -> None:
    """One line a picture and arm."""
    import torch
    from PIL import Image
    from skimage.metrics import structural_similarity

    from watermark import Watermarker
    from watermark.metrics.psnr import psnr
    from watermark.metrics.seen import cvvdp, ssimulacra2
    from watermark.pixels import to_tensor

    torch.set_num_threads(1)
    settings = {"target_psnr": STRONGEST, "target_evidence": evidence}, {"target_psnr": decibels}
    markers = [Watermarker.load("learned_tough", key="look", device="cpu", **chosen) for chosen in settings]
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as file:
            picture = file.convert("RGB")
        for arm, marker in zip(ARMS, markers, strict=True):
            marked = marker.embed(picture, provider_id=1, content_id=2)
            pair = to_tensor(marked), to_tensor(picture)
            found = {
                name: float(measure(*pair))
                for name, measure in (("psnr", psnr), ("ssimulacra2", ssimulacra2), ("cvvdp", cvvdp))
            }
            found["ssim"] = float(structural_similarity(np.array(picture), np.array(marked), channel_axis=2))
            print(json.dumps({"arm": arm, "image": path.name} | {k: round(v, 4) for k, v in found.items()}), flush=True)


def table(readings: Path, looks: Path) -> None:
    """Exact IDs and decades of both arms and the paired difference, on the pictures that both have."""
    found, quality = (defaultdict(dict) for _ in range(2))
    for row in read(readings):
        found[row["attack"], row["strength"] or 0][row["arm"], row["image"]] = row
    for row in read(looks):
        quality[row["arm"], row["image"]] = row
    pictures = sorted(set.intersection(*({image for (a, image) in found["identity", 0] if a == arm} for arm in ARMS)))
    print(f"{len(pictures)} pictures: {', '.join(Path(image).stem for image in pictures)}\n")
    print(
        "| attack | rung | exact: evidence, PSNR | decades, median: evidence, PSNR | decades more, mean | least: evidence, PSNR |"
    )
    print("|---" * 6 + "|")
    lost = []
    for attack, strength in sorted(found):
        cells = np.array(
            [
                [[cell["exact"], -cell["log10_p"]] for arm in ARMS for cell in [found[attack, strength][arm, image]]]
                for image in pictures
            ]
        )
        exact, decades = cells[..., 0], cells[..., 1]
        if attack != "identity":
            lost.append(1 - exact)
        medians, least = np.median(decades, 0), decades.min(0)
        print(
            f"| {attack} | {strength:g} | {exact[:, 0].sum():.0f}, {exact[:, 1].sum():.0f} | {medians[0]:.0f}, {medians[1]:.0f} "
            f"| {said(decades[:, 0] - decades[:, 1], 1)} | {least[0]:.0f}, {least[1]:.0f} |"
        )
    share = 100 * np.mean(lost, 0)
    print(
        f"\nReadings lost, %: {said(share[:, 0], 1)}, {said(share[:, 1], 1)}; difference {said(share[:, 0] - share[:, 1], 1)}"
    )
    for chosen, name in ((pictures, "these pictures"), (sorted({image for _, image in quality}), "all pictures")):
        values = {m: np.array([[quality[arm, image][m] for arm in ARMS] for image in chosen]) for m in SEEN}
        print(
            f"\nSeen, {name} (n = {len(chosen)}): "
            + "; ".join(
                f"{m} {v[:, 0].mean():.{d}f}, {v[:, 1].mean():.{d}f}, difference {said(v[:, 0] - v[:, 1], d)}"
                for (m, v), d in zip(values.items(), SEEN.values(), strict=True)
            )
        )


def said(values: np.ndarray, digits: int) -> str:
    """Mean of ``(pictures,)`` with 95 % by bootstrap over pictures."""
    means = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():.{digits}f} [{low:.{digits}f} to {high:.{digits}f}]"


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs=2, metavar="ARM=RUN_DIR")
    parser.add_argument("--seen", type=Path, metavar="DIR")
    parser.add_argument("--evidence", type=float)
    parser.add_argument("--psnr", type=float)
    parser.add_argument("--table", nargs=2, type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.rows:
        rows({arm: Path(folder) for arm, folder in (word.split("=", 1) for word in options.rows)})
    if options.seen:
        seen(options.seen, options.evidence, options.psnr)
    if options.table:
        table(*options.table)


if __name__ == "__main__":
    main()
