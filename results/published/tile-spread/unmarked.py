"""False positives: many keys on many unmarked, attacked pictures through the full search.

    python results/published/tile-spread/unmarked.py --images DIR --trials kodak_unmarked.npz
    python results/published/tile-spread/unmarked.py --summarise kodak_unmarked.npz

A trial is one picture after one attack, under one key of the scheme and one of the codec: the full search under the
scheme's key, then the detector. It gives two p-values: of one payload named beforehand (which pays for all readings of
the picture), and of the blind answer (which also pays for every code word, and is 1 where no reading has right check
bits). Every search is shown to several codec keys: their signs are what the promise is made over, and given what was read
their p-values are independent. Cells are taken in a shuffled order and saved as they come, so a stopped run goes on
where it was.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from measure import attack_cells, attacked, load, seeded
from scipy.stats import beta

from watermark.codec import Codec, Payload
from watermark.config import build_named
from watermark.detection.detector import Detector
from watermark.schemes.base import Readout

LEVELS = (1e-1, 1e-2, 1e-3, 1e-6)


def trials(detectors: list[Detector], readout: Readout, seed: int) -> np.ndarray:
    """``(2, codec keys)`` log10 p: of a payload named beforehand, and blind."""
    rng, found = np.random.default_rng(seed), []
    for detector in detectors:
        layout = detector.codec.layout
        provider, content = (int(rng.integers(2**bits)) for bits in (layout.provider_bits, layout.content_bits))
        named = Payload(version=1, provider_id=provider, content_id=content)
        answer = detector.detect(readout, expected=[named])[0]
        found.append((answer.log10_p_expected, answer.log10_p))
    return np.array(found, dtype=np.float32).T


def run(args: argparse.Namespace) -> None:
    """Go through the cells that are not in the file yet."""
    schemes = [build_named("scheme", args.scheme, key=f"unmarked {number}") for number in range(args.keys)]
    layout, size = build_named("codec", args.codec), schemes[0].message_bits
    detectors = [Detector(Codec(layout, size, f"unmarked codec {number}")) for number in range(args.codecs)]
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    cells = attack_cells(args.suite, [])
    names = np.array([f"{cell.name} {'' if cell.strength is None else f'{cell.strength:g}'}".strip() for cell in cells])
    p = np.full((len(paths), len(cells), 2, args.searches, args.codecs), np.nan, np.float32)
    if args.trials.exists():
        p = np.load(args.trials)["log10_p"].astype(np.float32)
    todo = np.argwhere(np.isnan(p[:, :, 0, 0, 0]))
    np.random.default_rng(0).shuffle(todo)
    for number, (row, column) in enumerate(todo, start=1):
        picture = attacked(cells[column], load(paths[row]), paths[row].name)
        for search in range(args.searches):
            readout = schemes[(number * args.searches + search) % args.keys].decode(picture)
            seed = seeded("unmarked", paths[row].name, names[column], search)
            p[row, column, :, search] = trials(detectors, readout, seed)
        if number % 5 == 0 or number == len(todo):
            fresh = args.trials.with_suffix(".new.npz")
            np.savez_compressed(
                fresh, log10_p=p.astype(np.float16), pictures=[path.name for path in paths], attacks=names
            )
            fresh.replace(args.trials)


def summarise(path: Path) -> None:
    """Counts against what is promised, with Clopper-Pearson intervals."""
    held = np.load(path)
    p = np.moveaxis(held["log10_p"].astype(np.float64), 2, 0)  # (2, pictures, attacks, searches, codec keys)
    done = ~np.isnan(p[0])
    count, searches, pictures = int(done.sum()), int(done[..., 0].sum()), int(done.any((1, 2, 3)).sum())
    attacks = int(done.any((0, 2, 3)).sum())
    print(f"{count} trials: {searches} searches (of {pictures} pictures under {attacks} attacks), ", end="")
    print(f"each under {p.shape[4]} codec keys\n")
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
    parser.add_argument("--keys", type=int, default=8, help="different keys of the scheme")
    parser.add_argument("--searches", type=int, default=2, help="of each attacked picture, under keys that take turns")
    parser.add_argument("--codecs", type=int, default=24, help="codec keys that see each search")
    parser.add_argument("--summarise", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    return summarise(args.summarise) if args.summarise else run(args)


if __name__ == "__main__":
    main()
