"""Geometry: resizing with an antialiasing filter, and sampling along a grid with a bicubic one."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.functional import opencv

SIGNS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
"""Of the corners' x and y from the centre, clockwise from the top left."""


def resize(images: Tensor, size: tuple[int, int], mode: str = "bicubic") -> Tensor:
    """Scale to ``(height, width)``; the filter widens when shrinking, as in Pillow. Values may overshoot [0, 1]."""
    if size == tuple(images.shape[-2:]):
        return images
    return F.interpolate(images, size=size, mode=mode, antialias=True, align_corners=False)


def scaled(images: Tensor, factor: float) -> tuple[int, int]:
    """Height and width after scaling by ``factor``, rounded, at least one pixel."""
    return max(1, round(images.shape[-2] * factor)), max(1, round(images.shape[-1] * factor))


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
        mode: ``bicubic`` or ``bilinear``.

    Returns:
        ``(N, 3, *size)``. Bicubic values may overshoot; there is no antialiasing filter.
    """
    height, width = images.shape[-2:]
    if opencv.serves(images):
        from_corner = _shift((height, width), 1) @ back @ _shift(size, -1)
        return opencv.project(images, from_corner, size, outside, mode)
    places = positions(*axes(*size, images), back.to(images))
    grid = (places / places.new_tensor([width / 2, height / 2])).expand(len(images), -1, -1, -1)
    found = F.grid_sample(images - outside, grid, mode=mode, padding_mode="zeros", align_corners=False)
    return found + outside


def _shift(size: tuple[int, int], sign: int) -> Tensor:
    """Positions from the centre of a picture to pixel indices (``sign`` 1), or the other way round (-1)."""
    height, width = size
    right, down = sign * (width - 1) / 2, sign * (height - 1) / 2
    return torch.tensor([[1, 0, right], [0, 1, down], [0, 0, 1]], dtype=torch.float64)


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


def homography(corners: Tensor, height: int, width: int) -> Tensor:
    """The 3x3 maps ``(N, 3, 3)`` that send the corners of an ``height x width`` picture to ``corners``.

    Args:
        corners: ``(N, 4, 2)`` positions (x, y) in pixels from the centre, clockwise from the top left.
        height: of the picture whose corners are mapped.
        width: of the same picture.

    Returns:
        ``(N, 3, 3)``, double precision on the CPU.
    """
    (x, y), (u, v) = (SIGNS * (width / 2, height / 2)).T, corners.double().cpu().numpy().transpose(2, 0, 1)
    equations = np.zeros((len(u), 8, 8))
    equations[:, :4, 0], equations[:, :4, 1], equations[:, :4, 2] = x, y, 1
    equations[:, 4:, 3], equations[:, 4:, 4], equations[:, 4:, 5] = x, y, 1
    equations[:, :4, 6], equations[:, :4, 7] = -u * x, -u * y
    equations[:, 4:, 6], equations[:, 4:, 7] = -v * x, -v * y
    solved = np.linalg.solve(equations, np.concatenate([u, v], 1)[..., None])[..., 0]  # (N, 8)
    return torch.from_numpy(np.concatenate([solved, np.ones((len(u), 1))], 1).reshape(-1, 3, 3))


def widest_steps(back: Tensor, corners: Tensor) -> Tensor:
    """How far apart, at most, ``back`` looks up two neighbours: source pixels per pixel ``(N,)``, inside ``corners``.

    The Jacobian of a homography is the source position's and the depth's slopes over the depth; it is largest where
    the depth is least, and inside a quadrangle that is at one of its corners.
    """
    maps, goal = back.numpy()[:, None], corners.double().cpu().numpy()[..., None]  # (N, 1, 3, 3), (N, 4, 2, 1)
    here = maps[..., :2] @ goal + maps[..., 2:]  # (N, 4, 3, 1)
    depth = here[..., 2:, :]  # (N, 4, 1, 1)
    slopes = (maps[..., :2, :2] - here[..., :2, :] / depth * maps[..., 2:, :2]) / depth  # (N, 4, 2, 2)
    squares, area = (slopes**2).sum((-2, -1)), np.linalg.det(slopes)
    largest = (squares + np.sqrt(np.maximum(squares**2 - 4 * area**2, 0))) / 2  # singular value of a 2x2, squared
    return torch.from_numpy(np.sqrt(largest.max(-1)))


def positions(x: Tensor, y: Tensor, matrices: Tensor) -> Tensor:
    """Apply ``(N, 3, 3)`` homographies to positions whose x and y broadcast to ``(h, w)``; returns ``(N, h, w, 2)``."""
    m = matrices[..., None, None]
    across, down, depth = (m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(3))
    return points(across / depth, down / depth)
