"""A set of pictures to measure on: who they are, of which class, and how to get their pixels."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from watermark.pixels import to_tensor
from watermark.shown import shown
from watermark.transforms.resample import resize

NAMED = 5
"""Pictures that one line names."""


@dataclass(frozen=True)
class ImageInfo:
    """What is known of a picture before its pixels are needed.

    Attributes:
        id: identity within the set; the same string in every row about it.
        image_class: content class, for example ``photo`` or ``text``.
        width: px, as it will be measured.
        height: px.
        sha256: of the file or, for pictures without a file, of the pixels.
        bits: per channel of the file; more than 8 are rounded to 8 before anything is measured.
    """

    id: str
    image_class: str
    width: int
    height: int
    sha256: str
    bits: int = 8


class ImageSet(ABC):
    """Pictures by index; a subclass says which.

    Args:
        name: for the report.
        max_side: px; larger pictures are reduced (never enlarged) before anything else. None: as they are.
        limit: use only so many, spread evenly over the set. None: all.

    Attributes:
        unmarked: of so many an evaluation also reads the unmarked picture, unless it is told a number. None: of all.
    """

    unmarked: int | None = None

    def __init__(self, name: str, max_side: int | None = None, limit: int | None = None) -> None:
        if max_side is not None and max_side < 32:
            raise ValueError(f"max_side must be at least 32 px, got {max_side}")
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        self.name, self.max_side, self.limit = name, max_side, limit
        self._infos: list[ImageInfo] | None = None

    @property
    def infos(self) -> list[ImageInfo]:
        """All pictures of the set, in a fixed order; described once."""
        if self._infos is None:
            self._infos = self.describe()
        return self._infos

    @property
    def notes(self) -> list[str]:
        """What is to be said of the set before it is measured, in lines."""
        deep = [shown(info.id) for info in self.infos if info.bits > 8]
        if not deep:
            return []
        named = ", ".join(deep[:NAMED]) + (f" and {len(deep) - NAMED} more" if len(deep) > NAMED else "")
        return [f"measured in 8 bits a channel, though the file has more: {named}"]

    def adopt(self, infos: list[ImageInfo]) -> None:
        """Take a description that another process made of the same set: hashing ten thousand files once is enough."""
        self._infos = infos

    @abstractmethod
    def describe(self) -> list[ImageInfo]:
        """Look every picture up."""

    @abstractmethod
    def open(self, index: int) -> Image.Image:
        """The picture itself, before ``max_side``."""

    def load(self, index: int) -> Tensor:
        """``(1, 3, H, W)`` float in ``[0, 1]``, holding exact 8-bit levels."""
        images = to_tensor(self.open(index))
        height, width = self.fitted(*images.shape[-2:])
        return (resize(images, (height, width)).clamp(0, 1) * 255).round() / 255

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """The size after ``max_side``."""
        scale = min(1.0, (self.max_side or max(height, width)) / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def manifest_hash(self) -> str:
        """One hash over every picture and how it is prepared."""
        lines = [f"{info.id} {info.image_class} {info.width}x{info.height} {info.sha256}" for info in self.infos]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
