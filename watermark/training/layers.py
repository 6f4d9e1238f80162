"""Attacks as layers of a network: forward is the suite's own attack, bit for bit; only gradients are invented."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import dct
from torch import Tensor, nn

from attacks.base import Attack
from attacks.compression import Jpeg
from attacks.functional import color
from attacks.soft_jpeg import CHROMA_TABLE, LUMA_TABLE, quantisation_table


class StraightThrough(nn.Module):
    """An attack whose gradient is taken to be that of doing nothing, unless it has one of its own.

    Args:
        attack: any attack that keeps the size of its pictures.
    """

    def __init__(self, attack: Attack) -> None:
        super().__init__()
        self.attack = attack

    def forward(self, images: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Attack ``(N, 3, H, W)`` in [0, 1]; the same size comes back."""
        if self.attack.differentiable:
            return self.attack(images, generators)
        return images + (self.attack(images.detach(), generators) - images.detach())


class JpegLayer(nn.Module):
    """Real JPEG forward; backward, each coefficient passes as much gradient as quantisation leaves of a step.

    A coefficient well above its quantisation step follows a small change on average; one below half a step is rounded
    to zero and follows hardly at all. The slope used is ``min(1, (2 c / q) ** 2)``. Without it an embedder learns at
    low quality that high frequencies pay, which they do not.

    Args:
        quality: 1..100.
    """

    basis: Tensor
    tables: Tensor

    def __init__(self, quality: float) -> None:
        super().__init__()
        self.codec = Jpeg(int(quality))
        steps = torch.stack([quantisation_table(table, int(quality)) for table in (LUMA_TABLE, CHROMA_TABLE)])
        self.register_buffer("tables", steps.view(2, 64, 1, 1), persistent=False)
        rows = dct(np.eye(8), axis=0, norm="ortho")
        basis = torch.tensor(np.einsum("uy,vx->uvyx", rows, rows).reshape(64, 1, 8, 8), dtype=torch.float32)
        self.register_buffer("basis", basis, persistent=False)

    def forward(self, images: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Attack ``(N, 3, H, W)`` in [0, 1], sides divisible by 16."""
        real = self.codec(images.detach(), generators)
        if not images.requires_grad:
            return real
        planes = color.rgb_to_ycc(images) * 255
        luma = self._blocks(planes[:, :1] - 128, self.tables[0])
        small = F.avg_pool2d(planes[:, 1:], 2)
        chroma = self._blocks(small.flatten(0, 1)[:, None], self.tables[1]).view_as(small)
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
        proxy = color.ycc_to_rgb(torch.cat([luma, chroma], 1) / 255)
        return real + (proxy - proxy.detach())

    def _blocks(self, plane: Tensor, steps: Tensor) -> Tensor:
        coefficients = F.conv2d(plane, self.basis.to(plane), stride=8)
        slope = (2 * coefficients.detach() / steps.to(plane)).square().clamp(max=1)
        return F.conv_transpose2d(coefficients * slope, self.basis.to(plane), stride=8)
