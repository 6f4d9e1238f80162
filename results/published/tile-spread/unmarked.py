"""False positives: many keys on many unmarked, attacked pictures through the full search.

    python results/published/tile-spread/unmarked.py --images DIR --trials kodak_unmarked.npz
    python results/published/tile-spread/unmarked.py --summarise kodak_unmarked.npz

A trial is one picture after one attack, read under one key of scheme and codec. It gives two p-values: of one payload
named beforehand (whatever was read pays for all its readings), and of the blind answer (which also pays for every code
word, and is 1 where no reading has right check bits). Cells are taken in a shuffled order and saved as they come, so a
stopped run goes on where it was.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from many_keys import ManyKeys
from measure import attack_cells, attacked, load, seeded
from scipy.stats import beta

from watermark.codec import Codec, Payload
from watermark.config import build_named
from watermark.detection.detector import Detector

LEVELS = (1e-1, 1e-2, 1e-3, 1e-6)


def trial(detectors: list[Detector], many: ManyKeys, picture: torch.Tensor, seed: int) -> np.ndarray:
    """``(2, keys)`` log10 p: of a payload named beforehand, and blind."""
    rng = np.random.default_rng(seed)
    found = []
    for detector, readout in zip(detectors, many.read(picture), strict=True):
        layout = detector.codec.layout
        bits = (layout.provider_bits, layout.content_bits)
        provider, content = (int(rng.integers(2 ** min(count, 62))) for count in bits)
        named = Payload(version=1, provider_id=provider, content_id=content)
        answer = detector.detect(readout, expected=[named])[0]
        found.append((answer.log10_p_expected, answer.log10_p))
    return np.array(found, dtype=np.float32).T


def run(args: argparse.Namespace) -> None:
    """Go through the cells that are not in the file yet."""
    many = ManyKeys([f"unmarked {number}" for number in range(args.keys)], args.scheme)
    layout = build_named("codec", args.codec)
    size = many.schemes[0].message_bits
    detectors = [Detector(Codec(layout, size, f"unmarked codec {number}")) for number in range(args.keys)]
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    cells = attack_cells(args.suite, [])
    names = np.array([f"{cell.name} {'' if cell.strength is None else f'{cell.strength:g}'}".strip() for cell in cells])
    p = np.full((len(paths), len(cells), 2, args.keys), np.nan, np.float32)
    if args.trials.exists():
        p = np.load(args.trials)["log10_p"].astype(np.float32)
    todo = np.argwhere(np.isnan(p[:, :, 0, 0]))
    np.random.default_rng(0).shuffle(todo)
    for number, (row, column) in enumerate(todo, start=1):
        picture = attacked(cells[column], load(paths[row]), paths[row].name)
        p[row, column] = trial(detectors, many, picture, seeded("unmarked", paths[row].name, names[column]))
        if number % 10 == 0 or number == len(todo):
            fresh = args.trials.with_suffix(".new.npz")
            np.savez_compressed(
                fresh, log10_p=p.astype(np.float16), pictures=[path.name for path in paths], attacks=names
            )
            fresh.replace(args.trials)


def summarise(path: Path) -> None:
    """Counts against what is promised, with Clopper-Pearson intervals."""
    held = np.load(path)
    p = held["log10_p"].astype(np.float64)  # (pictures, attacks, 2, keys)
    p = np.moveaxis(p, 2, 0)
    count = int((~np.isnan(p[0])).sum())
    pictures = int((~np.isnan(p[0])).any((1, 2)).sum())
    print(f"{count} trials: {pictures} pictures, {p.shape[3]} keys, {p.shape[2]} attacks\n")
    print("| p-value | at or below | count | promised at most | measured rate, 95 % interval |\n|---|---|---|---|---|")
    for kind, name in enumerate(("of a payload named beforehand", "of the blind answer")):
        for level in LEVELS:
            hits = int((p[kind] <= np.log10(level) + 1e-9).sum())
            low = beta.ppf(0.025, hits, count - hits + 1) if hits else 0.0
            high = beta.ppf(0.975, hits + 1, count - hits)
            print(
                f"| {name} | {level:.0e} | {hits} | {count * level:.4g} | {hits / count:.2e} ({low:.1e}-{high:.1e}) |"
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--trials", type=Path)
    parser.add_argument("--scheme", default="tile_spread")
    parser.add_argument("--codec", default="l64")
    parser.add_argument("--suite", default="tile_spread")
    parser.add_argument("--keys", type=int, default=16)
    parser.add_argument("--summarise", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    return summarise(args.summarise) if args.summarise else run(args)


if __name__ == "__main__":
    main()
