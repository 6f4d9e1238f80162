"""Draw flat graphics to measure on: python results/published/tile-spread/graphics.py FOLDER --count 20."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    for number in range(args.count):
        graphic(number).save(args.folder / f"graphic{number:02d}.png")


if __name__ == "__main__":
    main()
