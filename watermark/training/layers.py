"""Attacks as layers of a network: forward is the suite's own attack, bit for bit; only gradients are invented."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import dct
from torch import Tensor, nn

from attacks.base import Attack
from attacks.compression import Jpeg

LUMA_TABLE = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)  # ITU-T T.81, table K.1
CHROMA_TABLE = (
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99 " + "99 " * 32
)  # ITU-T T.81, table K.2
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


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
        tables = np.array([[int(word) for word in table.split()] for table in (LUMA_TABLE, CHROMA_TABLE)])
        percent = 5000 / int(quality) if quality < 50 else 200 - 2 * int(quality)  # the IJG scale
        steps = np.clip((tables * percent + 50) // 100, 1, 255).astype(np.float32)
        self.register_buffer("tables", torch.from_numpy(steps).view(2, 64, 1, 1), persistent=False)
        rows = dct(np.eye(8), axis=0, norm="ortho")
        basis = torch.tensor(np.einsum("uy,vx->uvyx", rows, rows).reshape(64, 1, 8, 8), dtype=torch.float32)
        self.register_buffer("basis", basis, persistent=False)

    def forward(self, images: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Attack ``(N, 3, H, W)`` in [0, 1], sides divisible by 16."""
        real = self.codec(images.detach(), generators)
        if not images.requires_grad:
            return real
        planes = torch.einsum("nchw,dc->ndhw", images * 255, images.new_tensor(TO_YCC))
        luma = self._blocks(planes[:, :1] - 128, self.tables[0])
        small = F.avg_pool2d(planes[:, 1:], 2)
        chroma = self._blocks(small.flatten(0, 1)[:, None], self.tables[1]).view_as(small)
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
        to_rgb = torch.linalg.inv(images.new_tensor(TO_YCC))
        proxy = torch.einsum("ndhw,cd->nchw", torch.cat([luma, chroma], 1), to_rgb) / 255
        return real + (proxy - proxy.detach())

    def _blocks(self, plane: Tensor, steps: Tensor) -> Tensor:
        coefficients = F.conv2d(plane, self.basis.to(plane), stride=8)
        slope = (2 * coefficients.detach() / steps.to(plane)).square().clamp(max=1)
        return F.conv_transpose2d(coefficients * slope, self.basis.to(plane), stride=8)
