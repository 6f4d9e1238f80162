"""Large pictures in bounded memory: the mark is drawn on a reduced copy and enlarged strip by strip onto the pixels.

A mark that grows with the picture holds nothing finer than the reduced copy does. At full size there are only bytes,
and one strip of floats at a time.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
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
    pixels = np.asarray(image.convert("L" if is_grey(image) else "RGB"))  # (H, W) or (H, W, 3)
    grey = pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())
    pixels = pixels.reshape(*pixels.shape[:2], -1)[..., : 1 if grey else 3]
    marked = added(pixels, reduced_change(scheme, image, pixels, message, device))
    return like(image, Image.fromarray(marked if marked.shape[2] == 3 else marked[..., 0]))


def reduced_change(
    scheme: Scheme, image: Image.Image, pixels: np.ndarray, message: Tensor, device: torch.device
) -> Tensor:
    """What to add to ``image``, reduced, ``(1, 3, h, w)`` or for grey ``pixels`` ``(1, 1, h, w)``, at full strength."""
    small = reduced(scheme, image).to(device)
    return _scaled(scheme, pixels, scheme.residual(small, message.to(device)).cpu())


def _scaled(scheme: Scheme, pixels: np.ndarray, change: Tensor) -> Tensor:
    """The reduced change ``(1, 3 or 1, h, w)`` at the strength that the scheme asks for, found at some rows."""
    height, width, planes = pixels.shape
    rows = torch.arange(0, height, max(1, width * height // SAMPLE))
    seen = torch.from_numpy(pixels[rows.numpy()]).permute(2, 0, 1)[None].float() / 255
    seen = seen.expand(1, 3, -1, -1)
    there = _enlarged(F.interpolate(change, (change.shape[2], width), mode="bicubic"), rows, height)
    if scheme.target_psnr is not None:
        scale = scale_for_psnr(seen, there, scheme.target_psnr, scheme.gain_limits)[:, None, None, None]
        change, there = change * scale, there * scale
    if planes == 3:
        return change
    reached = float(psnr(to_8bit((seen + there).clamp(0, 1)), seen))
    change, there = luma(change), luma(there).expand(-1, 3, -1, -1)
    return change * scale_for_psnr(seen, there, reached)[:, None, None, None] if math.isfinite(reached) else change


def added(pixels: np.ndarray, change: Tensor, levels: int = 255) -> np.ndarray:
    """Whole numbers ``(H, W, C)`` up to ``levels``, with a change ``(1, C or 1, h, w)`` enlarged to their size."""
    height, width, _ = pixels.shape
    wide = F.interpolate(change * levels, (change.shape[2], width), mode="bicubic")
    marked = np.empty_like(pixels)
    for top in range(0, height, ROWS):
        rows = torch.arange(top, min(top + ROWS, height))
        strip = torch.from_numpy(pixels[top : top + ROWS].astype(np.float32)).permute(2, 0, 1)
        strip = strip.add(_enlarged(wide, rows, height)[0]).clamp_(0, levels).round_()
        marked[top : top + ROWS] = strip.permute(1, 2, 0).numpy()
    return marked


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
