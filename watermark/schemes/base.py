"""What every scheme promises: a message goes into pixels, and soft decisions come out of pixels."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from watermark.images import check_images
from watermark.keys import Key, key_bytes

SEARCHES = ("quick", "thorough")
"""``quick`` leaves a picture that shows no sign of a mark; ``thorough`` tries everything on every picture."""
DEFAULT_SEARCH = "quick"
"""What quick loses of attacked marks, and what it saves: ``results/published/platform``."""
PSNR_ROUNDS = 4
SAMPLE = 500_000
"""Px of a picture that are enough for a first idea of its PSNR."""
STRIP = 65_536
"""Px of a picture whose error is taken at a time."""


@dataclass(frozen=True)
class Readout:
    """What a scheme read from a batch of images.

    Attributes:
        logits: ``(N, K)`` float, one soft decision per message bit; ``> 0`` means 1, the size means confidence.
        readings: ``(N,)`` int64, from how many readings of the message the answer may be chosen, at least 1. The
            p-value pays for it. Alignments that a search tried and left without looking at the message are not among
            them: a scheme does not hold the codec's key, so its choice says nothing about the signs that prove a mark.
        others: ``(N, C, K)`` float or None: readings at further alignments, counted in ``readings``. A detector asks
            them where ``logits`` prove nothing; zeros where a picture has none.

    Example:
        >>> readout = Readout.of(torch.tensor([[2.0, -0.5, 1.0]]))
        >>> (readout.logits > 0).int().tolist(), readout.readings.tolist()
        ([[1, 0, 1]], [1])
    """

    logits: Tensor
    readings: Tensor
    others: Tensor | None = None

    @classmethod
    def of(cls, logits: Tensor, others: Tensor | None = None) -> "Readout":
        """A readout that counts its own readings."""
        count = torch.ones(len(logits), dtype=torch.int64, device=logits.device)
        return cls(logits, count if others is None else count + others.ne(0).any(2).sum(1), others)

    def reading(self, image: int, number: int) -> Tensor:
        """``(K,)`` what was read of one image: ``logits`` for number 0, then its ``others``."""
        return self.logits[image] if number == 0 or self.others is None else self.others[image, number - 1]


class Scheme(nn.Module, ABC):
    """Two verbs, ``embed`` and ``decode``, and no opinion about attacks, files or payloads.

    A subclass writes ``residual`` (what to add to the picture) and ``read`` (what the picture says). Images are float
    ``(N, 3, H, W)``, RGB in ``[0, 1]``, any size from ``min_size`` px a side, on any device.

    Args:
        message_bits: K, the channel bits that one image carries (an error-correcting code fills them).
        key: secret of the scheme's own keyed choices (positions, dithers, pilots), of any kind that
            ``watermark.keys.key_bytes`` takes. A scheme never sees the key of the codec, which is what makes the
            false-positive rate provable.
        target_psnr: dB after rounding to 8 bits; every image is embedded at this quality. None: the scheme's own
            settings alone decide.

    Example:
        >>> class Brighter(Scheme):  # one bit: brighter or darker by a grey level; a lesson, not a watermark
        ...     def residual(self, images, message):
        ...         return (message[:, :1, None, None].float() * 2 - 1).expand_as(images) / 255
        ...
        ...     def read(self, images):
        ...         return Readout.of(images.mean((1, 2, 3))[:, None] - 0.5)
        >>> scheme, grey = Brighter(message_bits=1, key="a secret"), torch.full((2, 3, 64, 64), 0.5)
        >>> marked = scheme.embed(grey, torch.tensor([[True], [False]]))
        >>> (scheme.decode(marked).logits > 0).tolist()
        [[True], [False]]
    """

    min_size: ClassVar[int] = 32
    """Px a side that ``embed`` asks for."""
    min_read_size: ClassVar[int] = 16
    """Px a side below which ``decode`` sees nothing; what an attack left of a picture is never an error."""
    working_area: ClassVar[int | None] = None
    """Px to which a larger picture may be reduced before it is marked or read, for the mark grows with the picture;
    None: every pixel is needed."""
    gain_limits: tuple[float, float] = (0.0, math.inf)
    """How far ``target_psnr`` may scale the residual that the scheme proposed; a quantiser sets it close to 1, and a
    scheme that proposes the most that an eye bears sets its upper end to 1."""
    strength: ClassVar[Literal["free", "shared", "fixed"]] = "free"
    """Whether each picture may have a ``target_psnr`` of its own, or the reader must know the one of all (a quantiser's
    step), or there is none."""
    search: str = DEFAULT_SEARCH
    """How long a scheme that searches looks before it says that there is no mark, one of ``SEARCHES``; ``Reader`` sets
    it."""
    weights_sha256: str | None = None
    """SHA-256 of the weights file, as hex, set by a scheme that loads one; it stands in the manifest of every run."""

    def __init__(self, message_bits: int, key: Key, target_psnr: float | None = None) -> None:
        super().__init__()
        key_bytes(key)  # refuses what is no key
        if message_bits < 1:
            raise ValueError(f"message_bits must be at least 1, got {message_bits}")
        if target_psnr is not None and not (isinstance(target_psnr, int | float) and 20 <= target_psnr <= 60):
            raise ValueError(f"target_psnr must be between 20 and 60 dB, got {target_psnr!r}")
        self.message_bits, self.key, self.target_psnr = message_bits, key, target_psnr

    def embed(self, images: Tensor, message: Tensor) -> Tensor:
        """Mark a batch.

        Args:
            images: ``(N, 3, H, W)`` float in ``[0, 1]``.
            message: ``(N, K)`` bool.

        Returns:
            ``(N, 3, H, W)`` in ``[0, 1]``, not yet rounded to 8 bits.
        """
        check_images(images, self.min_size)
        if message.shape != (len(images), self.message_bits) or message.dtype != torch.bool:
            wanted = (len(images), self.message_bits)
            raise ValueError(f"expected a bool message {wanted}, got {message.dtype} {tuple(message.shape)}")
        residual = self.residual(images, message.to(images.device))
        if self.target_psnr is not None:
            scale = scale_for_psnr(images, residual, self.target_psnr, self.gain_limits)
            return torch.addcmul(images, residual, scale[:, None, None, None]).clamp_(0, 1)
        return (images + residual).clamp(0, 1)

    def decode(self, images: Tensor) -> Readout:
        """Read a batch: ``(N, 3, H, W)`` in, one ``Readout`` for the batch out, always, marked or not, of any size."""
        check_images(images)
        if min(images.shape[-2:]) < self.min_read_size:
            nothing = images.new_zeros(len(images), self.message_bits)
            return Readout.of(nothing)
        return self.read(images)

    @abstractmethod
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """What to add to each image, ``(N, 3, H, W)``; ``embed`` scales it to ``target_psnr`` and clamps."""

    @abstractmethod
    def read(self, images: Tensor) -> Readout:
        """Soft decisions for each image; must not need the original, its size or anything but the key."""

    def climbed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What a white box climbs: soft bits ``(N, K)`` and how loud they are ``(N,)``, both with a gradient.

        A scheme whose ``read`` searches, and so has no gradient, says here what it reads where nothing is to be found.
        """
        logits = self.decode(images).logits
        return logits, logits.square().mean(1)


@torch.no_grad()
def scale_for_psnr(
    images: Tensor, residual: Tensor, target: float, limits: tuple[float, float] = (0.0, math.inf)
) -> Tensor:
    """By what to multiply each residual so that the marked, clamped and 8-bit rounded image lies at ``target`` dB.

    Clipping at black and white takes energy away and rounding adds some, so the scale is found by a short fixed-point
    iteration instead of a formula. It stays within ``limits`` and within four times what the formula without clipping
    says: a picture that clips almost everywhere stays above the target rather than being ruined where it does not clip.
    Of a large picture the first rounds look at a regular sample of the pixels, the last ones at all of them.

    Returns:
        ``(N,)`` of the dtype of ``images``.
    """
    step = math.isqrt(images[0, 0].numel() // SAMPLE)  # 0 or 1: the picture is a sample already
    samples = (images[..., ::step, ::step], residual[..., ::step, ::step]) if step > 1 else (images, residual)
    rounds = [samples] * PSNR_ROUNDS + [(images, residual)] * (2 if step > 1 else 0)
    rms = torch.linalg.vector_norm(residual, dim=(1, 2, 3)) / residual[0].numel() ** 0.5
    ideal = 10 ** (-target / 20) / rms.double().clamp_min(1e-12)  # (N,)
    scale = ideal.clamp(*limits)
    for seen in rounds:
        too_clean = (-10 * _marked_error(*seen, scale).log10()).clamp(max=target + 12) - target  # dB
        scale = torch.minimum(scale * 10 ** (too_clean / 20), 4 * ideal).clamp(*limits)
    return scale.to(images.dtype)


def _marked_error(images: Tensor, residual: Tensor, scale: Tensor) -> Tensor:
    """Mean square error ``(N,)`` of the file that embedding would give, strip by strip: a strip stays in the cache."""
    factor = scale.to(images.dtype)[:, None, None, None]
    strip = max(1, STRIP // images.shape[-1])
    total = torch.zeros_like(scale)
    for part, change in zip(images.split(strip, 2), residual.split(strip, 2), strict=True):
        marked = torch.addcmul(part, change, factor).clamp_(0, 1).mul_(255).round_().div_(255)
        total += torch.linalg.vector_norm(marked.sub_(part), dim=(1, 2, 3)).double().square()
    return total / images[0].numel()
