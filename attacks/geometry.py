"""Warps of the whole picture: perspective, shear, linear maps, shifts, frames, lost lines, bending."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw, warp


class Perspective(Attack):
    """Move each corner inwards by a random part of ``distortion`` times .98 of half a side; outside is black.

    At .98 the four corners cannot meet, so every draw is a picture.

    Args:
        distortion: 0 to 1, as in torchvision's RandomPerspective.
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral, together = "share of half a side", 0.0, True
    version = 2
    reproduces = "VideoSeal and OmniSealBench perspective"

    def __init__(self, distortion: float) -> None:
        if not 0 <= distortion <= 1:
            raise ValueError(f"distortion must be in 0..1, got {distortion}")
        super().__init__(distortion)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Draw the corners, sample between them."""
        height, width = images.shape[-2:]
        corners = torch.from_numpy(warp.SIGNS * (width / 2, height / 2))
        inwards = draw.uniform(generators, corners, 4, 2)
        return project_corners(images, corners * (1 - 0.98 * self.strength * inwards))


def project_corners(images: Tensor, corners: Tensor, outside: float = 0.0) -> Tensor:
    """Draw pictures with their corners at ``corners`` ``(N, 4, 2)``, pixels from the centre; same size, bilinear.

    A bilinear sample reaches one source pixel to each side, so one per pixel misses nothing while neighbours are at
    most two source pixels apart; a picture of which a part shrinks more than that gets the mean of four per pixel.
    """
    height, width = size = images.shape[-2], images.shape[-1]
    back, steps = warp.look_back(corners, height, width)
    drawn = warp.project(images, back, size, outside, "bilinear")
    coarse = steps > 2
    if coarse.any():
        chosen = coarse.to(images.device)
        quarters = [_moved(right, down) for right, down in itertools.product((-0.25, 0.25), repeat=2)]
        passes = [
            warp.project(images[chosen], back[coarse] @ quarter, size, outside, "bilinear") for quarter in quarters
        ]
        drawn[chosen] = torch.stack(passes).mean(0)
    return drawn


def _moved(right: float, down: float) -> Tensor:
    return torch.tensor([[1, 0, right], [0, 1, down], [0, 0, 1]], dtype=torch.float64)


class Shear(Attack):
    """Slide rows sideways in proportion to their distance from the middle one; outside is black.

    Args:
        slope: sideways pixels per row, -1 to 1.
    """

    differentiable, geometric, harder = True, True, "away"
    family = "geometry"
    unit, neutral, together = "pixels per row", 0.0, True
    version = 2
    reproduces = "StirMark shear"

    def __init__(self, slope: float) -> None:
        if not -1 <= slope <= 1:
            raise ValueError(f"slope must be in -1..1, got {slope}")
        super().__init__(slope)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        back = torch.tensor([[[1, -self.strength, 0], [0, 1, 0], [0, 0, 1]]], dtype=torch.float64)
        return warp.project(images, back, (images.shape[-2], images.shape[-1]))


class Linear(Attack):
    """Map positions by a 2x2 matrix about the centre, a stretch and a slant at once; same size, outside is black.

    Args:
        share: of the way from the identity to ``matrix``, 0 to 10; 1 is the matrix itself.
        matrix: rows (a, b) and (c, d): a pixel at (x, y) goes to (a x + b y, c x + d y).
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral, together = "share of the matrix", 0.0, True
    reproduces = "StirMark general linear transformation"

    def __init__(self, share: float, matrix: Sequence[Sequence[float]] = ((1.010, 0.013), (0.009, 1.011))) -> None:
        if not 0 <= share <= 10:
            raise ValueError(f"share must be in 0..10, got {share}")
        super().__init__(share)
        still = torch.eye(2, dtype=torch.float64)
        self.matrix = torch.lerp(still, torch.tensor(matrix, dtype=torch.float64), share)
        if self.matrix.det() <= 0:
            raise ValueError(f"expected a matrix that neither flattens nor mirrors, got {self.matrix.tolist()}")

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        back = torch.eye(3, dtype=torch.float64)
        back[:2, :2] = torch.linalg.inv(self.matrix)
        return warp.project(images, back[None], (images.shape[-2], images.shape[-1]))


class _Pixels(Attack):
    """A whole number of pixels as the strength."""

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral = "pixels", 0.0

    def __init__(self, pixels: int) -> None:
        if pixels < 0 or pixels != int(pixels):
            raise ValueError(f"pixels must be a whole number of at least 0, got {pixels}")
        super().__init__(pixels)


class Translate(_Pixels):
    """Shift the content right and down by ``pixels``; what comes in is black, what leaves is lost."""

    reproduces = "StirMark and common benchmarks, translation"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Pad on one side, cut on the other."""
        height, width = images.shape[-2:]
        shift = int(self.strength)
        return F.pad(images, (shift, 0, shift, 0))[..., :height, :width]


class Pad(_Pixels):
    """Put a frame of ``pixels`` on every side.

    Args:
        pixels: width of the frame.
        fill: its grey level, 0..1.
    """

    reproduces = "letterbox of a web page or a story format"

    def __init__(self, pixels: int, fill: float = 1.0) -> None:
        super().__init__(pixels)
        self.fill = fill

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return F.pad(images, (int(self.strength),) * 4, value=self.fill)


class RemoveLines(_Pixels):
    """Take out ``pixels`` rows and as many columns, evenly spread with a random start; at most half of them."""

    reproduces = "StirMark row and column removal"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        starts = draw.uniform(generators, images, 2).cpu().tolist()
        return torch.stack([self._thin(image, *start) for image, start in zip(images, starts, strict=True)])

    def _thin(self, image: Tensor, row: float, column: float) -> Tensor:
        for axis, start in ((-2, row), (-1, column)):
            side = image.shape[axis]
            count = min(int(self.strength), side // 2)
            gone = ((torch.arange(count) + start) * side / count).long().clamp(max=side - 1)
            first, *later = image.tensor_split(gone, axis)
            image = torch.cat([first, *(piece.narrow(axis, 1, piece.shape[axis] - 1) for piece in later)], axis)
        return image


class Bending(Attack):
    """StirMark's random geometric distortion: a slow bend, a smooth random drift and a little jitter of every pixel.

    Args:
        bend: largest displacement of the bend as a share of the shorter side; the drift has up to half of it.
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral = "displacement as share of the shorter side", 0.0
    reproduces = "StirMark random bending (Petitcolas, Anderson and Kuhn, 1998), own parameters"

    def __init__(self, bend: float) -> None:
        if not 0 <= bend <= 0.2:
            raise ValueError(f"bend must be in 0..0.2, got {bend}")
        super().__init__(bend)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Bicubic; the border is continued."""
        height, width = images.shape[-2:]
        grid = warp.pixel_grid(height, width, images)
        x, y = grid[..., 0] / width + 0.5, grid[..., 1] / height + 0.5
        dice = draw.uniform(generators, images, 2, 1, 1, low=-1.0)
        coarse = F.interpolate(draw.normal(generators, images, 2, 7, 7), (height, width), mode="bicubic")
        slow = dice * torch.stack([torch.sin(torch.pi * y), torch.sin(torch.pi * x)])  # (N, 2, H, W)
        reach = self.strength * min(height, width)
        field = reach * (slow + coarse.clamp(-2, 2) / 4)
        field = field + min(0.15, 0.02 * reach) * draw.normal(generators, images, 2, height, width)
        return warp.sample(images, grid + field.permute(0, 2, 3, 1))
