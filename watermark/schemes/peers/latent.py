"""A mark in the features of a network that was not trained for it (Fernandez et al. 2022, arXiv:2112.09581; "SSL").

Nothing is trained: the picture is changed by gradient descent until its features lie on the right side of K keyed
directions. The authors' code and weights are CC-BY-NC; the features are therefore a file of the user's, and what is
here was written from the paper.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.errors import UserError
from watermark.keys import Key, keyed_uniform
from watermark.schemes.base import Readout, Scheme, scale_for_psnr
from watermark.schemes.peers.torchscript import load_torchscript

MARGIN = 5.0
"""How far beyond zero every bit is pushed, in units of the features."""
RATE, WEIGHT = 0.002, 5e4
"""Step of Adam in ``[0, 1]``, and how much a bit outweighs the size of the change."""
WINDOW, SIGMA = 17, 1.5
"""Of the map that keeps the change where the picture is busy, px."""


class LatentMark(Scheme):
    """Bits are signs of the features along keyed directions; a TorchScript file turns pictures into features.

    Marking takes ``steps`` runs of the network forth and back. Each sees the picture after a flip and one of nothing, a
    turn, a crop, a smaller size or a blur, which is what the mark learns to bear. The features take any size, so that
    nothing is resized.

    Args:
        file: ``(N, 3, H, W)`` in ``[0, 1]`` to ``(N, D)``, whitened; ``watermark.schemes.peers.export ssl`` makes it.
        message_bits: K; the paper has 30.
        steps: of gradient descent; the paper has 100.
        key: see ``Scheme``; the directions follow from it.
        target_psnr: dB of every marked picture, which bounds the descent too.

    Raises:
        ValueError: if ``target_psnr`` is None, or ``steps`` is below 1.
        UserError: if the file is missing or no TorchScript model.
    """

    def __init__(
        self, file: str, *, key: Key, message_bits: int = 32, steps: int = 100, target_psnr: float | None = 42.0
    ) -> None:
        super().__init__(message_bits, key, target_psnr)
        if target_psnr is None:
            raise ValueError("target_psnr must be a number: nothing else bounds the change")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.steps = steps
        self.features = load_torchscript(file)
        for weight in self.features.parameters():
            weight.requires_grad = False
        self._directions: Tensor | None = None

    @torch.enable_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; each picture for itself, with draws that follow from the key alone."""
        return torch.cat([self._descend(one, word) for one, word in zip(images.split(1), message, strict=True)])

    @torch.no_grad()
    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``."""
        return Readout.of(self._along(images))

    def _descend(self, image: Tensor, word: Tensor) -> Tensor:
        signs, change = word.to(image.dtype) * 2 - 1, torch.zeros_like(image, requires_grad=True)
        optimiser, calm = torch.optim.Adam([change], lr=RATE), _moments(image)
        for draws in keyed_uniform(self.key, "draws of the descent", 6 * self.steps).reshape(self.steps, 6):
            seen = image + self._bounded(image, change, calm)
            missing = (MARGIN - self._along(_disturbed(seen, draws)) * signs).clamp_min(0).mean()
            optimiser.zero_grad()
            (WEIGHT * missing + change.square().sum()).backward()
            optimiser.step()
        with torch.no_grad():
            return self._bounded(image, change, calm)

    def _bounded(self, image: Tensor, change: Tensor, calm: tuple[Tensor, Tensor]) -> Tensor:
        """The change where it is least seen, and no more of it than ``target_psnr`` allows."""
        change = change * _similarity(image, image + change, calm).sum(1, keepdim=True).clamp_min(0)
        with torch.no_grad():
            scale = scale_for_psnr(image, change, float(self.target_psnr or 0), (0.0, 1.0))
        return change * scale[:, None, None, None]

    def _along(self, images: Tensor) -> Tensor:
        """``(N, K)``: the features along the keyed directions.

        Raises:
            UserError: if the file answers something else than one vector a picture, or fewer numbers than bits.
        """
        found = self.features(images)
        if found.ndim != 2 or found.shape[1] < self.message_bits:
            wanted = f"(N, D) with D of at least {self.message_bits}"
            raise UserError(f"file: expected features {wanted}, got {tuple(found.shape)}")
        if self._directions is None:
            self._directions = directions(self.key, self.message_bits, found.shape[1])
        return found @ self._directions.to(found).T


def directions(key: Key, count: int, dimensions: int) -> Tensor:
    """``(count, dimensions)`` orthonormal rows, uniform over all such, from the key alone."""
    uniform = keyed_uniform(key, f"directions in {dimensions}", 2 * count * dimensions).reshape(2, dimensions, count)
    normal = np.sqrt(-2 * np.log1p(-uniform[0])) * np.cos(2 * math.pi * uniform[1])
    rows, upper = np.linalg.qr(normal)  # (dimensions, count)
    return torch.from_numpy((rows * np.sign(np.diag(upper))).T.copy()).float()


def _disturbed(image: Tensor, draws: np.ndarray) -> Tensor:
    """One of nothing, turn, crop, smaller size, blur, perhaps mirrored; six draws in ``[0, 1)`` say which and how."""
    which, flip, first, second, third, fourth = draws
    height, width = image.shape[-2:]
    if flip > 0.5:
        image = image.flip(3)
    if which < 0.2:
        return image
    if which < 0.4:
        angle = math.radians(30) * (2 * first - 1)
        turn = image.new_tensor([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0]])
        turn = turn * image.new_tensor([[1, height / width, 1], [width / height, 1, 1]])
        grid = F.affine_grid(turn[None], list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, align_corners=False)
    area = 0.2 + 0.8 * first
    if which < 0.6:
        aspect = math.exp(math.log(4 / 3) * (2 * second - 1))
        tall = min(height, max(32, round(height * math.sqrt(area / aspect))))
        wide = min(width, max(32, round(width * math.sqrt(area * aspect))))
        top, left = int(third * (height - tall + 1)), int(fourth * (width - wide + 1))
        return image[..., top : top + tall, left : left + wide]
    if which < 0.8:
        size = [max(32, round(side * math.sqrt(area))) for side in (height, width)]
        return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
    return _blurred(image, sigma=0.35 + 0.15 * (1 + 16 * first), radius=8)


def _similarity(image: Tensor, other: Tensor, moments: tuple[Tensor, Tensor]) -> Tensor:
    """SSIM of every pixel and channel, ``(N, 3, H, W)``: low where calm parts change."""
    (mean, square), (seen, seen_square) = moments, _moments(other)
    covariance = _blurred(_centred(image) * _centred(other), SIGMA, WINDOW // 2) - mean * seen
    likeness = (2 * mean * seen + 1e-4) * (2 * covariance + 9e-4)
    return likeness / ((mean**2 + seen**2 + 1e-4) * (square - mean**2 + seen_square - seen**2 + 9e-4))


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    centred = _centred(image)
    return _blurred(centred, SIGMA, WINDOW // 2), _blurred(centred**2, SIGMA, WINDOW // 2)


def _centred(image: Tensor) -> Tensor:
    """ImageNet's mean and spread, in which the paper's constants are."""
    mean, spread = image.new_tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    return (image - mean[:, None, None]) / spread[:, None, None]


def _blurred(image: Tensor, sigma: float, radius: int) -> Tensor:
    """Gaussian, zero beyond the edges."""
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(image.shape[1], 1, 1, -1)
    along = F.conv2d(image, kernel, padding=(0, radius), groups=image.shape[1])
    return F.conv2d(along, kernel.transpose(2, 3), padding=(radius, 0), groups=image.shape[1])
