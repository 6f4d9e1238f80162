"""What training `learned_tough` through diffusion brought, and what it cost: curves, survival, visibility.

python survive.py --seen PICTURES [--weights FILE...]             # rows of visibility on eight photographs, to stdout
python survive.py --rows NAME=RUN_DIR... > survive.jsonl          # readings of runs of `watermark evaluate`, one line each
python survive.py --table survive.jsonl
python survive.py --curves NAME=TRAINING_DIR... > training.jsonl  # the examinations of trainings
python survive.py --figure training.jsonl training.png
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import median

SHOWN = ("identity", "latent_60", "latent_120", "latent_240", "heldout_pixel_0.1", "heldout_pixel_0.15")
EVERY, COUNT, FIRST = 22, 8, 5
"""Which photographs of the folder are looked at."""


def seen(folder: Path, weights: list[str]) -> None:
    """SSIMULACRA2, ColorVideoVDP and SSIM (RGB) of marked photographs, means, and by picture how much more than what ships at 42 dB."""
    import numpy as np
    import torch
    from PIL import Image
    from scipy.stats import t
    from skimage.metrics import structural_similarity

    from watermark import Watermarker
    from watermark.metrics.seen import cvvdp, ssimulacra2

    torch.set_num_threads(1)
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".png", ".webp"})[FIRST::EVERY][:COUNT]
    pictures = [np.array(Image.open(path).convert("RGB")) for path in paths]

    def tensor(picture: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255

    names, first = ("ssimulacra2", "cvvdp", "ssim"), None
    for file, quality in [("learned_tough", 42), ("learned_tough", 43), *((file, 42) for file in weights)]:
        marker = Watermarker.load("learned_tough", key="look", target_psnr=quality, weights=file)
        found = []
        for picture in pictures:
            marked = np.array(marker.embed(Image.fromarray(picture), provider_id=1, content_id=2))
            pair = tensor(marked), tensor(picture)
            alike = structural_similarity(picture, marked, channel_axis=2)
            found.append((float(ssimulacra2(*pair)), float(cvvdp(*pair)), alike))
        scores = np.array(found)
        first = scores if first is None else first
        more = scores - first  # of the same pictures, against what ships at 42 dB
        spread = t.ppf(0.975, len(more) - 1) * more.std(0, ddof=1) / len(more) ** 0.5
        said = {
            name: f"{scores[:, i].mean():.4f} ({more[:, i].mean():+.4f} +- {spread[i]:.4f})"
            for i, name in enumerate(names)
        }
        print(json.dumps({"weights": Path(file).stem, "psnr": quality, "images": len(scores), **said}), flush=True)


def rows(runs: dict[str, Path]) -> None:
    """One line a reading: weights, picture, attack, strength, whether the IDs were exact, and the evidence."""
    import pandas as pd

    for name, folder in runs.items():
        for path in sorted(folder.glob("parts/*rows.parquet")):
            for row in pd.read_parquet(path).to_dict("records"):
                strength = None if row["strength"] != row["strength"] else round(float(row["strength"]), 4)
                found = {"weights": name, "image": row["image"], "attack": row["attack"], "strength": strength}
                found |= {"exact": bool(row["payload_ok"]), "log10_p": round(float(row["log10_p"]), 2)}
                print(json.dumps(found))


def table(path: Path) -> None:
    """Exact of n and the median evidence, on the pictures that all weights have."""
    readings = [json.loads(line) for line in path.read_text().splitlines()]
    names = list(dict.fromkeys(row["weights"] for row in readings))
    pictures = set.intersection(*({row["image"] for row in readings if row["weights"] == name} for name in names))
    cells = defaultdict(list)
    for row in readings:
        if row["image"] in pictures:
            cells[row["attack"], row["strength"] or 0, row["weights"]].append(row)
    print(f"{len(pictures)} pictures: {', '.join(sorted(pictures))}\n")
    print(f"| attack | rung | {' | '.join(names)} |")
    print("|---" * (2 + len(names)) + "|")
    for attack, strength in sorted({key[:2] for key in cells}):
        shown = []
        for name in names:
            found = cells[attack, strength, name]
            shown.append(f"{sum(row['exact'] for row in found)} ({median(-row['log10_p'] for row in found):.0f})")
        print(f"| {attack} | {strength:g} | {' | '.join(shown)} |")


def curves(runs: dict[str, Path]) -> None:
    """The examinations of a training, without its single steps."""
    for name, folder in runs.items():
        for line in (folder / "log.jsonl").read_text().splitlines():
            row = json.loads(line)
            if row["kind"] == "validation":
                medians = {attack: round(z["z_median"], 2) for attack, z in row["attacks"].items()}
                print(json.dumps({"training": name, "step": row["step"], "score": round(row["score"], 4), **medians}))


def figure(path: Path, out: Path) -> None:
    """Median z of the held-back crops against the step, a panel a training."""
    import matplotlib.pyplot as plt

    readings = [json.loads(line) for line in path.read_text().splitlines()]
    names = list(dict.fromkeys(row["training"] for row in readings))
    _, panels = plt.subplots(1, len(names), figsize=(4.5 * len(names), 3.4), sharey=True)
    for name, panel in zip(names, panels, strict=True):
        mine = [row for row in readings if row["training"] == name]
        for attack in SHOWN:
            panel.plot([row["step"] for row in mine], [row[attack] for row in mine], marker=".", label=attack)
        panel.set(title=name, xlabel="step", ylabel="median z of a 256 px crop, 42 dB")
    panels[0].legend(fontsize=7, ncols=2, loc=(0.2, 0.62))
    plt.tight_layout()
    plt.savefig(out, dpi=110)


def named(words: list[str]) -> dict[str, Path]:
    """``NAME=FOLDER`` by name."""
    return {name: Path(folder) for name, folder in (word.split("=", 1) for word in words)}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seen", type=Path, help="folder of photographs")
    parser.add_argument("--weights", nargs="*", default=[], help="files beside the shipped ones")
    parser.add_argument("--rows", nargs="+")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--curves", nargs="+")
    parser.add_argument("--figure", nargs=2, type=Path)
    args = parser.parse_args()
    if args.seen:
        seen(args.seen, args.weights)
    if args.rows:
        rows(named(args.rows))
    if args.table:
        table(args.table)
    if args.curves:
        curves(named(args.curves))
    if args.figure:
        figure(*args.figure)


if __name__ == "__main__":
    main()
