"""Drawn flat graphics: what the cap on flat areas costs in survival, and where it leaves the PSNR.

python results/published/tile-spread/flat_graphics.py --count 20
python results/published/tile-spread/flat_graphics.py --photos DIR      # which photographs does the cap touch?
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from measure import load, tensor
from PIL import Image, ImageDraw, ImageFont

from attacks.compression import Jpeg
from attacks.screenshot import Screenshot
from watermark.codec import Codec, Payload
from watermark.config import build_named
from watermark.detection.detector import Detector
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson

WIDTH, HEIGHT = 640, 480


def graphic(number: int) -> Image.Image:
    """A chart, a logo, a landscape or a window, light or dark, with a little text and no texture."""
    rng = np.random.default_rng(1000 + number)
    light = number % 3 != 2
    back = tuple(int(v) for v in (rng.integers(225, 256, 3) if light else rng.integers(10, 70, 3)))
    back, ink = (255, 255, 255) if number % 6 == 0 else back, (20, 20, 30) if light else (235, 235, 240)
    picture = Image.new("RGB", (WIDTH, HEIGHT), back)
    draw = ImageDraw.Draw(picture)
    colours = iter(rng.integers(0, 256, (8, 3)).tolist())

    def colour() -> tuple[int, ...]:
        return tuple(next(colours))

    if number % 4 == 0:
        fill = colour()
        for left, top in zip(range(60, 580, 87), rng.integers(80, 360, 6).tolist(), strict=True):
            draw.rectangle([left, top, left + 57, 420], fill=fill)
    elif number % 4 == 1:
        reach = int(rng.integers(80, 150))
        draw.ellipse([320 - reach, 240 - reach, 320 + reach, 240 + reach], fill=colour())
        draw.rectangle([320 - reach // 3, 240 - reach // 2, 320 + reach // 3, 240 + reach // 2], fill=back)
    elif number % 4 == 2:
        draw.rectangle([0, 312, WIDTH, HEIGHT], fill=colour())
        draw.ellipse([500, 40, 580, 120], fill=colour())
        for left, rise in zip(rng.integers(0, 440, 3).tolist(), rng.integers(80, 200, 3).tolist(), strict=True):
            draw.polygon([(left, 312), (left + 110, 312 - rise), (left + 230, 312)], fill=colour())
    else:
        draw.rectangle([0, 0, WIDTH, 44], fill=colour())
        draw.rectangle([0, 44, 150, HEIGHT], fill=colour())
        for top in range(70, 420, 76):
            draw.rounded_rectangle([180, top, 610, top + 55], 8, outline=ink, width=2)
    draw.text((40, 14), "Quarterly figures", fill=ink, font=ImageFont.load_default(22))
    if number % 4 != 1:
        for top in (82, 158, 234):
            draw.text((200, top), "The mark hides where there is texture", fill=ink, font=ImageFont.load_default(16))
    return picture


def survival(count: int, quality: float) -> None:
    """Exact payloads with the cap and without it."""
    print(
        "| flat_share | PSNR, dB: least, median, most | attack | exact payload | 95 % interval |\n|---|---|---|---|---|"
    )
    attacks = {"identity": None, "jpeg 70": Jpeg(70), "jpeg 50": Jpeg(50), "screenshot 0.67": Screenshot(0.67)}
    for share in (1.0, 0.7, 0.5):
        scheme = build_named("scheme", "tile_spread", key="graphics", target_psnr=quality, flat_share=share)
        codec = Codec(build_named("codec", "l64"), scheme.message_bits, "codec graphics")
        hits, ends = dict.fromkeys(attacks, 0), []
        for number in range(count):
            picture = tensor(graphic(number))
            marked = to_8bit(scheme.embed(picture, codec.encode([Payload(provider_id=5, content_id=number)])))
            ends.append(psnr(marked, picture).item())
            for name, attack in attacks.items():
                seed = torch.Generator().manual_seed(number)
                seen = to_8bit(attack(marked, [seed]).clamp(0, 1)) if attack else marked
                found = Detector(codec).detect(scheme.decode(seen))[0]
                hits[name] += found.is_marked and found.content_id == number
        level = f"{min(ends):.1f}, {np.median(ends):.1f}, {max(ends):.1f}"
        for name, right in hits.items():
            low, high = wilson(right, count)
            print(f"| {share} | {level} | {name} | {right}/{count} | {low:.2f}-{high:.2f} |", flush=True)


def touched(folder: Path, quality: float) -> None:
    """The photographs that the cap leaves above the target."""
    scheme = build_named("scheme", "tile_spread", key="graphics", target_psnr=quality)
    message = torch.rand(1, scheme.message_bits, generator=torch.Generator().manual_seed(0)) > 0.5
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".png", ".webp", ".jpg"})
    for path in paths:
        picture = load(path)
        end = psnr(to_8bit(scheme.embed(picture, message)), picture).item()
        if abs(end - quality) > 0.02:
            print(f"{path.name}: {end:.2f} dB")
    print(f"all others of {len(paths)} lie within .02 dB of {quality:g} dB")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--psnr", type=float, default=45.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    return touched(args.photos, args.psnr) if args.photos else survival(args.count, args.psnr)


if __name__ == "__main__":
    main()
