"""The one door for users: a scheme, a code, a detector and a secret key behind two verbs."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import index
from typing import Any, Self, SupportsIndex, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark import strips
from watermark.codec import Codec, Layout, Payload
from watermark.config import build, build_named, check_settings, compose, config_names, target_of
from watermark.depth import embed_deep
from watermark.detection import MISATTRIBUTION_RATE, Detection, Detector
from watermark.errors import UserError
from watermark.files import Deep
from watermark.images import to_8bit
from watermark.keys import Key
from watermark.localization import FALSE_ALARM_RATE, Localization
from watermark.metrics.psnr import psnr
from watermark.pixels import Picture, ready, unpack
from watermark.reader import Reader, pick_device, scheme_key
from watermark.schemes.base import DEFAULT_SEARCH, Scheme, scale_for_psnr
from watermark.schemes.outside import OutsideMark
from watermark.transforms.color import luma

Ids = int | Sequence[int]


class Watermarker(Reader):
    """Embed a provider ID and a content ID into pictures, and find them again.

    Args:
        scheme: builds a scheme from ``key=``: a class such as ``TileSpread``, or ``partial(TileSpread, effort=0)``. It
            is called here, with a key derived from ``key``, so no mark goes out under a key that everybody knows.
        key: the secret; without it nothing is found, and nothing can be forged by writing bits. The scheme and the
            code each get a key of their own derived from it.
        sync_key: a second secret that providers share, so that whoever holds many of their keys reads a picture once
            for all (``Keyring``). Where the mark lies follows from it, what the mark says from ``key``, which alone
            proves and writes marks. Who holds it can take marks off. None: derived from ``key``.
        layout: how many bits each ID has.
        false_positive_rate: the promise behind ``is_marked``: an unmarked picture is called marked at most this
            often, over the choice of keys, after paying for everything that the detector tried.
        misattribution_rate: the promise behind the IDs of a marked picture: they are given only where the chance that
            they are not its own is at most this.
        search: ``quick`` says no after a third of the time where a picture shows no sign of a mark, ``thorough`` tries
            everything on every picture; ``results/published/platform`` has what quick loses.

    Raises:
        TypeError: if a key is none, or the scheme is a finished one, whose key is its own.
        ValueError: if both keys are the same, or ``search`` is another word.

    Example:
        >>> from skimage import data
        >>> marker = Watermarker.load("dwt_dct", key="a secret", target_psnr=42)
        >>> marked = marker.embed(data.astronaut(), provider_id=7, content_id=123_456)
        >>> found = marker.detect(marked)
        >>> found.is_marked, found.provider_id, found.content_id
        (True, 7, 123456)
        >>> Watermarker.load("dwt_dct", key="another").detect(marked).is_marked
        False
    """

    def __init__(
        self,
        scheme: Callable[..., Scheme],
        key: Key,
        *,
        sync_key: Key | None = None,
        layout: Layout | None = None,
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        search: str = DEFAULT_SEARCH,
    ) -> None:
        if isinstance(scheme, Scheme):
            raise TypeError(f"expected what builds a scheme from key=..., got a finished {type(scheme).__name__}")
        super().__init__(scheme(key=scheme_key(key, sync_key)), search)
        layout, bits = layout or Layout(), self.scheme.message_bits
        if layout.total_bits > bits:
            said = f"a payload of {layout.total_bits} bits does not fit in {bits} message bits"
            raise ValueError(f"{type(self.scheme).__name__}: {said}{_fitting(bits)}")
        self.codec = Codec(layout, bits, key, sync_key=sync_key)
        self.detector = Detector(self.codec, false_positive_rate, misattribution_rate)

    @classmethod
    def load(
        cls,
        name: str,
        key: Key,
        *,
        sync_key: Key | None = None,
        layout: str = "l64",
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        search: str = DEFAULT_SEARCH,
        device: str | torch.device = "auto",
        **settings: Any,
    ) -> Self:
        """Build a named scheme.

        Args:
            name: any file name under ``configs/scheme``.
            key: the secret: a non-empty ``str`` or ``bytes``, or an ``int``; see ``watermark.keys.key_bytes``.
            sync_key: likewise; see the class.
            layout: any file name under ``configs/layout``.
            false_positive_rate: see the class.
            misattribution_rate: see the class.
            search: see the class.
            device: where pictures that are not tensors are worked on; ``auto`` is a GPU where there is one.
            **settings: any setting of the scheme, for example ``target_psnr=42``.

        Raises:
            ValueError: for an unknown name or setting, or a value out of range.
            TypeError: if the key is none.
        """
        config = compose("scheme", name)
        check_settings(name, config, settings)
        return cls.build(
            config,
            key,
            sync_key=sync_key,
            layout=build_named("layout", layout),
            false_positive_rate=false_positive_rate,
            misattribution_rate=misattribution_rate,
            search=search,
            device=device,
            **settings,
        )

    @classmethod
    def build(
        cls,
        config: Mapping[str, Any],
        key: Key,
        *,
        sync_key: Key | None = None,
        layout: Layout | None = None,
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        search: str = DEFAULT_SEARCH,
        device: str | torch.device = "auto",
        **settings: Any,
    ) -> Self:
        """Build the scheme of a composed configuration; see ``load``, which composes one by its name.

        Args:
            config: ``_target_`` and settings of the scheme, never out of a file that somebody else wrote.
            key: see the class.
            sync_key: see the class.
            layout: see the class.
            false_positive_rate: see the class.
            misattribution_rate: see the class.
            search: see the class.
            device: see ``load``.
            **settings: take the place of those in ``config``.

        Raises:
            ValueError: for a value out of range.
            TypeError: if the key is none.
        """
        kind = target_of(config)
        if isinstance(kind, type) and issubclass(kind, OutsideMark):
            raise UserError(f"{kind.__name__} is marked and read by somebody else; `watermark evaluate` alone takes it")
        scheme = partial(build, config, **settings)
        rates = {"false_positive_rate": false_positive_rate, "misattribution_rate": misattribution_rate}
        marker = cls(scheme, key, sync_key=sync_key, layout=layout, search=search, **rates)
        marker.scheme.to(pick_device(device))
        return marker

    @overload
    def embed(self, image: Image.Image, provider_id: int, content_id: int) -> Image.Image: ...
    @overload
    def embed(self, image: np.ndarray, provider_id: int, content_id: int) -> np.ndarray: ...
    @overload
    def embed(self, image: Tensor, provider_id: Ids, content_id: Ids) -> Tensor: ...
    @overload
    def embed(self, image: list[Picture] | tuple[Picture, ...], provider_id: Ids, content_id: Ids) -> list[Picture]: ...
    @torch.no_grad()
    def embed(
        self, image: Picture | list[Picture] | tuple[Picture, ...], provider_id: Ids, content_id: Ids
    ) -> Picture | list[Picture]:
        """Mark a picture.

        Args:
            image: a PIL image; a uint8 or uint16 array ``(H, W, 3)``; an array or a tensor of bytes, or of floats in
                ``[0, 1]``, in any usual order of its axes (``watermark.pixels.unpack``); or a list of pictures.
            provider_id: who made it; for a batch or a list one for all or one per image.
            content_id: which image it is; likewise.

        Returns:
            The same kind of picture. Tensors of floats are not rounded to 8 bits; saving them does that.

        Raises:
            ValueError: if an ID does not fit the layout, or the picture is too small or out of range.
            TypeError: if it is no picture.
        """
        if isinstance(image, list | tuple):
            ids = _payloads(provider_id, content_id, len(image))
            return [self.embed(one, of.provider_id, of.content_id) for one, of in zip(image, ids, strict=True)]
        count = len(image) if isinstance(image, Tensor) and image.ndim == 4 else 1
        payloads = _payloads(provider_id, content_id, count)
        if isinstance(image, np.ndarray) and image.dtype == np.uint16:
            return embed_deep(self, Deep.of_array(image), payloads[0].provider_id, payloads[0].content_id).colour
        if isinstance(image, Image.Image) and strips.is_large(self.scheme, *image.size):
            return strips.embed(self.scheme, ready(image), self.codec.encode(payloads), self.device)
        images, pack = unpack(image)
        return pack(self.embed_batch(self.to_device(images, image), payloads).to(images.device))

    @torch.no_grad()
    def embed_batch(self, images: Tensor, payloads: Sequence[Payload]) -> Tensor:
        """Mark a batch on the scheme's device: what ``embed`` does to every picture.

        Args:
            images: ``(N, 3, H, W)`` float in ``[0, 1]``. One whose three planes are equal is grey and stays so, at the
                same PSNR.
            payloads: one per image.

        Returns:
            ``(N, 3, H, W)`` in ``[0, 1]``, not yet rounded to 8 bits.

        Raises:
            ValueError: if an ID does not fit the layout, or a picture is too small or out of range.
        """
        return in_grey(images, self.scheme.embed(images, self.codec.encode(payloads)))

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
        found = self.detector.detect(self.read(self.tensors(image)))
        return found if isinstance(image, Tensor) else found[0]

    @overload
    def locate(
        self, image: Image.Image | np.ndarray, *, false_alarm_rate: float = ..., others: bool = ...
    ) -> Localization: ...
    @overload
    def locate(
        self, image: Tensor | Sequence[Image.Image | np.ndarray], *, false_alarm_rate: float = ..., others: bool = ...
    ) -> list[Localization]: ...
    def locate(
        self,
        image: Picture | Sequence[Image.Image | np.ndarray],
        *,
        false_alarm_rate: float = FALSE_ALARM_RATE,
        others: bool = True,
    ) -> Localization | list[Localization]:
        """Say which part of a picture carries the mark, and which was changed; needs nothing but picture and key.

        Works on what was cropped, turned, scaled or compressed: where the mark lies was found by reading it.

        Args:
            image: as for ``detect``.
            false_alarm_rate: promised share of regions without the mark that are called marked, at most .1. It holds
                over keys, whatever the regions show; the scores of regions are those of ``detection.null``.
            others: whether to look for further marks, as in a collage, in what the first one leaves.

        Returns:
            A map of the size of the picture; a list for a tensor batch or a list of pictures.

        Raises:
            ValueError: if the scheme is none whose marks can be located, or the rate is out of range.
        """
        if isinstance(image, list | tuple):
            return [self.locate(one, false_alarm_rate=false_alarm_rate, others=others) for one in image]
        codec = self.codec
        found = self.maps(image, self.detector.detect, lambda _: codec, false_alarm_rate, others)  # type: ignore[arg-type]
        return found if isinstance(image, Tensor) else found[0]


def in_grey(images: Tensor, marked: Tensor) -> Tensor:
    """Pictures ``(N, 3, H, W)``, the grey ones marked in their one plane: with the mark's luma, at the same PSNR."""
    grey = (images == images[:, :1]).flatten(1).all(1).nonzero().flatten().tolist()
    if not grey:
        return marked
    marked = marked.clone()
    for i in grey:
        image = images[i : i + 1]
        reached = float(psnr(to_8bit(marked[i : i + 1]), image))
        if math.isinf(reached):  # nothing was changed
            continue
        change = luma(marked[i : i + 1] - image).expand_as(image)
        scale = scale_for_psnr(image, change, reached)
        marked[i : i + 1] = (image + scale[:, None, None, None] * change).clamp(0, 1)
    return marked


def _payloads(provider_id: Ids, content_id: Ids, count: int) -> list[Payload]:
    pairs = zip(_each(provider_id, count), _each(content_id, count), strict=True)
    return [Payload(provider, content) for provider, content in pairs]


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


def _fitting(bits: int) -> str:
    """Which layouts fit in so many message bits, as the end of a refusal."""
    fit = [name for name in config_names("layout") if build_named("layout", name).total_bits <= bits]
    return f"; layout {' or '.join(fit)} does" if fit else ""
