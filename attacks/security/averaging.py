"""What many marked pictures of one key share, each laid on the others before the mean is taken."""

from collections.abc import Iterable

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.residual import residual
from attacks.security.band import HIGH, in_band


def aligned_mean(residuals: Iterable[Tensor], period: int | None = None, high: float = HIGH) -> Tensor:
    """The mean of guessed marks, each shifted to where it fits the mean of those before.

    Args:
        residuals: ``(3, H, W)`` of one size, such as ``attacks.residual.residual`` of marked pictures.
        period: px; each is folded into a square of this side first, which is how a mark that repeats is learned
            fastest. None: whole pictures are laid on each other, as they have to be where nothing repeats.
        high: cycles per px above which nothing is kept.

    Returns:
        ``(3, h, w)``; of RMS 1 if all agreed, of ``1 / sqrt(n)`` if none did.
    """
    mean, count = torch.zeros(0), 0
    for one in residuals:
        piece = _unit(_low_pass(one if period is None else fold(one, period), high))
        if count:
            piece = torch.roll(piece, best_shift(piece, mean), (1, 2))
        count += 1
        mean = piece if count == 1 else mean + (piece - mean) / count
    if not count:
        raise ValueError("expected residuals, got none")
    return mean


def fold(plane: Tensor, period: int) -> Tensor:
    """Mean over all whole squares of a picture ``(C, H, W)``: ``(C, period, period)``."""
    rows, columns = (n // period for n in plane.shape[-2:])
    if not rows or not columns:
        raise ValueError(f"expected a picture of at least {period} px a side, got {tuple(plane.shape[-2:])}")
    whole = plane[..., : rows * period, : columns * period]
    return whole.reshape(len(plane), rows, period, columns, period).mean((1, 3))


def best_shift(piece: Tensor, template: Tensor) -> tuple[int, int]:
    """How far to roll ``piece`` ``(C, h, w)`` so that it lies on ``template``, down and across."""
    product = (torch.fft.fft2(template) * torch.fft.fft2(piece).conj()).sum(0)
    place = int(torch.fft.ifft2(product).real.argmax())
    return divmod(place, piece.shape[-1])


class SubtractPattern(Attack):
    """Subtract a learned pattern where it fits a picture best, or add it where there is no mark (negative factor).

    Args:
        factor: RMS of what is subtracted, in 1/255; 0 changes nothing.
        pattern: ``(3, h, w)`` from ``aligned_mean``; repeated where the picture is larger.
    """

    differentiable, geometric, harder = False, False, "away"
    family = "removal"
    unit, neutral = "RMS, 1/255", 0.0
    reproduces = "averaging with alignment, from many pictures of one key"

    def __init__(self, factor: float, pattern: Tensor) -> None:
        super().__init__(factor)
        self.register_buffer("pattern", pattern / pattern.square().mean().sqrt().clamp_min(1e-12))

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Each picture's own place, from its own residual."""
        return torch.cat([self._subtract(image) for image in images])

    def _subtract(self, image: Tensor) -> Tensor:
        pattern = self.get_buffer("pattern").to(image)
        side, (height, width) = pattern.shape[-2:], image.shape[-2:]
        guess = residual(image[None])[0]
        repeats = (-(-height // side[0]), -(-width // side[1]))
        full = pattern.repeat(1, *repeats)
        padded = torch.zeros_like(full)
        padded[:, :height, :width] = guess
        full = torch.roll(full, best_shift(full, padded), (1, 2))[:, :height, :width]
        return (image - self.strength / 255 * full)[None]


def _low_pass(plane: Tensor, high: float) -> Tensor:
    height, width = plane.shape[-2:]
    return torch.fft.irfft2(torch.fft.rfft2(plane) * in_band(height, width, 0.01, high, plane), s=(height, width))


def _unit(plane: Tensor) -> Tensor:
    return plane / plane.square().mean().sqrt().clamp_min(1e-12)
