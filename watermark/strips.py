"""Large pictures in bounded memory: the mark is drawn on a reduced copy and enlarged strip by strip onto the pixels.

A mark that grows with the picture holds nothing finer than the reduced copy does. At full size there are only bytes,
and one strip of floats at a time.
"""

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark.files.modes import is_grey
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import like, to_tensor
from watermark.schemes.base import Scheme, scale_for_psnr
from watermark.transforms.color import luma

ROWS = 64
"""Height of a strip, px."""
SAMPLE = 1_000_000
"""Px, in rows spread over the picture, at which the strength is found."""


def is_large(scheme: Scheme, width: int, height: int) -> bool:
    """Whether a picture is to be worked on at a reduced size."""
    area = scheme.working_area
    return area is not None and width * height > area and _reduced_size(area, width, height)[0] > 0


def reduced(scheme: Scheme, image: Image.Image) -> Tensor:
    """A picture ``(1, 3, h, w)`` at the size at which its scheme works on it."""
    assert scheme.working_area is not None
    size = _reduced_size(scheme.working_area, *image.size)
    return to_tensor(image.resize(size, Image.Resampling.HAMMING))


def _reduced_size(area: int, width: int, height: int) -> tuple[int, int]:
    """Nothing (0, 0) where the shorter side would become too short for a mark."""
    shrink = math.sqrt(area / (width * height))
    size = round(width * shrink), round(height * shrink)
    return size if min(size) >= 256 else (0, 0)


def embed(scheme: Scheme, image: Image.Image, message: Tensor, device: torch.device) -> Image.Image:
    """A marked copy.

    Args:
        scheme: one with a ``working_area``.
        image: upright, L, LA, RGB or RGBA (``watermark.pixels.ready``).
        message: ``(1, K)`` bool.
        device: where the reduced copy is worked on.
    """
    mode = "L" if is_grey(image) else "RGB"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))  # (H, W) or (H, W, 3)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if all((rows == rows[..., :1]).all() for rows in (pixels[::ROWS], pixels)):  # some rows tell it of most pictures
        pixels = pixels[..., :1]
    marked = added(pixels, reduced_change(scheme, image, pixels, message, device))
    return like(image, Image.fromarray(marked if marked.shape[2] == 3 else marked[..., 0]))


def reduced_change(
    scheme: Scheme, image: Image.Image, pixels: np.ndarray, message: Tensor, device: torch.device
) -> Tensor:
    """What to add to ``image`` of width W, ``(1, 3, h, W)`` or for grey ``pixels`` ``(1, 1, h, W)``, at full strength.

    Its height ``h`` is the reduced one; ``added`` enlarges it strip by strip.
    """
    small = reduced(scheme, image).to(device)
    change = scheme.residual(small, message.to(device)).cpu()
    return _scaled(scheme, pixels, _widened(change, image.width))


def _scaled(scheme: Scheme, pixels: np.ndarray, change: Tensor) -> Tensor:
    """The change ``(1, 3 or 1, h, W)`` at the strength that the scheme asks for, found at some rows; in place."""
    height, width, planes = pixels.shape
    rows = torch.arange(0, height, max(1, width * height // SAMPLE))
    seen = torch.from_numpy(pixels[rows.numpy()]).permute(2, 0, 1)[None].float() / 255
    seen = seen.expand(1, 3, -1, -1)
    there = torch.cat([_enlarged(change, some, height) for some in rows.split(8)], 2)  # few rows between them
    if scheme.target_psnr is not None:
        scale = scale_for_psnr(seen, there, scheme.target_psnr, scheme.gain_limits)[:, None, None, None]
        change, there = change.mul_(scale), there.mul_(scale)
    if planes == 3:
        return change
    reached = float(psnr(to_8bit((seen + there).clamp(0, 1)), seen))
    change, there = luma(change), luma(there).expand(-1, 3, -1, -1)
    return change.mul_(scale_for_psnr(seen, there, reached)[:, None, None, None]) if math.isfinite(reached) else change


def added(pixels: np.ndarray, change: Tensor, levels: int = 255) -> np.ndarray:
    """Whole numbers ``(H, W, C)`` up to ``levels``, with a change ``(1, C or 1, h, W)`` enlarged to their height."""
    height = len(pixels)
    marked = np.empty_like(pixels)
    for top in range(0, height, ROWS):
        rows = torch.arange(top, min(top + ROWS, height))
        strip = torch.from_numpy(pixels[top : top + ROWS].astype(np.float32)).permute(2, 0, 1)
        strip = strip.add(_enlarged(change, rows, height)[0], alpha=levels).clamp_(0, levels).round_()
        marked[top : top + ROWS] = strip.permute(1, 2, 0).numpy()
    return marked


def _widened(change: Tensor, width: int) -> Tensor:
    """A change ``(1, C, h, w)`` enlarged to ``width`` columns, by cubic convolution; OpenCV is the fastest at it."""
    import cv2

    planes = change[0].numpy()
    wide = np.empty((*planes.shape[:2], width), np.float32)
    for plane, enlarged in zip(planes, wide, strict=True):
        cv2.resize(plane, (width, len(plane)), enlarged, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(wide)[None]


def _enlarged(wide: Tensor, rows: Tensor, height: int) -> Tensor:
    """Some rows ``(R,)`` of a picture ``(1, C, h, W)`` enlarged to ``height`` rows, by cubic convolution."""
    short = wide.shape[2]
    where = (rows + 0.5) * (short / height) - 0.5  # (R,) in rows of the short picture
    first, last = max(0, int(where[0]) - 2), min(short, int(where[-1]) + 4)
    base = where.floor()
    weights = torch.zeros(len(rows), last - first)
    for tap in range(-1, 3):
        distance = (where - base - tap).abs()
        near = (1.25 * distance - 2.25) * distance**2 + 1
        far = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
        index = (base.long() + tap).clamp(0, short - 1) - first
        weights.scatter_add_(1, index[:, None], torch.where(distance <= 1, near, far)[:, None])
    return weights @ wide[:, :, first:last]
