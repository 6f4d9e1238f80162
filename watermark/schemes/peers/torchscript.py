"""Marks in one TorchScript file with ``embed`` and ``detect``.

Meta publishes VideoSeal, PixelSeal and ChunkySeal so; ``watermark.schemes.peers.export`` makes such files of the
authors' own code and weights of WAM, InvisMark and MBRS.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from watermark.errors import UserError
from watermark.keys import Key
from watermark.schemes.peers.sized import SizedMark


class TorchScriptMark(SizedMark):
    """A TorchScript model: ``embed(images, bits)`` to marked images, ``detect(images)`` to ``(N, 1 + K)`` logits.

    The first column of ``detect`` says whether the model thinks that there is a mark; it is not used. Source of the
    interface: docs/torchscript.md of github.com/facebookresearch/videoseal. A TorchScript file is a program: load
    none that you do not trust.

    Args:
        file: for example ``y_256b_img.jit``.
        message_bits: K of the model.
        side: px a side, if the model takes square pictures of one size; None: it takes any.
        key: see ``Scheme``.
        target_psnr: dB; None: as strong as the model makes it.

    Raises:
        UserError: if the file is missing, is no TorchScript model or has another interface.
    """

    def __init__(
        self,
        file: str,
        *,
        key: Key,
        message_bits: int = 256,
        side: int | None = None,
        target_psnr: float | None = None,
    ) -> None:
        super().__init__(side, message_bits, key, target_psnr)
        model = load_torchscript(file)
        if not (hasattr(model, "embed") and hasattr(model, "detect")):
            raise UserError(f"{file}: expected a TorchScript model with embed and detect")
        self._model: Any = model

    def change(self, images: Tensor, bits: Tensor) -> Tensor:
        """See ``SizedMark``.

        Raises:
            UserError: if the model takes another number of bits, or pictures of one size that ``side`` does not say.
        """
        try:
            return self._model.embed(images, bits) - images
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1]
            raise UserError(f"the model takes no {bits.shape[1]} bits in {tuple(images.shape)}: {said:.120}") from None

    def logits(self, images: Tensor) -> Tensor:
        """See ``SizedMark``.

        Raises:
            UserError: if the model carries another number of bits than ``message_bits``.
        """
        logits = self._model.detect(images)[:, 1:]
        if logits.shape[1] != self.message_bits:
            raise UserError(f"message_bits: the model carries {logits.shape[1]} bits, not {self.message_bits}")
        return logits


def load_torchscript(file: str) -> Any:
    """A TorchScript model, for reading only.

    Raises:
        UserError: if the file is missing or holds something else; one line.
    """
    if not Path(file).is_file():
        given = "none" if file == "???" else f"{file} (no such file)"  # three marks: what a configuration leaves to you
        raise UserError(f"file: expected a TorchScript model, got {given}; docs/weights.md says how to get one")
    try:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # it is what they publish
            return torch.jit.load(file, map_location="cpu").eval()
    except (RuntimeError, OSError) as error:
        raise UserError(f"{file}: no TorchScript model ({str(error).splitlines()[0]:.100})") from None
