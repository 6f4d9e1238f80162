"""What people write around and across a picture: a meme's caption, stripes, one line of text."""

import math
import random

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw, warp
from attacks.partial import CAPTION, Drawn

STRIPES = 8
"""Across the shorter side."""


class Meme(Attack):
    """Put a white bar with a black caption above the picture, which stays as it is and moves down.

    Args:
        height: of the bar as a share of the picture's, 0 to 2.
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral = "height added, 0..2", 0.0
    reproduces = "the caption bar of meme makers; no published ladder"

    def __init__(self, height: float) -> None:
        if not 0 <= height <= 2:
            raise ValueError(f"height must be in 0..2, got {height}")
        super().__init__(height)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Draw a bar for each picture and lay it on top."""
        size = images.shape[-1], max(1, round(self.strength * images.shape[-2]))
        bars = np.stack([np.asarray(_bar(size, start)) for start in draw.integers(generators, len(CAPTION))])
        bar = torch.from_numpy(bars).to(images.device).permute(0, 3, 1, 2).to(images.dtype) / 255
        return torch.cat([bar, images], -2)


def _bar(size: tuple[int, int], start: int) -> Image.Image:
    """White, ``size`` (width, height), with words of the caption from ``start`` on as far as they fit on one line."""
    bar = Image.new("RGB", size, "white")
    letter = max(6, min(round(0.6 * size[1]), size[0] // 10))
    pen, font, text = ImageDraw.Draw(bar), ImageFont.load_default(letter), ""
    for word in CAPTION[start:] + CAPTION[:start]:
        if pen.textlength(f"{text} {word}", font=font) > 0.95 * size[0]:
            break
        text = f"{text} {word}"
    pen.text((size[0] / 2, size[1] / 2), text.strip(), "black", font, "mm")
    return bar


class Stripes(Attack):
    """Cover the picture with even stripes of one colour at a random angle, eight to the shorter side.

    Args:
        area: share of the picture that is covered, 0 to 1.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "edit"
    unit, neutral = "area covered, 0..1", 0.0
    reproduces = "blinds, ribbons and hatching over a picture; no published ladder"

    def __init__(self, area: float) -> None:
        if not 0 <= area <= 1:
            raise ValueError(f"area must be in 0..1, got {area}")
        super().__init__(area)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        dice = draw.uniform(generators, images, 5)
        angle = math.pi * dice[:, 0, None, None]
        x, y = warp.axes(images.shape[-2], images.shape[-1], images)
        period = min(images.shape[-2:]) / STRIPES
        across = (x * angle.cos() + y * angle.sin()) / period + dice[:, 1, None, None]
        return torch.where((across % 1 < self.strength)[:, None], dice[:, 2:, None, None], images)


class Caption(Drawn):
    """Write "Lorem Ipsum" in red at the left, half way down.

    Args:
        letter: font size as a share of the shorter side, 0 to 1.
    """

    unit = "font size, 0..1 of the shorter side"
    reproduces = "OmniSealBench text overlay, in Pillow's own font"

    def __init__(self, letter: float) -> None:
        if not 0 <= letter <= 1:
            raise ValueError(f"letter must be in 0..1, got {letter}")
        super().__init__(letter)

    def drawing(self, size: tuple[int, int], dice: random.Random) -> Image.Image:
        """One line; what does not fit is cut off."""
        layer = Image.new("RGBA", size)
        font = ImageFont.load_default(max(1, int(self.strength * min(size))))
        ImageDraw.Draw(layer).text((0, size[1] // 2), "Lorem Ipsum", "#ff0000", font)
        return layer
