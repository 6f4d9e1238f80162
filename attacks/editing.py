"""Edits of one rectangle with what every photo editor has: blur it, clone over it, let it be filled in."""

import torch
from torch import Tensor

from attacks.base import Generators
from attacks.erase import Edit
from attacks.functional import draw, filters, opencv
from attacks.partial import shifted


class BlurPart(Edit):
    """Blur one rectangle until faces and number plates cannot be told.

    Args:
        area: share of the picture that is blurred, 0 to 1.
    """

    unit = "area blurred, 0..1"
    reproduces = "hiding a face or a number plate; standard deviation 2 % of the short side"

    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """Itself, blurred."""
        blurred = filters.gaussian_blur(images, 0.02 * min(images.shape[-2:]))
        return torch.where(covered, blurred, images)


class Clone(Edit):
    """Cover one rectangle with another place of the same picture, as a clone stamp does.

    Args:
        area: share of the picture that is covered, 0 to 1.
    """

    unit = "area covered, 0..1"
    reproduces = "copy-move forgery; no published ladder"

    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """Another place, a quarter to three quarters of each side away."""
        moves = (0.25 + 0.5 * draw.uniform(generators, images, 2)).cpu().tolist()  # of the sides
        height, width = images.shape[-2:]
        others = [
            shifted(image[None], round(down * height), round(across * width))
            for image, (down, across) in zip(images, moves, strict=True)
        ]
        return torch.where(covered, torch.cat(others), images)


class InpaintTelea(Edit):
    """Remove one rectangle and let OpenCV fill it in from its border (Telea, 2004): smooth, without texture.

    Args:
        area: share of the picture that is filled in, 0 to 1.
        radius: px that the filling looks around.
    """

    differentiable = False
    unit = "area filled in, 0..1"
    reproduces = "OpenCV's INPAINT_TELEA (Telea, J. Graphics Tools 9, 2004)"

    def __init__(self, area: float, radius: float = 3.0) -> None:
        super().__init__(area)
        self.radius = radius

    def filled(self, images: Tensor, covered: Tensor, generators: Generators) -> Tensor:
        """What OpenCV makes of the border."""
        filled = [
            opencv.inpainted(image.cpu(), hole[0].cpu(), self.radius)
            for image, hole in zip(images, covered, strict=True)
        ]
        return torch.where(covered, torch.stack(filled).to(images), images.detach())
