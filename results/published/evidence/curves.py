"""Marks lost and what is seen of them: one evidence for all pictures, and one PSNR for all pictures of the same mean.

    python curves.py rows.jsonl --photos DIR [--count 60] [--evidence 20 28 38] [--psnr 39 40] [--schemes tile_spread learned]
    python curves.py rows.jsonl --table
    python curves.py rows.jsonl --figure curves.png

``--psnr`` adds points to the second curve. A line for every picture and attack is appended, so a stopped run goes on where it was. Pictures are taken evenly from
the folder; nothing of the method was set on any of them. Each has a key of its own, the same in both arms.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from attacks import Chain, Crop, GaussianBlur, GaussianNoise, Jpeg, Resize
from watermark.data.folder import FolderImages
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.seen import ssimulacra2
from watermark.watermarker import Watermarker

STRONGEST = 38.0
"""dB, below which ``target_evidence`` may not go."""
ATTACKS = {
    "JPEG 30": Jpeg(30),
    "half size, JPEG 60": Chain(1.0, [Resize(0.5), Jpeg(60)]),
    "crop .4, JPEG 60": Chain(1.0, [Crop(0.4), Jpeg(60)]),
    "noise .08": GaussianNoise(0.08),
    "blur 1.5, JPEG 60": Chain(1.0, [GaussianBlur(1.5), Jpeg(60)]),
}
"""None of them is the chain that the embedder tries."""
RESAMPLES = 10_000


def measure(name: str, pictures: list[torch.Tensor], done: set, arm: dict) -> Iterator[list[dict]]:
    """For every picture that is not done the lines of all attacks; ``arm`` holds the marker's settings and its name."""
    settings = {setting: arm[setting] for setting in ("target_psnr", "target_evidence") if setting in arm}
    for number, picture in enumerate(pictures):
        if (name, arm["level"], arm["by"], number) in done:
            continue
        marker = Watermarker.load(name, key=f"evidence {number}", device="cpu", **settings)
        marked = to_8bit(marker.embed(picture, 7, number))
        facts = {"scheme": name, "picture": number, **arm, "psnr": round(float(psnr(marked, picture)), 3)}
        facts["ssimulacra2"] = round(float(ssimulacra2(marked, picture)), 3)
        rows = []
        for said, attack in ATTACKS.items():
            found = marker.detect(to_8bit(attack(marked, torch.Generator().manual_seed(number))))[0]
            lost = found.content_id != number
            rows.append(facts | {"attack": said, "lost": lost, "log10_p": round(found.log10_p, 2)})
        yield rows


def arms(rows: list[dict]) -> dict:
    """Scheme, level and arm to ``(pictures, 3)``: share of the attacks that lost the mark, PSNR in dB, SSIMULACRA2."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["scheme"], row["level"], row["by"]][row["picture"]].append(
            (row["lost"], row["psnr"], row["ssimulacra2"])
        )
    return {
        key: np.array([np.mean(pictures[number], axis=0) for number in sorted(pictures)])
        for key, pictures in sorted(found.items())
    }


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % of the mean of ``(pictures,)``, by bootstrap over pictures."""
    means = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(1)
    return tuple(np.quantile(means, (0.025, 0.975)))


def table(rows: list[dict]) -> None:
    """Levels down; both arms, and their difference picture by picture; then what was measured by PSNR alone."""
    found = arms(rows)
    print(
        "| scheme | decades | n | PSNR, dB: evidence, PSNR | SSIMULACRA2: evidence, PSNR | lost, %: evidence | lost, %: PSNR | difference, points |"
    )
    print("|---" * 8 + "|")
    for scheme, level in sorted({key[:2] for key in found}):
        one, other = (found.get((scheme, level, by)) for by in ("evidence", "psnr"))
        if one is not None and other is not None and len(one) == len(other):
            both = [f"{one[:, axis].mean():.2f}, {other[:, axis].mean():.2f}" for axis in (1, 2)]
            lost = [_percent(values) for values in (one[:, 0], other[:, 0], one[:, 0] - other[:, 0])]
            print(f"| `{scheme}` | {level:g} | {len(one)} | {' | '.join(both + lost)} |")
        elif other is not None:
            alone = [f"-, {other[:, axis].mean():.2f}" for axis in (1, 2)]
            print(f"| `{scheme}` | - | {len(other)} | {' | '.join(alone)} | - | {_percent(other[:, 0])} | - |")


def _percent(values: np.ndarray) -> str:
    low, high = interval(values)
    return f"{100 * values.mean():.1f} [{100 * low:.1f} to {100 * high:.1f}]"


def figure(rows: list[dict], path: Path) -> None:
    """Share lost against mean PSNR and against mean SSIMULACRA2, one row of panels a scheme."""
    import matplotlib.pyplot as plt

    found = arms(rows)
    schemes = sorted({key[0] for key in found})
    _, panels = plt.subplots(len(schemes), 2, figsize=(9, 3.4 * len(schemes)), sharey="row", squeeze=False)
    for scheme, row in zip(schemes, panels, strict=True):
        for axis, (panel, label) in enumerate(zip(row, ("PSNR, dB", "SSIMULACRA2"), strict=True), start=1):
            for by, said, style in (("evidence", "one evidence for all", "o-"), ("psnr", "one PSNR for all", "s--")):
                points = [values for key, values in found.items() if key[0] == scheme and key[2] == by]
                points.sort(key=lambda values: values[:, axis].mean())
                lost = np.array([values[:, 0].mean() for values in points])
                ends = np.array([interval(values[:, 0]) for values in points])
                errors = np.abs(ends.T - lost)
                panel.errorbar(
                    [v[:, axis].mean() for v in points], 100 * lost, 100 * errors, fmt=style, capsize=3, label=said
                )
            panel.set(title=f"{scheme}: fainter to the right", xlabel=f"{label}, mean")
        row[0].set_ylabel("readings lost, %")
        row[0].legend(fontsize=8)
    plt.tight_layout()
    plt.savefig(path, dpi=110)


def run(
    path: Path, pictures: list[torch.Tensor], schemes: list[str], levels: list[float], decibels: list[float]
) -> None:
    """Both arms of every level, the second at the first's mean PSNR; then the second alone at some ``decibels``."""
    for name in schemes:
        for level in levels:
            add(
                path,
                pictures,
                name,
                {"level": level, "by": "evidence", "target_psnr": STRONGEST, "target_evidence": level},
            )
            mean = round(float(arms(read(path))[name, level, "evidence"][:, 1].mean()), 2)
            add(path, pictures, name, {"level": level, "by": "psnr", "target_psnr": mean})
        for target in decibels:
            add(path, pictures, name, {"level": target, "by": "psnr", "target_psnr": target})


def add(path: Path, pictures: list[torch.Tensor], name: str, arm: dict) -> None:
    """Measure an arm's pictures that are not done; a picture is written whole."""
    done = {(row["scheme"], row["level"], row["by"], row["picture"]) for row in read(path)}
    for rows in measure(name, pictures, done, arm):
        with path.open("a") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--evidence", type=float, nargs="+", default=[20.0, 28.0, 38.0])
    parser.add_argument("--psnr", type=float, nargs="*", default=[])
    parser.add_argument("--schemes", nargs="+", default=["tile_spread", "learned"])
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if options.table:
        table(read(options.rows))
    elif options.figure:
        figure(read(options.rows), options.figure)
    else:
        torch.set_num_threads(1)
        folder = FolderImages(str(options.photos), limit=options.count)
        run(
            options.rows,
            [folder.load(i) for i in range(options.count)],
            options.schemes,
            options.evidence,
            options.psnr,
        )


if __name__ == "__main__":
    main()
