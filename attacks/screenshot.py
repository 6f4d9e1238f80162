"""A screenshot as a person makes one: the picture inside a page or an app, then a crop by hand."""

import random

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.compression import Jpeg
from attacks.functional import codec, color, draw, warp

FILES = ("png", "jpeg")
PHRASES = ("the light on water", "was better than any plan", "we made for this day", "nobody wanted to leave", "so")


class Screenshot(Attack):
    """Show the picture scaled on a page, capture the screen, cut the picture out by hand, save.

    Per image are drawn: a light or dark page, its toolbar, text and buttons, how round the corners of the picture are,
    where on the pixel grid it comes to lie (at whole pixels if ``scale`` is 1, as screens do), how the crop misses, and
    the display's colour handling (faithful, a gamma off by up to 7 %, or Display P3 values read as sRGB).

    Args:
        scale: displayed pixels per picture pixel, 0.1 to 4.
        border: what the crop leaves around the picture on each side, as a share of that side: positive shows page,
            negative cuts too tightly. The crop misses by up to half of this (at least one pixel) in any direction.
        file: ``png`` (lossless) or ``jpeg`` (quality 90, 4:2:0).
    """

    differentiable, geometric, harder = False, True, "away"
    family = "compound"
    unit = "displayed pixels per pixel"
    reproduces = "a screenshot with interface, hand crop and re-encoding; no published ladder"

    def __init__(self, scale: float, border: float = 0.03, file: str = "png") -> None:
        if not 0.1 <= scale <= 4:
            raise ValueError(f"scale must be in 0.1..4, got {scale}")
        if not -0.3 <= border <= 1:
            raise ValueError(f"border must be in -0.3..1, got {border}")
        if file not in FILES:
            raise ValueError(f"file must be one of {FILES}, got {file!r}")
        super().__init__(scale)
        self.scale, self.border, self.file = scale, border, file

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Scale, place, frame, convert, save."""
        shown = warp.resize(images, warp.scaled(images, self.scale)).clamp(0, 1)
        height, width = shown.shape[-2:]
        window = max(1, round(height * (1 + 2 * self.border))), max(1, round(width * (1 + 2 * self.border)))
        offset = self._placement(shown, generators)  # (N, 2): centre of the picture in the window, from its centre
        points = warp.pixel_grid(window[0], window[1], shown) - offset[:, None, None]  # (N, h, w, 2)
        alpha = _rounded_mask(points, height, width, draw.uniform(generators, shown, low=0.0, high=0.04))
        page = codec.from_pillow(self._pages(window, (height, width), offset, generators), shown)
        captured = torch.lerp(page, warp.sample(shown, points), alpha)
        captured = color.display(captured, draw.integers(generators, 3), draw.uniform(generators, shown))
        if self.file == "png":
            return (captured.clamp(0, 1) * 255).round() / 255
        return Jpeg(90)(captured.clamp(0, 1))

    def _pages(
        self, window: tuple[int, int], size: tuple[int, int], offset: Tensor, generators: Generators
    ) -> list[Image.Image]:
        middle = torch.tensor([window[1] / 2, window[0] / 2]) + offset.cpu()
        half = torch.tensor([size[1] / 2, size[0] / 2])
        boxes = torch.cat([middle - half, middle + half], 1).tolist()
        seeds = draw.integers(generators, 2**31)
        return [_draw_page(window, box, random.Random(seed)) for box, seed in zip(boxes, seeds, strict=True)]

    def _placement(self, shown: Tensor, generators: Generators) -> Tensor:
        sides = shown.new_tensor([shown.shape[-1], shown.shape[-2]])
        miss = (0.5 * abs(self.border) * sides).clamp(min=1)
        offset = miss * draw.uniform(generators, shown, 2, low=-1.0)
        if self.scale != 1:
            return offset
        window = (sides * (1 + 2 * self.border)).round()
        parity = (window - sides) % 2 / 2  # whole pixels, also where only one of the two sides is odd
        return offset.round() + parity


class ScreenshotCrop(Screenshot):
    """``Screenshot`` with the crop as the strength: how much page is left around, or how much picture is lost.

    Args:
        border: see ``Screenshot``.
        scale: see ``Screenshot``.
        file: see ``Screenshot``.
    """

    unit = "share of a side left around the picture; negative: cut off"

    def __init__(self, border: float, scale: float = 0.8, file: str = "png") -> None:
        super().__init__(scale, border, file)
        self.strength = border


def _rounded_mask(points: Tensor, height: int, width: int, roundness: Tensor) -> Tensor:
    """Coverage ``(N, 1, h, w)`` of a rounded rectangle around the origin; soft over one pixel."""
    radius = (roundness * min(height, width))[:, None, None]
    half = points.new_tensor([width / 2, height / 2])
    beyond = points.abs() - half + radius[..., None]  # (N, h, w, 2), positive in the corner square
    distance = beyond.clamp(min=0).norm(dim=-1) + beyond.amax(-1).clamp(max=0) - radius
    return (0.5 - distance).clamp(0, 1)[:, None]


def _draw_page(window: tuple[int, int], box: list[float], dice: random.Random) -> Image.Image:
    """Background, toolbar above, text and buttons below, for a window of (height, width) pixels.

    ``box`` is where the picture will lie: left, top, right, bottom in pixels of the window.
    """
    height, width = window
    dark = dice.random() < 0.5
    page, ink, bar = ("#17181c", "#d8d9dd", "#2c2f36") if dark else ("#ffffff", "#24292f", "#e6e9ee")
    accent = dice.choice(["#1d9bf0", "#e0245e", "#00a884", "#6e5bd8", "#ff6a00"])
    picture = Image.new("RGB", (width, height), page)
    pen = ImageDraw.Draw(picture)
    size = max(9, round(min(height, width) * dice.uniform(0.025, 0.04)))
    font = ImageFont.load_default(size)
    left, top, right, bottom = box
    pen.rectangle((0, 0, width, max(0.0, top - 0.3 * size)), fill=bar)
    pen.text((max(left, 2), top - 1.5 * size), " ".join(dice.choices(PHRASES, k=3)), fill=ink, font=font)
    for i in range(4):
        button = right - (4 - i) * 1.4 * size
        pen.ellipse((button, bottom + 0.3 * size, button + 0.8 * size, bottom + 1.1 * size), fill=accent if i else ink)
    for row in range(int((height - bottom) / size / 1.5) + 1):
        words = " ".join(dice.choices(PHRASES, k=max(2, width // (8 * size))))
        pen.text((max(left, 2), bottom + (0.2 + 1.5 * row) * size), words if row else words[:18], fill=ink, font=font)
    if dice.random() < 0.5:
        pen.rectangle((width - 0.3 * size, 0.2 * height, width, 0.6 * height), fill=bar)
    return picture
