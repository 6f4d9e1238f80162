"""Networks that take pictures of one size: the rule that makes them mark and read pictures of any size."""

from abc import abstractmethod

import torch
from torch import Tensor

from watermark.keys import Key
from watermark.schemes.base import Readout, Scheme
from watermark.transforms.resample import resize


class SizedMark(Scheme):
    """Marks a copy of ``side`` x ``side`` px and enlarges the change to the picture; reads such a copy.

    A subclass writes ``change`` and ``logits``. Whoever crops or turns the picture is on the network's own ground.

    Args:
        side: px that the network wants; None: it takes any size by a rule of its own.
        message_bits: K of the network.
        key: see ``Scheme``.
        target_psnr: dB; None: as strong as the network makes it.

    Raises:
        ValueError: if ``side`` is below 32 px.
    """

    def __init__(self, side: int | None, message_bits: int, key: Key, target_psnr: float | None = None) -> None:
        super().__init__(message_bits, key, target_psnr)
        if side is not None and side < 32:
            raise ValueError(f"side must be at least 32 px, got {side}")
        self.side = side

    @abstractmethod
    def change(self, images: Tensor, bits: Tensor) -> Tensor:
        """What the network adds, ``(N, 3, side, side)``; images in ``[0, 1]``, bits ``(N, K)`` float 0 or 1."""

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """``(N, K)``, above 0 means 1; of images ``(N, 3, side, side)`` in ``[0, 1]``."""

    @torch.no_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``."""
        height, width = images.shape[-2:]
        return resize(self.change(self._fitted(images), message.to(images.dtype)), (height, width))

    @torch.no_grad()
    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``."""
        return Readout.of(self.logits(self._fitted(images)))

    def _fitted(self, images: Tensor) -> Tensor:
        return images if self.side is None else resize(images, (self.side, self.side)).clamp(0, 1)
