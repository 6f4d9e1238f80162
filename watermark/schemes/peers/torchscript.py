"""Marks in one TorchScript file with ``embed`` and ``detect``: Meta's VideoSeal, PixelSeal and ChunkySeal (MIT)."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from watermark.errors import UserError
from watermark.keys import Key
from watermark.schemes.base import Readout, Scheme


class TorchScriptMark(Scheme):
    """A TorchScript model: ``embed(images, bits)`` to marked images, ``detect(images)`` to ``(N, 1 + K)`` logits.

    The first column of ``detect`` says whether the model thinks that there is a mark; it is not used. Source of the
    interface: docs/torchscript.md of github.com/facebookresearch/videoseal. A TorchScript file is a program: load
    none that you do not trust.

    Args:
        file: for example ``y_256b_img.jit``.
        message_bits: K of the model.
        key: see ``Scheme``.
        target_psnr: dB; None: as strong as the model makes it.

    Raises:
        UserError: if the file is missing, is no TorchScript model or has another interface.
    """

    def __init__(self, file: str, *, key: Key, message_bits: int = 256, target_psnr: float | None = None) -> None:
        super().__init__(message_bits, key, target_psnr)
        if not Path(file).is_file():
            raise UserError(f"file: expected a TorchScript model such as y_256b_img.jit, got {file} (no such file)")
        try:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # it is what they publish
                model = torch.jit.load(file, map_location="cpu").eval()
        except (RuntimeError, OSError) as error:
            raise UserError(f"{file}: no TorchScript model ({str(error).splitlines()[0]:.100})") from None
        if not (hasattr(model, "embed") and hasattr(model, "detect")):
            raise UserError(f"{file}: expected a TorchScript model with embed and detect")
        self._model: Any = model

    @torch.no_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``."""
        return self._model.embed(images, message.to(images.dtype)) - images

    @torch.no_grad()
    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``.

        Raises:
            UserError: if the model carries another number of bits than ``message_bits``.
        """
        logits = self._model.detect(images)[:, 1:]
        if logits.shape[1] != self.message_bits:
            raise UserError(f"message_bits: the model carries {logits.shape[1]} bits, not {self.message_bits}")
        return Readout.of(logits)
