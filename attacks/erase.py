"""Parts of the picture replaced: what such edits have in common, and the plainest of them."""

from abc import abstractmethod

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw


class Edit(Attack):
    """Replace one part of the picture and leave the rest as it is, at another place in every image.

    A subclass says what comes there (``filled``), and may say another shape than a rectangle (``covered``). The part is
    drawn before anything else, so a generator of the same seed gives the same part: ``attacks.edited`` asks for it.

    Args:
        area: share of the picture that is replaced, 0 to 1.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "edit"
    unit, neutral = "area replaced, 0..1", 0.0

    def __init__(self, area: float) -> None:
        if not 0 <= area <= 1:
            raise ValueError(f"area must be in 0..1, got {area}")
        super().__init__(area)

    def covered(self, images: Tensor, generators: Generators) -> Tensor:
        """The part of each image, bool ``(N, 1, H, W)``."""
        return rectangles(images, self.strength, generators)

    @abstractmethod
    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """The images with something else where ``covered`` is True, and elsewhere as they are."""

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Choose the part, then fill it."""
        return self.filled(images, self.covered(images, generators), generators)


class Erase(Edit):
    """Paint one rectangle grey, at another place in every image.

    Args:
        area: share of the picture that is lost, 0 to 1.
        fill: grey level of the rectangle, 0..1.
    """

    unit = "area erased, 0..1"
    reproduces = "WAVES Dist-Erase"

    def __init__(self, area: float, fill: float = 0.0) -> None:
        super().__init__(area)
        self.fill = fill

    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """Grey."""
        return images.masked_fill(covered, self.fill)


def rectangles(images: Tensor, area: float, generators: Generators) -> Tensor:
    """A bool mask ``(N, 1, H, W)``: one rectangle of ``area`` per image, aspect 1:2 to 2:1, somewhere inside."""
    height, width = images.shape[-2:]
    aspects, tops, lefts = draw.uniform(generators, images, 3).double().cpu().unbind(1)
    mask = torch.zeros(len(images), 1, height, width, dtype=torch.bool)
    for i, (aspect, down, across) in enumerate(zip(aspects.tolist(), tops.tolist(), lefts.tolist(), strict=True)):
        share = min(1.0, max(area, (area * 4 ** (aspect - 0.5)) ** 0.5))  # of the height; the width makes up the area
        tall = min(height, max(1, round(height * share)))
        wide = min(width, max(1, round(width * area / share)))
        top, left = round(down * (height - tall)), round(across * (width - wide))
        mask[i, :, top : top + tall, left : left + wide] = True
    return mask.to(images.device)
