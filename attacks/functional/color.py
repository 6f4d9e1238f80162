"""Colour spaces: sRGB's transfer curve, luma and chroma, and what displays make of them."""

import torch
from torch import Tensor

from attacks.functional import opencv

SRGB_TO_P3 = ((0.8224621, 0.1775380, 0.0), (0.0331942, 0.9668058, 0.0), (0.0170827, 0.0723974, 0.9105199))
"""Linear sRGB to linear Display P3 (both D65); from the primaries in SMPTE EG 432-1 and IEC 61966-2-1."""
RGB_TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
"""Full-range YCbCr of JFIF (Rec. 601), chroma centred on 0."""


def to_linear(images: Tensor) -> Tensor:
    """Decode sRGB to linear light (IEC 61966-2-1)."""
    return torch.where(images <= 0.04045, images / 12.92, ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Tensor) -> Tensor:
    """Encode linear light as sRGB."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def mix(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Multiply the channels of ``(N, 3, H, W)`` by a 3x3 ``matrix``."""
    return torch.einsum("ij,njhw->nihw", images.new_tensor(matrix), images)


def rgb_to_ycc(images: Tensor) -> Tensor:
    """RGB in [0, 1] to luma in [0, 1] and chroma in [-0.5, 0.5]."""
    return mix(images, RGB_TO_YCC)


def ycc_to_rgb(images: Tensor) -> Tensor:
    """Back from ``rgb_to_ycc``."""
    y, cb, cr = images.unbind(1)
    return torch.stack([y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb], 1)


def luma(images: Tensor) -> Tensor:
    """Rec. 601 luma ``(N, 1, H, W)``."""
    return (images * images.new_tensor(RGB_TO_YCC[0]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def turn_hue(images: Tensor, turn: float) -> Tensor:
    """Turn the hue circle of HSV by a share of a full turn; what has no hue stays as it is."""
    if opencv.serves(images):
        return opencv.turn_hue(images, turn)
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    ahead = torch.where(value == red, green - blue, torch.where(value == green, blue - red, red - green))
    from_red = torch.where(value == red, 0.0, torch.where(value == green, 2.0, 4.0))
    hue = from_red + ahead / torch.where(chroma > 0, chroma, 1.0)  # sixths of a turn
    hue = (hue + 6 * turn) % 6
    shares = torch.stack([(hue - 3).abs() - 1, 2 - (hue - 2).abs(), 2 - (hue - 4).abs()], 1).clamp(0, 1)
    return low[:, None] + chroma[:, None] * shares


def display(images: Tensor, handling: list[int], dice: Tensor) -> Tensor:
    """What a capture makes of the colours, per image.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        handling: 0 faithful, 1 a gamma off by up to 7 %, 2 Display P3 values stored as if they were sRGB.
        dice: ``(N,)`` in [0, 1), sets the gamma error.
    """
    result = [
        image
        if kind == 0
        else image.clamp(min=1e-6) ** (0.93 + 0.14 * die)
        if kind == 1
        else to_srgb(mix(to_linear(image[None]), SRGB_TO_P3))[0]
        for image, kind, die in zip(images, handling, dice, strict=True)
    ]
    return torch.stack(result)
