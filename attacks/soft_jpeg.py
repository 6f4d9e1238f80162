"""JPEG with gradients, for training only; scores come from the real codec in ``compression``."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import dct
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import color

# Tables K.1 and K.2 of ITU-T T.81, rows of the 8x8 block
LUMA_TABLE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
CHROMA_TABLE = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""


class SoftJpeg(Attack):
    """What JPEG loses, without the file: block transform and quantisation whose rounding has a slope.

    Rounding is ``round(x) + (x - round(x))^3`` (Shin and Song, 2017), so gradients are those of what is computed. How
    far the picture is from the real codec's is bounded in ``tests/attacks/test_soft_jpeg.py``.

    Args:
        quality: 1 (worst) to 100, the IJG scale.
        subsampling: ``4:2:0`` or ``4:4:4``.
    """

    differentiable, geometric, harder = True, False, "lower"
    family = "compression"
    unit = "quality 1..100"
    reproduces = "stand-in for Jpeg in training; never scored"

    def __init__(self, quality: int, subsampling: str = "4:2:0") -> None:
        if not 1 <= quality <= 100:
            raise ValueError(f"quality must be in 1..100, got {quality}")
        if subsampling not in ("4:2:0", "4:4:4"):
            raise ValueError(f"subsampling must be 4:2:0 or 4:4:4, got {subsampling!r}")
        super().__init__(quality)
        self.subsampling = subsampling

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Colour, blocks, rounding, and back."""
        height, width = images.shape[-2:]
        block = 16 if self.subsampling == "4:2:0" else 8
        padded = F.pad(images, (0, -width % block, 0, -height % block), mode="replicate")
        ycc = color.rgb_to_ycc(padded) * 255
        luma, chroma = ycc[:, :1] - 128, ycc[:, 1:]
        luma = _quantise(luma, quantisation_table(LUMA_TABLE, int(self.strength)))
        chroma_table = quantisation_table(CHROMA_TABLE, int(self.strength))
        if block == 16:
            coarse = _quantise(F.avg_pool2d(chroma, 2), chroma_table)
            chroma = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        else:
            chroma = _quantise(chroma, chroma_table)
        rgb = color.ycc_to_rgb(torch.cat([luma + 128, chroma], 1) / 255)
        return rgb[..., :height, :width].clamp(0, 1)


def quantisation_table(base: str, quality: int) -> Tensor:
    """The IJG scaling of a standard table: ``(8, 8)`` float, entries 1 to 255."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = np.array(base.split(), dtype=np.int64).reshape(8, 8)
    return torch.from_numpy(((table * percent + 50) // 100).clip(1, 255)).float()


def _quantise(planes: Tensor, table: Tensor) -> Tensor:
    """Every 8x8 block of ``(N, C, H, W)`` through the cosine transform, soft rounding to ``table``, and back."""
    n, c, h, w = planes.shape
    basis = torch.from_numpy(dct(np.eye(8), norm="ortho", axis=0)).to(planes)  # (frequency, position)
    steps = table.to(planes)
    blocks = planes.view(n, c, h // 8, 8, w // 8, 8).transpose(3, 4)  # (n, c, h/8, w/8, 8, 8)
    scaled = basis @ blocks @ basis.T / steps
    whole = scaled.detach().round()
    restored = basis.T @ ((whole + (scaled - whole) ** 3) * steps) @ basis
    return restored.transpose(3, 4).reshape(n, c, h, w)
