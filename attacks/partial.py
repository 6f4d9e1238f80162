"""Edits of a part of the picture: paste, splice, collage, text, stickers, inpainting."""

import math
import random
from abc import abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.erase import Edit, rectangles
from attacks.functional import draw, warp
from attacks.functional.fill import pull_push
from attacks.hosts import hosts

CAPTION = "when nobody knows where a picture comes from everybody may say it is theirs".upper().split(" ")


class Paste(Edit):
    """Cover one rectangle with part of another photograph.

    Args:
        area: share of the picture that is covered, 0 to 1.
    """

    unit = "area covered, 0..1"
    reproduces = "partial edit by pasting; WIBE cropout's complement"

    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """Another photograph."""
        return torch.where(covered, hosts(images, generators), images)


class Splice(Attack):
    """Keep one rectangle where it is and replace the rest by another, unmarked photograph.

    Args:
        area: share that is kept, in (0, 1].
        fill: grey level of the rest, 0..1, instead of a photograph.
    """

    differentiable, geometric, harder = True, False, "lower"
    family = "edit"
    unit, neutral = "area kept, 0..1", 1.0
    reproduces = "OmniSealBench collage, WIBE cropout (fill 0); a marked region spliced into a clean picture"

    def __init__(self, area: float, fill: float | None = None) -> None:
        if not 0 < area <= 1:
            raise ValueError(f"area must be in (0, 1], got {area}")
        super().__init__(area)
        self.fill = fill

    def canvas(self, images: Tensor, generators: Generators) -> Tensor:
        """What lies around the part that is kept."""
        return hosts(images, generators) if self.fill is None else torch.full_like(images, self.fill)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """The mirror image of ``Paste``."""
        return torch.where(rectangles(images, self.strength, generators), images, self.canvas(images, generators))


class Collage(Splice):
    """Shrink the picture to ``area`` of the canvas and lay it on another photograph, somewhere."""

    geometric = True
    unit = "area of the canvas, 0..1"
    reproduces = "a small copy on a page or a mood board; no published ladder"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        small = warp.resize(images, warp.scaled(images, self.strength**0.5)).clamp(0, 1)
        canvas = self.canvas(images, generators)
        places = draw.uniform(generators, images, 2).cpu().tolist()
        return torch.stack([_lay(under, over, *at) for under, over, at in zip(canvas, small, places, strict=True)])


def _lay(canvas: Tensor, picture: Tensor, down: float, across: float) -> Tensor:
    top = round(down * (canvas.shape[-2] - picture.shape[-2]))
    left = round(across * (canvas.shape[-1] - picture.shape[-1]))
    right, bottom = canvas.shape[-1] - left - picture.shape[-1], canvas.shape[-2] - top - picture.shape[-2]
    covered = F.pad(torch.ones_like(picture[:1]), (left, right, top, bottom)) > 0
    return torch.where(covered, F.pad(picture, (left, right, top, bottom)), canvas)


class Drawn(Attack):
    """Something drawn over the picture with Pillow."""

    differentiable, geometric, harder = True, False, "higher"
    family = "edit"
    unit, neutral = "area covered, 0..1", 0.0

    def __init__(self, area: float) -> None:
        if not 0 <= area <= 1:
            raise ValueError(f"area must be in 0..1, got {area}")
        super().__init__(area)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Blend a drawing over each picture."""
        size = images.shape[-1], images.shape[-2]
        layers = [self.drawing(size, random.Random(seed)) for seed in draw.integers(generators, 2**31)]
        layer = torch.from_numpy(np.stack([np.asarray(each) for each in layers])).to(images.device)
        layer = layer.permute(0, 3, 1, 2).to(images.dtype) / 255
        return torch.lerp(images, layer[:, :3], layer[:, 3:])

    @abstractmethod
    def drawing(self, size: tuple[int, int], dice: random.Random) -> Image.Image:
        """An RGBA picture of ``size`` (width, height)."""


class OverlayText(Drawn):
    """Write over the picture: outlined lines in a band at the top, the bottom or the middle.

    Args:
        area: height of the band as a share of the picture, 0 to 1; letters cover about a third of it.
    """

    unit = "height of the text band, 0..1"
    reproduces = "OmniSealBench text overlay; captions"

    def drawing(self, size: tuple[int, int], dice: random.Random) -> Image.Image:
        """Lines of text."""
        width, height = size
        lines = max(1, round(self.strength / 0.08))
        letter = max(6, round(self.strength * height / lines * 0.8))
        layer = Image.new("RGBA", size)
        pen, font = ImageDraw.Draw(layer), ImageFont.load_default(letter)
        band = round(self.strength * height)
        top = dice.choice([0, (height - band) // 2, height - band])
        words = dice.randrange(len(CAPTION))
        for line in range(lines):
            text = ""
            while pen.textlength(f"{text} {CAPTION[words % len(CAPTION)]}", font=font) < 0.97 * width:
                text, words = f"{text} {CAPTION[words % len(CAPTION)]}", words + 1
            at = (width / 2, top + (line + 0.5) * band / lines)
            pen.text(at, text, "white", font, "mm", stroke_width=max(1, letter // 14), stroke_fill="black")
        return layer


class Stickers(Drawn):
    """Stick smileys on the picture until they would cover ``area``, were they not to overlap.

    Args:
        area: of all stickers together as a share of the picture, 0 to 1.
    """

    reproduces = "stickers of messaging apps; no published ladder"

    def drawing(self, size: tuple[int, int], dice: random.Random) -> Image.Image:
        """Faces of one size in random places and colours."""
        count = max(1, round(self.strength / 0.03))
        radius = (self.strength / count * size[0] * size[1] / np.pi) ** 0.5
        layer = Image.new("RGBA", size)
        pen = ImageDraw.Draw(layer)
        for _ in range(count):
            x, y = (dice.uniform(radius, max(radius, side - radius)) for side in size)
            skin = dice.choice(["#ffcc22", "#ff8855", "#88dd55", "#55bbff"])
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), skin, "#553300", max(1, round(radius / 16)))
            for side in (-0.35, 0.35):
                eye = (x + (side - 0.1) * radius, y - 0.4 * radius, x + (side + 0.1) * radius, y - 0.1 * radius)
                pen.ellipse(eye, "#332200")
            mouth = (x - 0.5 * radius, y - 0.4 * radius, x + 0.5 * radius, y + 0.6 * radius)
            pen.arc(mouth, 20, 160, "#332200", max(1, round(radius / 8)))
        return layer


class Inpaint(Edit):
    """Remove an ellipse and heal it with another part of the picture, as a photo editor's healing brush does.

    Of eight places beside the ellipse the one whose surroundings look most alike is copied in; what it misses at the
    border is spread smoothly over the ellipse (pull-push, instead of the Poisson equation).

    Args:
        area: share of the picture that is replaced, 0 to 1.
    """

    unit = "area filled in, 0..1"
    reproduces = "healing brush (Perez, Gangnet and Blake, 2003); generative inpainting needs a model"
    version = 2

    def covered(self, images: Tensor, generators: Generators) -> Tensor:
        """An ellipse."""
        return ellipses(images, self.strength, generators)

    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """Another place of the picture, its border blended in."""
        starts = draw.uniform(generators, images).cpu().tolist()
        return torch.cat([_heal(*each) for each in zip(images.split(1), covered.split(1), starts, strict=True)])


def _heal(image: Tensor, hole: Tensor, start: float) -> Tensor:
    """Fill ``hole`` ``(1, 1, H, W)`` from a place beside it; ``start`` in [0, 1) turns the eight candidates."""
    known = (~hole).to(image.dtype)
    rim = F.max_pool2d(hole.to(image.dtype), 9, 1, 4) * known
    tall, wide = (float(hole.any(axis).sum()) for axis in (-1, -2))
    angles = [2 * math.pi * (k + start) / 8 for k in range(8)]
    moves = [(round(1.05 * tall * math.sin(angle)), round(1.05 * wide * math.cos(angle))) for angle in angles]
    others = [(shifted(image, *move), shifted(known, *move)) for move in moves]
    with torch.no_grad():
        misfits = [float((rim * (image - other).abs()).sum() + (hole & (there < 1)).sum()) for other, there in others]
    other = others[misfits.index(min(misfits))][0]
    return torch.where(hole, other + pull_push((image - other) * known, known), image)


def shifted(image: Tensor, down: int, across: int) -> Tensor:
    """The picture looked up ``down`` and ``across`` pixels further; beyond the border it is mirrored."""
    for axis, step in ((-2, down), (-1, across)):
        side = image.shape[axis]
        places = (torch.arange(side, device=image.device) + step) % (2 * side)
        image = image.index_select(axis, torch.minimum(places, 2 * side - 1 - places))
    return image


def ellipses(images: Tensor, area: float, generators: Generators) -> Tensor:
    """A bool mask ``(N, 1, H, W)``: one upright ellipse of ``area`` per image (cut at the border if it is large)."""
    height, width = images.shape[-2:]
    dice = draw.uniform(generators, images, 3)[:, None, None]  # (N, 1, 1, 3)
    grid = warp.pixel_grid(height, width, images)
    radius = (area * height * width / torch.pi) ** 0.5
    stretch = 2 ** (dice[..., 0] - 0.5)
    radii = torch.stack([radius * stretch, radius / stretch], -1)
    room = (grid.new_tensor([width / 2, height / 2]) - radii).clamp(min=0)
    return (((grid - (2 * dice[..., 1:] - 1) * room) / radii).square().sum(-1) < 1)[:, None]
