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


def sample(images: Tensor, places: Tensor, outside: float | None = 0.0, mode: str = "bicubic") -> Tensor:
    """Look up ``images`` at ``points``.

    Args:
        images: ``(N, 3, H, W)``.
        places: ``(N, h, w, 2)`` source positions (x, y) in pixels from the centre of the source, or ``(1, h, w, 2)`` if
            they are the same for all.
        outside: grey level beyond the border, blended over one pixel; None continues the border instead.
        mode: ``bicubic`` or ``bilinear``.

    Returns:
        ``(N, 3, h, w)``, clamped to [0, 1]. There is no antialiasing filter: shrink with ``resize`` first.
    """
    height, width = images.shape[-2:]
    if opencv.serves(images, places):
        x, y = (places[..., i].add((side - 1) / 2) for i, side in enumerate((width, height)))
        found = opencv.sample(images, x, y, mode).clamp_(0, 1)
    else:
        grid = (places / places.new_tensor([width / 2, height / 2])).expand(len(images), -1, -1, -1)
        found = F.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False).clamp(0, 1)
    if outside is None:
        return found
    across, down = ((side / 2 + 0.5 - places[..., i].abs()).clamp(0, 1) for i, side in enumerate((width, height)))
    inside = (across * down)[:, None]  # one pixel of soft edge, centred on the border
    return found * inside + outside * (1 - inside) if outside else found * inside


def cosine_and_sine(degrees: float) -> tuple[float, float]:
    """Of an angle; exact for quarter turns."""
    if degrees % 90 == 0:
        return [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def turned(height: int, width: int, cosine: float | Tensor, sine: float | Tensor, like: Tensor) -> Tensor:
    """Source positions of a picture turned counter-clockwise; angles ``(N, 1, 1)`` give ``(N, height, width, 2)``."""
    x, y = axes(height, width, like)
    return points(cosine * x - sine * y, sine * x + cosine * y)


def homography(corners: Tensor, height: int, width: int) -> Tensor:
    """The 3x3 maps ``(N, 3, 3)`` that send the corners of an ``height x width`` picture to ``corners``.

    Args:
        corners: ``(N, 4, 2)`` positions (x, y) in pixels from the centre, clockwise from the top left.
        height: of the picture whose corners are mapped.
        width: of the same picture.
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
    matrix = torch.cat([solved, torch.ones(len(goal), 1, dtype=torch.float64)], 1).view(-1, 3, 3)
    return matrix.to(corners)


def project(x: Tensor, y: Tensor, matrices: Tensor) -> Tensor:
    """Apply ``(N, 3, 3)`` homographies to positions whose x and y broadcast to ``(h, w)``; returns ``(N, h, w, 2)``."""
    m = matrices[..., None, None]
    across, down, depth = (m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(3))
    return points(across / depth, down / depth)
