# ruff: noqa: T201 - a script prints
"""What can be done to tile_spread without the key: notch filters, averaging, copying, other keys.

python results/published/tile-spread/security.py --images DIR --psnr 42 --count 8
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from watermark import Watermarker
from watermark.data.synthetic import SyntheticImages
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson
from watermark.pixels import to_tensor
from watermark.transforms.color import luma

AVERAGED = 1000


def load(path: Path) -> torch.Tensor:
    """A picture file as ``(1, 3, H, W)`` in [0, 1]."""
    return to_tensor(Image.open(path))


def notch_peaks(picture: torch.Tensor, peaks: int = 150) -> torch.Tensor:
    """Blank the strongest spectral peaks against their surroundings, with their neighbours, and their negatives."""
    spectrum = torch.fft.fft2(picture)
    power = spectrum.abs().square().mean(1, keepdim=True)
    around = F.avg_pool2d(F.pad(power, (9, 9, 9, 9), mode="circular"), 19, 1)
    rows, columns = (torch.fft.fftfreq(n) for n in picture.shape[-2:])
    radius = (rows[:, None].square() + columns.square()).sqrt()
    ratio = torch.where((radius > 0.02) & (radius < 0.25), power / around, 0.0)
    blank = torch.zeros_like(ratio).flatten()
    blank[ratio.flatten().topk(2 * peaks).indices] = 1  # each peak and its negative
    blank = F.max_pool2d(F.pad(blank.view_as(ratio), (1, 1, 1, 1), mode="circular"), 3, 1)
    return to_8bit(torch.fft.ifft2(spectrum * (1 - blank)).real.clamp(0, 1))


def comb(picture: torch.Tensor, tile: int = 128) -> torch.Tensor:
    """Blank every frequency of the lattice: what someone does who knows the tile (it is public) but not the key."""
    spectrum = torch.fft.fft2(picture)
    near = [(torch.fft.fftfreq(n, 1 / n) * tile / n) for n in picture.shape[-2:]]  # in units of lattice lines
    on = [((x - x.round()).abs() * n / tile < 0.75) for x, n in zip(near, picture.shape[-2:], strict=True)]
    radius = (near[0][:, None].square() + near[1].square()).sqrt() / tile
    blank = on[0][:, None] & on[1] & (radius > 0.01) & (radius < 0.21)
    return to_8bit(torch.fft.ifft2(spectrum * ~blank).real.clamp(0, 1))


class Marker:
    """One key, and whether it finds its own payload."""

    def __init__(self, key: str, **settings: float) -> None:
        self.door = Watermarker.load("tile_spread", key, device="cpu", **settings)
        self.scheme = self.door.scheme

    def mark(self, picture: torch.Tensor, content: int) -> torch.Tensor:
        """Mark pictures as files would hold them."""
        return to_8bit(self.door.embed(picture, 5, content))

    def reads(self, picture: torch.Tensor) -> int | None:
        """The content number, or None."""
        found = self.door.detect(picture)[0]
        return found.content_id if found.is_marked else None


def report(what: str, hits: list[bool], note: str = "") -> None:
    """One row of the table."""
    low, high = wilson(sum(hits), len(hits))
    print(f"| {what} | {sum(hits)}/{len(hits)} | {low:.2f}-{high:.2f} | {note} |", flush=True)


def notching(pictures: list[torch.Tensor], quality: float) -> None:
    """Blank peaks, for several numbers of pilot lines; then every lattice frequency."""
    for lines in (32, 64, 96, 128):
        marker, hits, damage = Marker("notch", pilot_lines=lines, target_psnr=quality), [], []
        for content, picture in enumerate(pictures):
            marked = marker.mark(picture, content)
            cleaned = notch_peaks(marked)
            damage.append(psnr(cleaned, marked).item())
            hits.append(marker.reads(cleaned) == content)
        report(f"read after 150 strongest peaks notched, {lines} pilot lines", hits, f"damage {np.mean(damage):.1f} dB")
    marker, hits, damage = Marker("comb", target_psnr=quality), [], []
    for content, picture in enumerate(pictures):
        marked = marker.mark(picture, content)
        cleaned = comb(marked)
        damage.append(psnr(cleaned, marked).item())
        hits.append(marker.reads(cleaned) == content)
    report("read after a comb on all lattice frequencies", hits, f"damage {np.mean(damage):.1f} dB")


def keys(pictures: list[torch.Tensor], quality: float) -> None:
    """A foreign key, and two marks in one picture."""
    ours, theirs = Marker("ours", target_psnr=quality), Marker("theirs", target_psnr=quality)
    first, second, foreign = [], [], []
    for content, picture in enumerate(pictures):
        once = ours.mark(picture, content)
        foreign.append(theirs.reads(once) is not None)
        both = theirs.mark(once, content + 100)
        first.append(ours.reads(both) == content)
        second.append(theirs.reads(both) == content + 100)
    report("foreign key sees a mark", foreign)
    report("first of two marks read", first)
    report("second of two marks read", second)


def period(pictures: list[torch.Tensor], quality: float) -> None:
    """Would a secret lattice hide the comb? Look for the period without knowing it: the highest autocorrelation."""
    marker, hits, heights = Marker("period", target_psnr=quality), [], []
    for content, picture in enumerate(pictures):
        flat = marker.scheme.whiten(luma(marker.mark(picture, content))[:, 0])[0]
        height, width = flat.shape
        ones, both = torch.ones_like(flat), (2 * height, 2 * width)
        sums, pairs = (torch.fft.irfft2(torch.fft.rfft2(x, s=both).abs().square(), s=both) for x in (flat, ones))
        lags = [torch.fft.fftfreq(n, 1 / n) for n in both]
        distance = (lags[0][:, None].square() + lags[1].square()).sqrt()
        found = torch.where((distance > 60) & (distance < 200), sums / pairs.clamp_min(1).sqrt(), 0)
        row, column = divmod(int(found.argmax()), both[1])
        hits.append((abs(int(lags[0][row])), abs(int(lags[1][column]))) in {(0, 128), (128, 0)})
        heights.append(float(found.max() / found[found != 0].std()))
    report("period of the tile found blindly", hits, f"median height {np.median(heights):.0f} standard deviations")


def averaging(quality: float, host: torch.Tensor) -> None:
    """Average the marked pictures themselves; then the residuals (the attacker has the originals, which is worse)."""
    marker = Marker("average", target_psnr=quality)
    pictures = SyntheticImages(count=AVERAGED, width=192, height=192, seed=1)
    total = residual = torch.zeros(1, 3, 192, 192)
    for index in range(AVERAGED):
        picture = to_tensor(pictures.open(index))
        marked = marker.mark(picture, 7)
        total, residual = total + marked, residual + (marked - picture)
    single = (marked - picture).square().mean().sqrt()
    left = residual / AVERAGED
    report(
        "mark in the average of 1000 pictures (not aligned)",
        [marker.reads(to_8bit((total / AVERAGED).clamp(0, 1))) is not None],
    )
    forged = to_8bit((host[..., :192, :192] + left * single / left.square().mean().sqrt()).clamp(0, 1))
    note = f"rms of the average {float(left.square().mean().sqrt() / single):.3f} of one residual"
    report("mark forged from the average of 1000 residuals (not aligned)", [marker.reads(forged) is not None], note)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument("--count", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(path for path in args.images.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    pictures = [load(path) for path in paths[:: max(1, len(paths) // args.count)][: args.count]]
    print("| what | count | 95 % interval | note |\n|---|---|---|---|")
    notching(pictures, args.psnr)
    period(pictures, args.psnr)
    keys(pictures, args.psnr)
    averaging(args.psnr, pictures[0])


if __name__ == "__main__":
    main()
