"""Flat graphics: charts, logos, landscapes and windows, drawn; a mark has no texture to hide in there."""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from watermark.data.images import ImageInfo, ImageSet

Colour = tuple[int, ...]


class FlatGraphics(ImageSet):
    """``count`` drawings, light and dark, with a little text.

    Args:
        count: how many.
        seed: another seed gives other drawings.
    """

    def __init__(self, count: int = 20, seed: int = 1000) -> None:
        super().__init__("graphics")
        if count < 1:
            raise ValueError(f"expected count >= 1, got {count}")
        self.count, self.seed = count, seed

    def describe(self) -> list[ImageInfo]:
        """Names are kind and index."""
        pictures = [self.open(index) for index in range(self.count)]
        return [
            ImageInfo(
                f"{_kind(i).__name__.strip('_')}-{i:02d}", "flat", *one.size, hashlib.sha256(one.tobytes()).hexdigest()
            )
            for i, one in enumerate(pictures)
        ]

    def open(self, index: int) -> Image.Image:
        """Draw it."""
        rng = np.random.default_rng(self.seed + index)
        is_light = index % 3 != 2
        back = tuple(int(v) for v in (rng.integers(225, 256, 3) if is_light else rng.integers(10, 70, 3)))
        back = (255, 255, 255) if index % 6 == 0 else back
        ink = (20, 20, 30) if is_light else (235, 235, 240)
        picture = Image.new("RGB", (WIDTH, HEIGHT), back)
        pen = ImageDraw.Draw(picture)
        colours = (tuple(colour) for colour in rng.integers(0, 256, (8, 3)).tolist())
        kind = _kind(index)
        kind(pen, rng, colours, back, ink)
        pen.text((40, 14), "Quarterly figures", fill=ink, font=ImageFont.load_default(22))
        if kind is not _logo:
            for top in (82, 158, 234):
                pen.text((200, top), "The mark hides where there is texture", fill=ink, font=ImageFont.load_default(16))
        return picture


WIDTH, HEIGHT = 640, 480


def _chart(pen: ImageDraw.ImageDraw, rng: np.random.Generator, colours: Iterator[Colour], *_: Colour) -> None:
    fill = next(colours)
    for left, top in zip(range(60, 580, 87), rng.integers(80, 360, 6).tolist(), strict=True):
        pen.rectangle([left, top, left + 57, 420], fill=fill)


def _logo(
    pen: ImageDraw.ImageDraw, rng: np.random.Generator, colours: Iterator[Colour], back: Colour, _ink: Colour
) -> None:
    reach = int(rng.integers(80, 150))
    pen.ellipse([320 - reach, 240 - reach, 320 + reach, 240 + reach], fill=next(colours))
    pen.rectangle([320 - reach // 3, 240 - reach // 2, 320 + reach // 3, 240 + reach // 2], fill=back)


def _landscape(pen: ImageDraw.ImageDraw, rng: np.random.Generator, colours: Iterator[Colour], *_: Colour) -> None:
    pen.rectangle([0, 312, WIDTH, HEIGHT], fill=next(colours))
    pen.ellipse([500, 40, 580, 120], fill=next(colours))
    for left, rise in zip(rng.integers(0, 440, 3).tolist(), rng.integers(80, 200, 3).tolist(), strict=True):
        pen.polygon([(left, 312), (left + 110, 312 - rise), (left + 230, 312)], fill=next(colours))


def _window(
    pen: ImageDraw.ImageDraw, _rng: np.random.Generator, colours: Iterator[Colour], _back: Colour, ink: Colour
) -> None:
    pen.rectangle([0, 0, WIDTH, 44], fill=next(colours))
    pen.rectangle([0, 44, 150, HEIGHT], fill=next(colours))
    for top in range(70, 420, 76):
        pen.rounded_rectangle([180, top, 610, top + 55], 8, outline=ink, width=2)


def _kind(index: int) -> Callable[..., None]:
    return (_chart, _logo, _landscape, _window)[index % 4]
