"""Training pictures: random crops that depend on a generator alone, so that a resumed run sees the same ones."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark.files import look

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


class Crops:
    """Random square crops of photographs, enlarged or reduced first and mirrored half of the time.

    Args:
        pictures: files or already opened pictures.
        side: px.
        scales: least and greatest factor of the resampling; a picture is never made smaller than the crop.
    """

    def __init__(
        self, pictures: Sequence[Path | Image.Image], side: int = 256, scales: tuple[float, float] = (0.85, 1.7)
    ) -> None:
        if not pictures:
            raise ValueError("expected at least one training picture, got none")
        self.pictures, self.side, self.scales = list(pictures), side, scales

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, count: int, generator: torch.Generator) -> Tensor:
        """``(count, 3, side, side)`` float in [0, 1]."""
        draws = torch.rand(count, 5, generator=generator, dtype=torch.float64).tolist()
        if count == 1:
            return self._crop(draws[0])[None]
        with ThreadPoolExecutor(min(count, 8)) as pool:
            return torch.stack(list(pool.map(self._crop, draws)))

    def centre(self, index: int) -> Tensor:
        """The middle of one picture at its own size, ``(1, 3, side, side)``; enlarged only if it is smaller."""
        return self._cut(self._open(index), max(1.0, self._least(index)), 0.5, 0.5)[None]

    def _least(self, index: int) -> float:
        return (self.side + 1) / min(self._open(index).size)

    def _open(self, index: int) -> Image.Image:
        picture = self.pictures[index]
        if isinstance(picture, Image.Image):
            return picture.convert("RGB")
        return look(picture).convert("RGB")

    def _crop(self, draw: list[float]) -> Tensor:
        index = int(draw[0] * len(self.pictures))
        low, high = self.scales
        picture = self._open(index)
        scale = max(low + (high - low) * draw[1], (self.side + 1) / min(picture.size))
        crop = self._cut(picture, scale, draw[2], draw[3])
        return crop.flip(-1) if draw[4] < 0.5 else crop

    def _cut(self, picture: Image.Image, scale: float, down: float, right: float) -> Tensor:
        size = round(picture.width * scale), round(picture.height * scale)
        kind = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS
        resized = picture if size == picture.size else picture.resize(size, kind)
        left, top = int(right * (size[0] - self.side)), int(down * (size[1] - self.side))
        crop = resized.crop((left, top, left + self.side, top + self.side))
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1).float() / 255


def folder(path: str, limit: int | None = None) -> list[Path]:
    """Picture files of a folder in the order of their names; with ``limit``, so many spread evenly over it."""
    found = sorted(file for file in Path(path).expanduser().iterdir() if file.suffix.lower() in SUFFIXES)
    return found if limit is None or limit >= len(found) else found[:: len(found) // limit][:limit]


def bundled() -> list[Image.Image]:
    """The colour photographs that come with scikit-image, for a smoke training without any download."""
    from skimage import data

    pictures = [getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    return [Image.fromarray(picture[..., :3]) for picture in pictures]
