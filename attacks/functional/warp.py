"""Geometry: resizing with an antialiasing filter, and sampling along a grid with a bicubic one."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.functional import opencv


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
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[0, 2], matrix[1, 2] = sign * (width - 1) / 2, sign * (height - 1) / 2
    return matrix


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
    signs = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    start = signs * torch.tensor([width / 2, height / 2], dtype=torch.float64)
    goal = corners.double().cpu()
    x, y = start.expand(len(goal), 4, 2).unbind(-1)
    one, nil = torch.ones_like(x), torch.zeros_like(x)
    u, v = goal.unbind(-1)
    top = torch.stack([x, y, one, nil, nil, nil, -u * x, -u * y], -1)
    bottom = torch.stack([nil, nil, nil, x, y, one, -v * x, -v * y], -1)
    solved = torch.linalg.solve(torch.cat([top, bottom], 1), torch.cat([u, v], 1))  # (N, 8)
    return torch.cat([solved, torch.ones(len(goal), 1, dtype=torch.float64)], 1).view(-1, 3, 3)


def widest_steps(back: Tensor, corners: Tensor) -> Tensor:
    """How far apart, at most, ``back`` looks up two neighbours: source pixels per pixel ``(N,)``, inside ``corners``.

    The Jacobian of a homography is the source position's and the depth's slopes over the depth; it is largest where
    the depth is least, and inside a quadrangle that is at one of its corners.
    """
    x, y = corners.double().cpu().unbind(-1)  # (N, 4)
    here = torch.stack([x, y, torch.ones_like(x)], -1) @ back.mT  # (N, 4, 3)
    depth = here[..., 2:, None]  # (N, 4, 1, 1)
    place = here[..., :2, None] / depth
    slopes = (back[:, None, :2, :2] - place * back[:, None, 2:, :2]) / depth  # (N, 4, 2, 2)
    return torch.linalg.matrix_norm(slopes, ord=2).amax(-1)


def positions(x: Tensor, y: Tensor, matrices: Tensor) -> Tensor:
    """Apply ``(N, 3, 3)`` homographies to positions whose x and y broadcast to ``(h, w)``; returns ``(N, h, w, 2)``."""
    m = matrices[..., None, None]
    across, down, depth = (m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(3))
    return points(across / depth, down / depth)
