"""The one door for users: a scheme, a code, a detector and a secret key behind two verbs."""

import math
from collections.abc import Sequence
from operator import index
from typing import Any, Self, SupportsIndex, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark.codec import Codec, Layout, Payload
from watermark.config import build_named
from watermark.detection import Detection, Detector
from watermark.images import to_8bit
from watermark.keys import Key, derived_key
from watermark.metrics.psnr import psnr
from watermark.pixels import Picture, is_grey, unpack
from watermark.schemes.base import Scheme, scale_for_psnr
from watermark.transforms.color import luma

Ids = int | Sequence[int]


class Watermarker:
    """Embed a provider ID and a content ID into pictures, and find them again.

    Args:
        scheme: how bits go into pixels.
        key: the secret; without it nothing is found, and nothing can be forged by writing bits. The scheme and the
            code each get a key of their own derived from it.
        layout: how many bits each ID has.
        false_positive_rate: the promise behind ``is_marked``: an unmarked picture is called marked at most this
            often, over the choice of keys, after paying for everything that the detector tried.
    """

    def __init__(
        self, scheme: Scheme, key: Key, *, layout: Layout | None = None, false_positive_rate: float = 1e-6
    ) -> None:
        self.scheme = scheme.eval()
        self.codec = Codec(layout or Layout(), scheme.message_bits, key)
        self.detector = Detector(self.codec, false_positive_rate)

    @classmethod
    def load(
        cls,
        name: str,
        key: Key,
        *,
        layout: str = "l64",
        false_positive_rate: float = 1e-6,
        device: str | torch.device = "auto",
        **settings: Any,
    ) -> Self:
        """Build a named scheme.

        Args:
            name: any file name under ``configs/scheme``.
            key: the secret: a non-empty ``str`` or ``bytes``, or an ``int``; see ``watermark.keys.key_bytes``.
            layout: any file name under ``configs/codec``.
            false_positive_rate: see the class.
            device: where pictures that are not tensors are worked on; ``auto`` is a GPU where there is one.
            **settings: any setting of the scheme, for example ``target_psnr=42``.

        Raises:
            ValueError: for an unknown name or setting, or a value out of range.
            TypeError: if the key is none.
        """
        scheme: Scheme = build_named("scheme", name, key=scheme_key(key), **settings)
        marker = cls(scheme, key, layout=build_named("codec", layout), false_positive_rate=false_positive_rate)
        marker.scheme.to(pick_device(device))
        return marker

    @overload
    def embed(self, image: Image.Image, provider_id: int, content_id: int) -> Image.Image: ...
    @overload
    def embed(self, image: np.ndarray, provider_id: int, content_id: int) -> np.ndarray: ...
    @overload
    def embed(self, image: Tensor, provider_id: Ids, content_id: Ids) -> Tensor: ...
    @torch.no_grad()
    def embed(self, image: Picture, provider_id: Ids, content_id: Ids) -> Picture:
        """Mark a picture.

        Args:
            image: a PIL image, a uint8 array ``(H, W, 3)``, or a float tensor ``(N, 3, H, W)`` in ``[0, 1]``.
            provider_id: who made it; for a batch one for all or one per image.
            content_id: which image it is; likewise.

        Returns:
            The same kind of picture. Tensors are not rounded to 8 bits; saving them does that.

        Raises:
            ValueError: if an ID does not fit the layout, or the picture is too small or out of range.
            TypeError: if it is no picture.
        """
        images, pack = unpack(image)
        payloads = [
            Payload(provider, content)
            for provider, content in zip(_each(provider_id, len(images)), _each(content_id, len(images)), strict=True)
        ]
        message = torch.as_tensor(self.codec.encode(payloads))
        marked = self.scheme.embed(self._to_device(images, image), message).to(images.device)
        return pack(in_grey(images, marked) if isinstance(image, Image.Image) and is_grey(image) else marked)

    @overload
    def detect(self, image: Image.Image | np.ndarray) -> Detection: ...
    @overload
    def detect(self, image: Tensor | Sequence[Image.Image | np.ndarray]) -> list[Detection]: ...
    @torch.no_grad()
    def detect(self, image: Picture | Sequence[Image.Image | np.ndarray]) -> Detection | list[Detection]:
        """Look for a mark; needs nothing but the picture and the key.

        Returns:
            One ``Detection`` for a PIL image or an array; a list for a tensor batch or a list of pictures.
        """
        if isinstance(image, list | tuple):
            return [self.detect(one) for one in image]
        images, _ = unpack(image)  # type: ignore[arg-type]
        found = self.detector.detect(self.scheme.decode(self._to_device(images, image)))
        return found if isinstance(image, Tensor) else found[0]

    def _to_device(self, images: Tensor, given: object) -> Tensor:
        """Tensors stay where the caller put them; everything else goes where the scheme lives."""
        if isinstance(given, Tensor):
            self.scheme.to(images.device)
            return images
        return images.to(next((t.device for t in (*self.scheme.parameters(), *self.scheme.buffers())), images.device))


def in_grey(images: Tensor, marked: Tensor) -> Tensor:
    """The mark of a grey picture ``(1, 3, H, W)``, which has one plane for it: the mark's luma, at the same PSNR."""
    reached = float(psnr(to_8bit(marked), images))
    if not math.isfinite(reached):
        return marked
    change = luma(marked - images).expand_as(images)
    return (images + scale_for_psnr(images, change, reached)[:, None, None, None] * change).clamp(0, 1)


def scheme_key(key: Key) -> bytes:
    """The scheme's own key: independent of the codec's, so that what a scheme reads knows nothing of the signs."""
    return derived_key(key, "watermark scheme")


def pick_device(device: str | torch.device) -> torch.device:
    """``auto`` becomes the GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)


def _each(ids: Ids, count: int) -> list[int]:
    if isinstance(ids, Sequence):
        if len(ids) != count:
            raise ValueError(f"expected one ID or one per image ({count}), got {len(ids)}")
        return [_whole(i) for i in ids]
    return [_whole(ids)] * count


def _whole(number: SupportsIndex) -> int:
    """NumPy's integers and one-element tensors are whole numbers too; 1.9 is none, and must not become 1."""
    try:
        return index(number)
    except TypeError:
        raise ValueError(f"an ID must be an integer, got {number!r}") from None
