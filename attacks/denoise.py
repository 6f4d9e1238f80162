"""Regeneration without a network: smooth the picture until a mark drowns, keep what a viewer looks at."""

import numpy as np
import pywt
import torch
import torch.nn.functional as F
from scipy.fft import dct
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import filters, warp

STRIP = 128
"""Rows that non-local means compares at a time on a CPU."""


class _Denoiser(Attack):
    """Facts that the denoisers share."""

    differentiable, geometric, harder = True, False, "higher"
    family = "filter"
    neutral = 0.0
    largest = 1.0

    def __init__(self, sigma: float) -> None:
        if not 0 <= sigma <= self.largest:
            raise ValueError(f"{type(self).__name__} strength must be in 0..{self.largest:g}, got {sigma}")
        super().__init__(sigma)


class DenoiseResample(Attack):
    """Shrink, smooth away from edges (guided filter), enlarge, sharpen: the poor man's regeneration.

    Args:
        scale: of a side while small, 0.1 to 1.
        smoothing: what the guided filter takes for noise, standard deviation on 0..1.
    """

    differentiable, geometric, harder = True, False, "lower"
    family = "filter"
    unit, neutral = "scale of a side", 1.0
    reproduces = "down-up regeneration, as removal scripts do it; guided filter of He, Sun and Tang (2013)"

    def __init__(self, scale: float, smoothing: float = 0.03) -> None:
        if not 0.1 <= scale <= 1:
            raise ValueError(f"scale must be in 0.1..1, got {scale}")
        super().__init__(scale)
        self.smoothing = smoothing

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        small = warp.resize(images, warp.scaled(images, self.strength)).clamp(0, 1)
        mean = filters.box_blur(small, 1)
        variance = (filters.box_blur(small**2, 1) - mean**2).clamp(min=0)
        gain = variance / (variance + self.smoothing**2)
        smooth = filters.box_blur(gain, 1) * (small - mean) + mean
        large = warp.resize(smooth, (images.shape[-2], images.shape[-1]))
        return large + 0.3 * (large - filters.gaussian_blur(large, 1.0))


class TotalVariation(_Denoiser):
    """Chambolle's total-variation denoising (2004), 40 iterations, each channel alone.

    Args:
        weight: of the total variation against fidelity, as in scikit-image; 0 to 1.
    """

    unit = "weight"
    reproduces = "scikit-image denoise_tv_chambolle"

    def __init__(self, weight: float) -> None:
        super().__init__(weight)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Plane by plane on a CPU, where one fits its cache; all at once elsewhere."""
        planes = images.flatten(0, 1)[:, None]
        parts = planes.split(1) if images.device.type == "cpu" else [planes]
        return torch.cat([self._descend(part) for part in parts]).view_as(images)

    def _descend(self, planes: Tensor) -> Tensor:
        """Projected gradient on the dual."""
        down, across, result = torch.zeros_like(planes), torch.zeros_like(planes), planes
        for _ in range(40):
            framed = F.pad(result, (0, 1, 0, 1), mode="replicate")
            rise, run = framed[..., 1:, :-1] - result, framed[..., :-1, 1:] - result
            norm = torch.addcmul(rise.square(), run, run).add_(1e-12).sqrt().mul(0.25 / self.strength).add_(1)
            down, across = down.sub(rise, alpha=0.25).div_(norm), across.sub(run, alpha=0.25).div_(norm)
            result = planes - down - across
            result[..., 1:, :] += down[..., :-1, :]
            result[..., 1:] += across[..., :-1]
        return result


class Wiener(_Denoiser):
    """Shrink each pixel towards the mean of its surroundings by what noise would explain of their variance (Lee, 1980).

    Args:
        sigma: standard deviation of the noise on 0..1.
    """

    unit = "noise standard deviation on 0..1"
    reproduces = "scipy.signal.wiener with a known noise: the oldest estimate of an additive mark"

    reach = 2

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Moments over 5x5 pixels, each channel alone."""
        mean = filters.box_blur(images, self.reach)
        variance = (filters.box_blur(images.square(), self.reach) - mean.square()).clamp_min(0)
        noise = self.strength**2
        return mean + (variance - noise).clamp_min(0) / variance.clamp_min(noise) * (images - mean)


class NonLocalMeans(_Denoiser):
    """Average over patches (5x5) that look alike within 11x11 places (Buades, Coll and Morel, 2005).

    Args:
        sigma: standard deviation of what counts as noise, on 0..1; patches differ by more than that or are one.
    """

    unit = "noise standard deviation on 0..1"
    reproduces = "OpenCV and scikit-image non-local means"

    reach, patch = 5, 2

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Half of the places; the other half is their mirror image. A CPU takes as many rows as fit its cache."""
        height, width = images.shape[-2:]
        rows = STRIP if images.device.type == "cpu" else height
        framed = torch.cat([images, torch.ones_like(images[:, :1])], 1)  # the fourth plane adds up the weights
        total = framed.clone()
        for top in range(0, height, rows):
            for dy in range(min(self.reach + 1, height - top)):
                for dx in range(-self.reach if dy else 1, self.reach + 1):
                    if abs(dx) < width:
                        self._meet(framed, total, slice(top, min(top + rows, height - dy)), dy, dx)
        return total[:, :3] / total[:, 3:]

    def _meet(self, framed: Tensor, total: Tensor, rows: slice, dy: int, dx: int) -> None:
        """Add the places ``dy`` below and ``dx`` aside to these rows' totals, and these rows to theirs."""
        height, width = framed.shape[-2:]
        left, right = slice(max(0, -dx), width - max(0, dx)), slice(max(0, dx), width - max(0, -dx))
        first, last = max(0, rows.start - self.patch), min(height - dy, rows.stop + self.patch)
        apart = framed[:, :3, first:last, left] - framed[:, :3, first + dy : last + dy, right]
        apart = filters.box_blur(apart.square_().mean(1, keepdim=True), self.patch)
        apart = apart[..., rows.start - first : rows.stop - first, :]
        alike = torch.exp((2 * self.strength**2 - apart).clamp_(max=0).mul_(1 / (0.6 * self.strength) ** 2))
        here, there = (..., rows, left), (..., slice(rows.start + dy, rows.stop + dy), right)
        total[here].addcmul_(alike, framed[there])
        total[there].addcmul_(alike, framed[here])


class DctShrinkage(_Denoiser):
    """Hard-threshold 8x8 cosine transforms at every second pixel and average (Yu and Sapiro, 2011): BM3D unmatched.

    Args:
        sigma: standard deviation of the noise on 0..1; coefficients below three of them go.
    """

    unit = "noise standard deviation on 0..1"
    reproduces = "sliding DCT denoising; a plain relative of BM3D"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Channels as luma and two colour differences, one plane at a time: the blocks of a plane are 16 planes."""
        mixer = torch.from_numpy(dct(np.eye(3), norm="ortho", axis=0)).to(images)
        planes = torch.einsum("ij,njhw->nihw", mixer, images).flatten(0, 1)[:, None]
        clean = torch.cat([self._threshold(plane) for plane in planes.split(1)]).view_as(images)
        return torch.einsum("ji,njhw->nihw", mixer, clean)

    def _threshold(self, planes: Tensor) -> Tensor:
        """Blocks, threshold, blocks back: ``(n, 1, H, W)`` to the same."""
        height, width = planes.shape[-2:]
        padded = F.pad(planes, (6, 6 + width % 2, 6, 6 + height % 2), mode="replicate")
        basis = dct(np.eye(8), norm="ortho", axis=0)
        atoms = torch.from_numpy(np.kron(basis, basis)).to(planes)  # (64, 64), rows are atoms
        found = atoms @ F.unfold(padded, 8, stride=2)
        strong = found.abs() > 3 * self.strength
        strong[:, 0] = True  # the mean is no noise
        clean = F.fold(atoms.T @ (found * strong), padded.shape[-2:], 8, stride=2)
        return clean[..., 6 : 6 + height, 6 : 6 + width] / 16  # each pixel lies in 4x4 blocks


class WaveletShrinkage(_Denoiser):
    """Soft-threshold the detail of an orthogonal wavelet transform (BayesShrink; Chang, Yu and Vetterli, 2000).

    Args:
        sigma: standard deviation of the noise on 0..1.
    """

    differentiable = False
    family = "filter"
    unit = "noise standard deviation on 0..1"
    reproduces = "scikit-image denoise_wavelet (BayesShrink, soft, db2)"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Four levels, whole batch at once; on the CPU."""
        levels = min(4, max(1, pywt.dwt_max_level(min(images.shape[-2:]), "db2")))
        values = images.detach().cpu().numpy()
        coarse, *details = pywt.wavedec2(values, "db2", mode="symmetric", level=levels)
        shrunk = [coarse, *(tuple(self._shrink(band) for band in level) for level in details)]
        result = pywt.waverec2(shrunk, "db2", mode="symmetric")[..., : images.shape[-2], : images.shape[-1]]
        return torch.from_numpy(np.ascontiguousarray(result)).to(images)

    def _shrink(self, band: np.ndarray) -> np.ndarray:
        energy = (band**2).mean(axis=(-2, -1), keepdims=True)
        signal = np.sqrt(np.maximum(energy - self.strength**2, 1e-12))
        threshold = self.strength**2 / signal
        return np.sign(band) * np.maximum(np.abs(band) - threshold, 0)
