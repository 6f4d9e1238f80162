"""What one marker and a whole ring of keys share: a scheme, where it lives, and pictures made ready for it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark import strips
from watermark.codec import Codec
from watermark.detection import Detection
from watermark.errors import UserError
from watermark.files import Deep
from watermark.keys import Key, derived_key, key_bytes
from watermark.localization import MOST_MARKS, Localization, is_another, locatable, locate, may_hold_more, without
from watermark.pixels import Picture, ready, unpack
from watermark.schemes.base import DEFAULT_SEARCH, SEARCHES, Readout, Scheme
from watermark.schemes.lattice.draw import reduced
from watermark.schemes.lattice.scheme import LatticeScheme
from watermark.synchronization import straightened


class Reader:
    """A scheme that reads pictures of any kind.

    Args:
        scheme: a finished one.
        search: how long to look before saying no: ``quick`` or ``thorough``.

    Raises:
        ValueError: for another word.
    """

    def __init__(self, scheme: Scheme, search: str = DEFAULT_SEARCH) -> None:
        if search not in SEARCHES:
            raise ValueError(f"search must be one of {', '.join(SEARCHES)}, got {search!r}")
        self.scheme = scheme.eval()
        self.scheme.search = search

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

    @torch.no_grad()
    def maps(
        self,
        image: Picture,
        detect: Callable[[Readout], list[Detection]],
        codec_of: Callable[[Detection], Codec | None],
        false_alarm_rate: float,
        others: bool = True,
    ) -> list[Localization]:
        """One map for each picture of a batch; see ``Watermarker.locate``.

        Args:
            image: a picture or a batch.
            detect: what answers a readout.
            codec_of: whose key proved the mark of an answer.
            false_alarm_rate: promised share of regions without the mark that are called marked.
            others: whether to look for further marks.
        """
        scheme, size = locatable(self.scheme, false_alarm_rate), size_of(image)

        def mapped(one: Tensor) -> Localization:
            return _map(scheme, one, detect, codec_of, false_alarm_rate, size)

        maps = []
        for one in self.tensors(image).split(1):
            found = [mapped(one)]
            while others and len(found) < MOST_MARKS and may_hold_more(found[-1]):
                one = without(one, found[-1])
                found.append(mapped(one))
            others_found = tuple(each for n, each in enumerate(found) if n and is_another(each, found[:n]))
            maps.append(replace(found[0], others=others_found))
        return maps

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


def _map(
    scheme: LatticeScheme,
    image: Tensor,
    detect: Callable[[Readout], list[Detection]],
    codec_of: Callable[[Detection], Codec | None],
    false_alarm_rate: float,
    size: tuple[int, int],
) -> Localization:
    """The map of the best proven mark of one picture ``(1, 3, h, w)``."""
    look = scheme.look(image)
    (found,) = detect(look.readout)
    codec = codec_of(found) if found.is_marked else None
    word = codec.decode(look.readout.reading(0, found.reading)[None])[0].payload if codec else None
    if codec is None or word is None:
        return Localization.nowhere(size, false_alarm_rate, found)
    where = look.where.columns(slice(found.reading, found.reading + 1)).best()
    message = codec.encode([word]).to(image.device)
    slant = look.slant[:, found.reading]
    if not slant.any():
        return locate(scheme, image, where, message, found, false_alarm_rate, size)
    image = straightened(reduced(image)[0], slant)
    straight = locate(scheme, image, where, message, found, false_alarm_rate, (image.shape[-2], image.shape[-1]))
    return straight.slanted(slant, size)


def size_of(image: Picture) -> tuple[int, int]:
    """Height and width of a picture, upright."""
    if isinstance(image, Image.Image):
        width, height = ready(image).size
        return height, width
    height, width = image.shape[-2:] if isinstance(image, Tensor) else image.shape[:2]
    return int(height), int(width)


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
    """``auto`` becomes the GPU where there is one.

    Raises:
        UserError: the name of no device, or a GPU where none is found.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError:
        raise UserError(f"device: expected cpu, cuda or auto, got {device}") from None
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device: expected cpu or auto, for no GPU is found here, got {device}")
    return picked
