"""The door for a platform: the keys of many providers, and one read of a picture for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark.codec import Codec, Layout
from watermark.config import build, build_named, check_settings, compose
from watermark.detection import MISATTRIBUTION_RATE, Detection, RingDetector
from watermark.keys import Key, key_bytes
from watermark.localization import FALSE_ALARM_RATE, Localization
from watermark.pixels import Picture
from watermark.reader import Reader, pick_device, scheme_key
from watermark.schemes.base import DEFAULT_SEARCH, Scheme


class Keyring:
    """Find the marks of many providers, each under a key of its own.

    With a ``sync_key`` that the providers share, a picture is searched and read once, all keys are compared with what
    was read in one matrix product, and only the likeliest are decoded. Without one every key has waves of its own, so
    a picture is read once per key.

    Args:
        scheme: builds a scheme from ``key=``; see ``Watermarker``.
        keys: of each provider ID; no two alike. Whose key proves a mark is answered, whatever the payload says.
        sync_key: what the providers' marks were embedded with; None: each with its own.
        layout: how many bits each ID has.
        false_positive_rate: the promise behind ``is_marked`` for the ring as a whole: ``log10_p`` has paid for every
            key.
        misattribution_rate: the promise behind the content ID, and behind the provider where it is the stricter one.
        search: see ``Watermarker``.

    Raises:
        ValueError: for another word of ``search``, no key, two alike, or a provider ID that does not fit the layout.

    Example:
        >>> from skimage import data
        >>> from watermark import Keyring, Watermarker
        >>> ours = {"sync_key": "shared by the consortium", "target_psnr": 42}
        >>> ring = Keyring.load("dwt_dct", {7: "key of 7", 9: "key of 9"}, **ours)
        >>> marked = Watermarker.load("dwt_dct", key="key of 9", **ours).embed(data.astronaut(), 9, 123_456)
        >>> found = ring.detect(marked)
        >>> found.is_marked, found.provider_id, found.content_id
        (True, 9, 123456)
    """

    def __init__(
        self,
        scheme: Callable[..., Scheme],
        keys: Mapping[int, Key],
        *,
        sync_key: Key | None = None,
        layout: Layout | None = None,
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        search: str = DEFAULT_SEARCH,
    ) -> None:
        layout = layout or Layout()
        _check(keys, layout)
        rates, count = (false_positive_rate, misattribution_rate), len(keys)
        groups = [keys] if sync_key is not None else [{provider: key} for provider, key in keys.items()]
        self.readers: list[Reader] = []
        """What reads a picture, once each."""
        self.detectors: list[RingDetector] = []
        """The keys that look at what each reader read."""
        for group in groups:
            (inner, *_) = {scheme_key(key, sync_key) for key in group.values()}
            reader = Reader(scheme(key=inner), search)
            bits = reader.scheme.message_bits
            codecs = {provider: Codec(layout, bits, key, sync_key=sync_key) for provider, key in group.items()}
            self.readers.append(reader)
            self.detectors.append(RingDetector(codecs, *rates, keys=count))

    @classmethod
    def load(
        cls,
        name: str,
        keys: Mapping[int, Key],
        *,
        sync_key: Key | None = None,
        layout: str = "l64",
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        search: str = DEFAULT_SEARCH,
        device: str | torch.device = "auto",
        **settings: Any,
    ) -> Self:
        """Build a ring for the marks of a named scheme; arguments as in the class and in ``Watermarker.load``.

        Raises:
            ValueError: for an unknown name or setting, a value out of range, or keys as in the class.
            TypeError: if a key is none.
        """
        config = compose("scheme", name)
        check_settings(name, config, settings)
        ring = cls(
            partial(build, config, **settings),
            keys,
            sync_key=sync_key,
            layout=build_named("layout", layout),
            false_positive_rate=false_positive_rate,
            misattribution_rate=misattribution_rate,
            search=search,
        )
        for reader in ring.readers:
            reader.scheme.to(pick_device(device))
        return ring

    @overload
    def detect(self, image: Image.Image | np.ndarray) -> Detection: ...
    @overload
    def detect(self, image: Tensor | Sequence[Image.Image | np.ndarray]) -> list[Detection]: ...
    @torch.no_grad()
    def detect(self, image: Picture | Sequence[Image.Image | np.ndarray]) -> Detection | list[Detection]:
        """Look for a mark of any of the keys; ``provider_id`` names whose key proved it.

        Returns:
            One ``Detection`` for a PIL image or an array; a list for a tensor batch or a list of pictures. Of several
            marks in one picture the one that is proven best.
        """
        if isinstance(image, list | tuple):
            return [self.detect(one) for one in image]
        said = [
            detector.detect(reader.read(reader.tensors(image)))
            for reader, detector in zip(self.readers, self.detectors, strict=True)
        ]
        found = [min(answers, key=strength) for answers in zip(*said, strict=True)]
        return found if isinstance(image, Tensor) else found[0]

    @overload
    def locate(self, image: Image.Image | np.ndarray, *, false_alarm_rate: float = ...) -> Localization: ...
    @overload
    def locate(
        self, image: Tensor | Sequence[Image.Image | np.ndarray], *, false_alarm_rate: float = ...
    ) -> list[Localization]: ...
    def locate(
        self, image: Picture | Sequence[Image.Image | np.ndarray], *, false_alarm_rate: float = FALSE_ALARM_RATE
    ) -> Localization | list[Localization]:
        """Say which part of a picture carries the best proven mark of these keys; see ``Watermarker.locate``.

        Further marks, of a collage, are its ``others``, each with its part.
        """
        if isinstance(image, list | tuple):
            return [self.locate(one, false_alarm_rate=false_alarm_rate) for one in image]
        said = [
            reader.maps(image, detector.detect, detector.codec_of, false_alarm_rate)  # type: ignore[arg-type]
            for reader, detector in zip(self.readers, self.detectors, strict=True)
        ]
        found = [_together(maps) for maps in zip(*said, strict=True)]
        return found if isinstance(image, Tensor) else found[0]


def strength(found: Detection) -> tuple[bool, bool, float]:
    """Sorts answers about one picture, the best proven first."""
    return not found.is_marked, found.provider_id is None, found.log10_p


def _together(maps: Sequence[Localization]) -> Localization:
    """One picture's maps by several readers as one: the best proven mark, and all others."""
    every = [each for one in maps for each in (one, *one.others)]
    best, *rest = sorted(every, key=lambda each: strength(each.detection))
    return replace(best, others=tuple(replace(each, others=()) for each in rest if each.detection.is_marked))


def _check(keys: Mapping[int, Key], layout: Layout) -> None:
    if not keys:
        raise ValueError("expected the key of at least one provider, got none")
    owners: dict[bytes, int] = {}
    for provider, key in keys.items():
        if isinstance(provider, bool) or not isinstance(provider, int) or not 0 <= provider < 1 << layout.provider_bits:
            raise ValueError(
                f"a provider must be an integer from 0 to {(1 << layout.provider_bits) - 1}, got {provider!r}"
            )
        other = owners.setdefault(key_bytes(key), provider)
        if other != provider:
            raise ValueError(f"providers {other} and {provider} have the same key; expected one of its own for each")
