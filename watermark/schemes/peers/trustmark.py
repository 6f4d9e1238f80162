"""The package ``trustmark`` (MIT; Bui, Agarwal, Collomosse 2023, arXiv:2311.18297), which fetches its own weights."""

import contextlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watermark.errors import UserError
from watermark.keys import Key
from watermark.schemes.peers.peer import Peer, Picture, hard, package

BITS = 100
VARIANTS = ("Q", "P", "B", "C")


class TrustMark(Peer):
    """TrustMark without its own error correction: its 100 raw bits carry ours.

    The weights are not in the package. It fetches them from Adobe when it is built, and loads them with ``torch.load``.

    Args:
        variant: Q (the default of the package), P (best looking), B (as published) or C (compact).
        key: see ``Scheme``.
        target_psnr: dB; None: as the package makes it, about 43 for Q.

    Raises:
        UserError: if the package is not here, or its weights cannot be had.
    """

    strength = "free"

    def __init__(self, variant: str = "Q", *, key: Key, target_psnr: float | None = None) -> None:
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
        super().__init__(BITS, key, target_psnr)
        kind = package("trustmark", "trustmark", "trustmark").TrustMark
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            engine = kind(verbose=False, model_type=variant, use_ECC=False, secret_len=BITS, loadRemover=False)
        if engine.encoder is None or engine.decoder is None:
            raise UserError(f"trustmark: no weights of variant {variant}; the package fetches them once, from Adobe")
        self._trustmark = engine

    def mark(self, picture: Picture, bits: NDArray[np.bool_]) -> Picture:
        """See ``Peer``."""
        word = "".join("1" if bit else "0" for bit in bits)
        return np.asarray(self._trustmark.encode(Image.fromarray(picture), word, MODE="binary"), dtype=np.uint8)

    def soft(self, picture: Picture) -> NDArray[np.floating[Any]]:
        """See ``Peer``; the package gives bits alone."""
        word = self._trustmark.decode(Image.fromarray(picture), MODE="binary")[0]
        return hard([int(bit) for bit in word])
