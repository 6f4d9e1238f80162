"""Averaging with alignment: who holds a thousand marks of one key, each laid on the others before the mean is taken.

    python results/published/tile-spread/aligned.py --images KODAK --hosts PHOTOS --psnr 42 --count 8
    python results/published/tile-spread/aligned.py --images KODAK --hosts PHOTOS --payloads random --jpeg 90 70 50

The attacker knows everything but the key. He folds what he has of each mark into the public tile of 128 lattice px,
divided by the public mask, and lines the tiles up by cross-correlation. What the mean holds he subtracts from other
marked pictures of that key (removal), or adds to pictures without a mark (forgery). He finds the place of the tile in
those pictures by correlation too.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from security import Marker, load, report

from attacks import Jpeg
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.schemes.base import scale_for_psnr
from watermark.transforms.color import luma
from watermark.transforms.jnd import texture_mask

TILE, SIDE = 128, 256
GAINS = (0.7, 1.0, 1.4)


def fold(plane: torch.Tensor) -> torch.Tensor:
    """Mean over all whole tiles of a plane ``(H, W)``: ``(TILE, TILE)``, band limited to where lattice lines lie."""
    height, width = (n // TILE * TILE for n in plane.shape)
    tile = plane[:height, :width].reshape(height // TILE, TILE, width // TILE, TILE).mean((0, 2))
    spectrum = torch.fft.fft2(tile)
    radius = torch.cdist(torch.fft.fftfreq(TILE)[:, None], torch.zeros(1, 1)).square()
    radius = (radius + radius.T).sqrt()
    return torch.fft.ifft2(spectrum * ((radius > 0.018) & (radius < 0.205))).real


def best_roll(tile: torch.Tensor, template: torch.Tensor) -> tuple[int, int]:
    """How far to roll ``tile`` so that it lies on ``template``."""
    product = torch.fft.ifft2(torch.fft.fft2(template) * torch.fft.fft2(tile).conj()).real
    place = int(product.argmax())
    return place // TILE, place % TILE


def crops(folder: Path, count: int) -> list[Path]:
    """The first pictures of a folder that hold a crop of SIDE px."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    return [path for path in files if min(load(path).shape[-2:]) >= SIDE][:count]


def estimate(marker: Marker, hosts: list[Path], one_payload: bool) -> list[torch.Tensor]:
    """The mean of all tiles, each at RMS one: of marks whose originals he holds, and of marked pictures alone."""
    means, contents = [torch.zeros(TILE, TILE)] * 2, np.random.default_rng(0).integers(2**40, size=len(hosts))
    for number, path in enumerate(hosts):
        picture = load(path)[..., :SIDE, :SIDE]
        marked = marker.mark(picture, 7 if one_payload else int(contents[number]))
        change = luma(marked - picture)[0, 0] / texture_mask(picture, marker.scheme.mask_exponent)[0]
        tiles = [fold(plane) for plane in (change, marker.scheme.whiten(luma(marked)[:, 0])[0])]
        tiles = [tile / tile.square().mean().sqrt() for tile in tiles]
        if number:
            tiles = [torch.roll(tile, best_roll(tile, mean), (0, 1)) for tile, mean in zip(tiles, means, strict=True)]
        means = [mean + tile / len(hosts) for tile, mean in zip(tiles, means, strict=True)]
    return means


def lay(tile: torch.Tensor, picture: torch.Tensor, marker: Marker, gain: float) -> torch.Tensor:
    """A picture with ``gain`` times the tile in it, as strong as a whole mark would be if the tile had RMS one."""
    height, width = picture.shape[-2:]
    mask = texture_mask(picture, marker.scheme.mask_exponent)[:, None]
    rows, columns = -(-height // TILE), -(-width // TILE)
    full = tile.repeat(rows, columns)[:height, :width]
    step = colour(marker, picture)
    unit = mask * torch.randn(full.shape, generator=torch.Generator().manual_seed(0)) * step
    scale = scale_for_psnr(picture, unit, marker.scheme.target_psnr)
    return to_8bit((picture + gain * scale * mask * full * step).clamp(0, 1))


def colour(marker: Marker, picture: torch.Tensor) -> torch.Tensor:
    """The direction in RGB along which a mark lies most, ``(1, 3, 1, 1)``: anybody sees it in any marked picture."""
    change = (marker.mark(picture, 0) - picture)[0].flatten(1)
    step = torch.linalg.svd(change, full_matrices=False).U[:, 0]
    return (step * step.sum().sign())[None, :, None, None]


def judge(what: str, tile: torch.Tensor, marker: Marker, pictures: list[torch.Tensor], qualities: list[int]) -> None:
    """Subtract the tile where it correlates best, and add it to pictures without a mark."""
    removed: dict[tuple[float, int | None], list[bool]] = {(gain, q): [] for gain in GAINS for q in (None, *qualities)}
    damage, forged = {gain: [] for gain in GAINS}, []
    for content, picture in enumerate(pictures, start=5000):
        marked = marker.mark(picture, content)
        seen = fold(marker.scheme.whiten(luma(marked)[:, 0])[0])
        there = torch.roll(tile, best_roll(tile, seen), (0, 1))
        for gain in GAINS:
            cleaned = lay(there, marked, marker, -gain)
            for gone in removed:
                if gone[0] == gain:
                    sent = cleaned if gone[1] is None else Jpeg(gone[1])(cleaned)
                    removed[gone].append(marker.reads(sent) != content)
            damage[gain].append(psnr(cleaned, marked).item())
        whole = tile / tile.square().mean().sqrt()
        forged.append(marker.reads(lay(whole, picture, marker, 1.0)) is not None)
    held = float(tile.square().mean().sqrt())
    for (gain, quality), gone in removed.items():
        note = f"damage {np.mean(damage[gain]):.1f} dB; RMS of the mean {held:.2f} of one mark"
        then = "" if quality is None else f", then JPEG {quality}"
        report(f"removed by subtracting {gain:g} times the mean{then}, {what}", gone, note)
    report(f"forged by adding the mean, {what}", forged, "at the strength of a whole mark")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--hosts", type=Path, required=True)
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--averaged", type=int, default=1000)
    parser.add_argument("--payloads", nargs="+", default=["one", "random"], choices=["one", "random"])
    parser.add_argument("--jpeg", type=int, nargs="*", default=[], help="qualities to save at after the subtraction")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    pictures = [load(path) for path in paths[:: max(1, len(paths) // args.count)][: args.count]]
    hosts, marker = crops(args.hosts, args.averaged), Marker("average", target_psnr=args.psnr)
    print(f"{len(hosts)} marks averaged\n\n| what | count | 95 % interval | note |\n|---|---|---|---|")
    for payloads in args.payloads:
        known, alone = estimate(marker, hosts, one_payload=payloads == "one")
        what = "one payload" if payloads == "one" else "random payloads"
        judge(f"{what}, originals known", known, marker, pictures, args.jpeg)
        judge(f"{what}, marked pictures alone", alone, marker, pictures, args.jpeg)


if __name__ == "__main__":
    main()
