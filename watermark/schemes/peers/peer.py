"""What all peers have in common: one picture at a time, in 8 bits, as their packages want it."""

import contextlib
import importlib
import io
import multiprocessing
from abc import abstractmethod
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from watermark.errors import UserError
from watermark.keys import Key
from watermark.schemes.base import Readout, Scheme

Picture = NDArray[np.uint8]
"""``(H, W, 3)`` RGB."""


class Peer(Scheme):
    """Somebody else's mark, behind two verbs on one picture.

    A subclass writes ``mark`` and ``soft``. A peer whose change of the picture may be scaled takes ``target_psnr`` as
    our schemes do; a quantiser may not be scaled and has a dial of its own.

    Args:
        message_bits: channel bits.
        key: see ``Scheme``.
        target_psnr: dB; None: as strong as the package makes it.

    Raises:
        ValueError: if a quantiser is given a ``target_psnr``.
    """

    strength: ClassVar[Literal["free", "shared", "fixed"]] = "fixed"

    def __init__(self, message_bits: int, key: Key, target_psnr: float | None = None) -> None:
        if target_psnr is not None and self.strength == "fixed":
            kind = type(self).__name__
            raise ValueError(f"{kind} cannot be scaled to a target_psnr (got {target_psnr}); it has a dial of its own")
        super().__init__(message_bits, key, target_psnr)

    @abstractmethod
    def mark(self, picture: Picture, bits: NDArray[np.bool_]) -> Picture:
        """The marked picture, of the same size; ``bits`` is ``(K,)``."""

    @abstractmethod
    def soft(self, picture: Picture) -> NDArray[np.floating[Any]]:
        """``(K,)``: above 0 means 1, the size means confidence (all the same where the package gives bits alone)."""

    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; what the package made of the picture in 8 bits, less that picture."""
        changes = []
        for image, bits in zip(images, message.cpu().numpy(), strict=True):
            picture = _to_picture(image)
            changes.append(_to_tensor(self.mark(picture, bits), images) - _to_tensor(picture, images))
        return torch.stack(changes)

    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; a picture that the package refuses has nothing in it."""
        logits = [torch.as_tensor(self._soft(image), dtype=torch.float32) for image in images]
        return Readout.of(torch.stack(logits).to(images.device))

    def _soft(self, image: Tensor) -> NDArray[np.floating[Any]]:
        try:
            return self.soft(_to_picture(image))
        except (RuntimeError, ValueError, IndexError, AssertionError, ZeroDivisionError):  # too small for it, mostly
            return np.zeros(self.message_bits)


def package(name: str, scheme: str, install: str) -> ModuleType:
    """Import what a peer needs; what it prints meanwhile is not shown, and how processes start stays as it is.

    Raises:
        UserError: saying what to install.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), _start_method_kept():
            return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"{scheme} needs a package that is not here ({error}): pip install {install}") from None


@contextlib.contextmanager
def _start_method_kept() -> Iterator[None]:
    """blind-watermark sets it for the whole program when it is imported, which fails where it is set already."""
    really = multiprocessing.set_start_method
    multiprocessing.set_start_method = lambda *_, **__: None
    try:
        yield
    finally:
        multiprocessing.set_start_method = really


def hard(bits: object) -> NDArray[np.float64]:
    """Bits of 0 and 1 as decisions that are all equally sure."""
    return np.where(np.asarray(bits) > 0.5, 1.0, -1.0)


def _to_picture(image: Tensor) -> Picture:
    return image.detach().mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()


def _to_tensor(picture: Picture, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).to(like) / 255
