"""What one marker and a whole ring of keys share: a scheme, where it lives, and pictures made ready for it."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark import strips
from watermark.files import Deep
from watermark.keys import Key, derived_key, key_bytes
from watermark.pixels import Picture, ready, unpack
from watermark.schemes.base import Readout, Scheme


class Reader:
    """A scheme that reads pictures of any kind.

    Args:
        scheme: a finished one.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme.eval()

    @torch.no_grad()
    def read(self, images: Tensor) -> Readout:
        """Soft decisions of a batch ``(N, 3, H, W)`` on the scheme's device: what ``detect`` hands to the detector."""
        return self.scheme.decode(images)

    def tensors(self, image: Picture | Sequence[Image.Image | np.ndarray]) -> Tensor:
        """A picture as the batch ``(N, 3, h, w)`` that is read, on the scheme's device; a large one comes reduced."""
        if isinstance(image, Image.Image) and strips.is_large(self.scheme, *image.size):
            images = strips.reduced(self.scheme, ready(image))
        else:
            deep = isinstance(image, np.ndarray) and image.dtype == np.uint16
            images, _ = unpack(Deep.of_array(image).at_8bit() if deep else image)  # type: ignore[arg-type]
        return self.to_device(images, image)

    def to_device(self, images: Tensor, given: object) -> Tensor:
        """Tensors stay where the caller put them; everything else goes where the scheme lives."""
        if isinstance(given, Tensor):
            self.scheme.to(images.device)
            return images
        return images.to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the scheme lives."""
        tensors = (*self.scheme.parameters(), *self.scheme.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))


def scheme_key(key: Key, sync_key: Key | None = None) -> bytes:
    """The scheme's own key: independent of the codec's, so that what a scheme reads knows nothing of the signs.

    Args:
        key: the provider's own.
        sync_key: what the scheme's choices follow from instead, where several providers share them.

    Raises:
        ValueError: if both are the same: whoever shares the one would give the other away.
    """
    if sync_key is None:
        return derived_key(key, "watermark scheme")
    if key_bytes(sync_key) == key_bytes(key):
        raise ValueError("sync_key must be another secret than the provider's key, for others hold it too")
    return derived_key(sync_key, "watermark scheme")


def pick_device(device: str | torch.device) -> torch.device:
    """``auto`` becomes the GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)
