"""Does averaging the frames of a marked animation show the mark, or take it off?

    python results/published/files/animation.py PHOTOS [--pictures 3]

Each photograph makes two animations of 24 frames of 384 x 288: a still camera (a square moves) and a camera that moves 4 px a frame;
every frame has noise of its own of 2 levels. Each is marked with one pair of IDs in two ways: as `embed --every-frame`
does it, every frame in a pose of its own, and, to compare, all frames in the pose of the first. Then:

- mean n: n frames are averaged, the moving camera's brought onto each other; is the mark read in the mean?
- subtract: the mean of all frames as they lie, without what is smooth in it, is taken for the mark and taken off the
  first frame, at the strength of .5, 1, 2 and 4 that harms the mark most; is it read in what is left?
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from watermark import Watermarker, files
from watermark.metrics.clustered import clustered_rate
from watermark.schemes.lattice import scheme

FRAMES, STEP, SIZE = 24, 4, (384, 288)
MEANS, STRENGTHS = (2, 4, 8, 24), (0.5, 1, 2, 4)


def still(photo: Image.Image, rng: np.random.Generator) -> list[np.ndarray]:
    ground = np.asarray(photo.resize(SIZE)).astype(float)
    frames = []
    for number in range(FRAMES):
        frame = ground + rng.normal(0, 2, ground.shape)
        frame[20:60, 10 + 6 * number : 50 + 6 * number] = (200, 60, 40)
        frames.append(frame.clip(0, 255).round().astype(np.uint8))
    return frames


def moving(photo: Image.Image, rng: np.random.Generator) -> list[np.ndarray]:
    width, height = SIZE
    ground = np.asarray(photo.resize((width + STEP * FRAMES, height))).astype(float)
    views = [ground[:, STEP * n : STEP * n + width] for n in range(FRAMES)]
    return [(view + rng.normal(0, 2, view.shape)).clip(0, 255).round().astype(np.uint8) for view in views]


@contextmanager
def one_pose() -> Iterator[None]:
    """All frames in the pose of the first."""
    drawn, first = scheme.keyed_poses, []

    def same(*args: object) -> object:
        first.append(first[0] if first else drawn(*args))
        return first[0]

    with mock.patch.object(scheme, "keyed_poses", same):
        yield


def mean(frames: list[np.ndarray], count: int, moves: bool) -> np.ndarray:
    """Of ``count`` frames, what they share brought onto each other."""
    if moves:
        width = SIZE[0] - STEP * (count - 1)
        frames = [frame[:, STEP * (count - 1 - n) :][:, :width] for n, frame in enumerate(frames[:count])]
    return np.mean(frames[:count], 0).round().astype(np.uint8)


def attacks(marker: Watermarker, frames: list[np.ndarray], moves: bool) -> dict[str, tuple[bool, float]]:
    def found(picture: np.ndarray) -> tuple[bool, float]:
        said = marker.detect(picture)
        return said.is_marked, said.log10_p

    rows = {"one frame": found(frames[0])}
    for count in MEANS:
        rows[f"mean {count}"] = found(mean(frames, count, moves))
    whole = np.mean(frames, 0)
    rough = whole - gaussian_filter(whole, (2, 2, 0))
    left = [(frames[0] - strength * rough).clip(0, 255).round().astype(np.uint8) for strength in STRENGTHS]
    rows["subtract"] = max((found(picture) for picture in left), key=lambda answer: answer[1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pictures", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    marker = Watermarker.load("tile_spread", key="animation", device="cpu", target_psnr=45)
    paths = sorted(args.photos.glob("*.webp"))
    rows: dict[tuple[str, str, str], list[tuple[bool, float]]] = {}
    for path in paths[:: len(paths) // args.pictures][: args.pictures]:
        for kind, make in (("still camera", still), ("moving camera", moving)):
            frames = make(files.load(path).convert("RGB"), np.random.default_rng(0))
            for pose in ("its own", "one for all"):
                if pose == "its own":
                    marked = [marker.embed(frame, 7, 123) for frame in frames]
                else:
                    with one_pose():
                        marked = [marker.embed(frame, 7, 123) for frame in frames]
                for attack, answer in attacks(marker, marked, kind == "moving camera").items():
                    rows.setdefault((kind, pose, attack), []).append(answer)
                    print(path.name, kind, pose, attack, answer, flush=True)
    print("\n| camera | pose of a frame | what was looked at | found | log10 p, middle |\n|---|---|---|---|---|")
    for (kind, pose, attack), answers in rows.items():
        rate = clustered_rate([hit for hit, _ in answers], list(range(len(answers))))
        share = f"{rate.successes} of {rate.n} [{100 * rate.low:.0f} to {100 * rate.high:.0f} %]"
        print(f"| {kind} | {pose} | {attack} | {share} | {np.median([p for _, p in answers]):.0f} |")


if __name__ == "__main__":
    main()
