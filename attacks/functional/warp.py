"""Geometry: resizing with an antialiasing filter, and sampling along a grid with a bicubic one."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.functional import opencv

SIGNS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
"""Of the corners' x and y from the centre, clockwise from the top left."""


def resize(images: Tensor, size: tuple[int, int], mode: str = "bicubic", antialias: bool = True) -> Tensor:
    """Scale to ``(height, width)``; the filter widens when shrinking, as in Pillow. Values may overshoot [0, 1]."""
    if size == tuple(images.shape[-2:]):
        return images
    return F.interpolate(images, size=size, mode=mode, antialias=antialias, align_corners=False)


def scaled(images: Tensor, factor: float, truncate: bool = False) -> tuple[int, int]:
    """Height and width after scaling by ``factor``, rounded (or cut) to whole pixels, at least one."""
    whole = _cut if truncate else round
    return max(1, whole(images.shape[-2] * factor)), max(1, whole(images.shape[-1] * factor))


def _cut(length: float) -> int:
    """Down to a whole number, unless rounding errors alone keep it from the next one."""
    return math.floor(length + 1e-6)


def axes(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Pixel centres as x ``(1, width)`` and y ``(height, 1)``, in pixels from the centre of the picture."""
    x = torch.arange(width, device=like.device, dtype=like.dtype) - (width - 1) / 2
    y = torch.arange(height, device=like.device, dtype=like.dtype) - (height - 1) / 2
    return x[None], y[:, None]


def points(x: Tensor, y: Tensor) -> Tensor:
    """Two coordinates as one ``(..., 2)``; each stays contiguous in memory, which every reader of it likes."""
    return torch.stack(torch.broadcast_tensors(x, y)).movedim(0, -1)


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Pixel centres ``(height, width, 2)`` as (x, y), in pixels from the centre of the picture."""
    return points(*axes(height, width, like))


def sample(images: Tensor, places: Tensor) -> Tensor:
    """Look up ``images`` at any positions, bicubic; the border is continued.

    Args:
        images: ``(N, 3, H, W)``.
        places: ``(N, h, w, 2)`` source positions (x, y) in pixels from the centre of the source, or ``(1, h, w, 2)`` if
            they are the same for all.

    Returns:
        ``(N, 3, h, w)``, clamped to [0, 1]. There is no antialiasing filter: shrink with ``resize`` first.
    """
    height, width = images.shape[-2:]
    if opencv.serves(images, places):
        x, y = (places[..., i].add((side - 1) / 2) for i, side in enumerate((width, height)))
        return opencv.sample(images, x, y).clamp_(0, 1)
    grid = (places / places.new_tensor([width / 2, height / 2])).expand(len(images), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(0, 1)


def project(
    images: Tensor, back: Tensor, size: tuple[int, int], outside: float = 0.0, mode: opencv.Mode = "bicubic"
) -> Tensor:
    """Look up ``images`` through homographies: turned, slanted or seen from aside.

    Args:
        images: ``(N, 3, H, W)``.
        back: ``(N, 3, 3)``, or ``(1, 3, 3)`` for all: from a position in the result to one in the source, each in
            pixels from the centre of its picture. Double precision on the CPU.
        size: height and width of the result.
        outside: grey level of the pixels that the filter meets beyond the border.
        mode: ``bicubic``, ``bilinear`` or ``nearest``.

    Returns:
        ``(N, 3, *size)``. Bicubic values may overshoot; there is no antialiasing filter.
    """
    height, width = images.shape[-2:]
    if opencv.serves(images):
        return opencv.project(images, _of_indices(back, (height, width), size), size, outside, mode)
    places = positions(*axes(*size, images), back.to(images))
    grid = (places / places.new_tensor([width / 2, height / 2])).expand(len(images), -1, -1, -1)
    found = F.grid_sample(images - outside, grid, mode=mode, padding_mode="zeros", align_corners=False)
    return found + outside


def _of_indices(back: Tensor, source: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Homographies between positions from the centres of two pictures as ones between pixel indices."""
    matrices = back.numpy().copy()
    matrices[..., 2] -= matrices[..., 0] * ((size[1] - 1) / 2) + matrices[..., 1] * ((size[0] - 1) / 2)
    matrices[:, 0] += matrices[:, 2] * ((source[1] - 1) / 2)
    matrices[:, 1] += matrices[:, 2] * ((source[0] - 1) / 2)
    return matrices


def cosine_and_sine(degrees: float) -> tuple[float, float]:
    """Of an angle; exact for quarter turns."""
    if degrees % 90 == 0:
        return [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def rotation(cosine: Tensor, sine: Tensor) -> Tensor:
    """Where ``project`` looks to turn pictures counter-clockwise: angles ``(N,)`` give ``(N, 3, 3)``."""
    cosine, sine = cosine.double().cpu(), sine.double().cpu()
    one, nil = torch.ones_like(cosine), torch.zeros_like(cosine)
    return torch.stack([cosine, -sine, nil, sine, cosine, nil, nil, nil, one], -1).view(-1, 3, 3)


def look_back(corners: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where ``project`` looks to draw pictures with their corners elsewhere, and how coarsely.

    Closed form (Heckbert, 1989), picture by picture in plain numbers: a batch has few, and what a library's small
    matrices cost in calls is more than the sampling of a picture may take.

    Args:
        corners: ``(N, 4, 2)`` positions (x, y) in pixels from the centre, clockwise from the top left.
        height: of the picture whose corners go there.
        width: of the same picture.

    Returns:
        ``(N, 3, 3)`` homographies from the result to the picture, double precision on the CPU, and for each how far
        apart, at most, two neighbours inside ``corners`` are looked up: source pixels per pixel ``(N,)``.
    """
    goals = corners.double().cpu().tolist()
    maps = [_quadrangle_to_rectangle(goal, height, width) for goal in goals]
    steps = [max(_widest_step(matrix, x, y) for x, y in goal) for matrix, goal in zip(maps, goals, strict=True)]
    return torch.tensor(maps, dtype=torch.float64), torch.tensor(steps, dtype=torch.float64)


def _quadrangle_to_rectangle(corners: list[list[float]], height: int, width: int) -> list[list[float]]:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    ax, bx, cx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    ay, by, cy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = ax * by - bx * ay
    g, h = (cx * by - bx * cy) / area, (ax * cy - cx * ay) / area
    # the unit square goes to the quadrangle by rows (a b c), (d e f), (g h 1)
    a, b, c = x1 - x0 + g * x1, x3 - x0 + h * x3, x0
    d, e, f = y1 - y0 + g * y1, y3 - y0 + h * y3, y0
    right = (e - f * h, c * h - b, b * f - c * e)  # the way back, up to a factor: its adjugate
    down = (f * g - d, a - c * g, c * d - a * f)
    depth = (d * h - e * g, b * g - a * h, a * e - b * d)
    return [
        [width * (u - w / 2) for u, w in zip(right, depth, strict=True)],
        [height * (v - w / 2) for v, w in zip(down, depth, strict=True)],
        list(depth),
    ]


def _widest_step(matrix: list[list[float]], x: float, y: float) -> float:
    """Largest singular value of a homography's Jacobian at a place.

    It is the source position's slopes less those of the depth times that position, over the depth; it is largest where
    the depth is least, and inside a quadrangle that is at one of its corners.
    """
    u, v, depth = (row[0] * x + row[1] * y + row[2] for row in matrix)
    (a, b), (c, d) = (
        [(row[i] - place / depth * matrix[2][i]) / depth for i in (0, 1)]
        for row, place in zip(matrix[:2], (u, v), strict=True)
    )
    squares, area = a * a + b * b + c * c + d * d, a * d - b * c
    return math.sqrt((squares + math.sqrt(max(0.0, squares * squares - 4 * area * area))) / 2)


def positions(x: Tensor, y: Tensor, matrices: Tensor) -> Tensor:
    """Apply ``(N, 3, 3)`` homographies to positions whose x and y broadcast to ``(h, w)``; returns ``(N, h, w, 2)``."""
    m = matrices[..., None, None]
    across, down, depth = (m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(3))
    return points(across / depth, down / depth)
