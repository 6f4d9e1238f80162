"""Procedural pictures, so that tests and null measurements need no files: smooth, busy, flat, text, noise, dark."""

import hashlib

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from watermark.data.images import ImageInfo, ImageSet

CLASSES = ("smooth", "busy", "flat", "text", "noise", "dark")


class SyntheticImages(ImageSet):
    """``count`` pictures that cycle through the classes.

    Args:
        count: how many.
        width: px.
        height: px.
        seed: another seed gives other pictures.
    """

    def __init__(self, count: int = 12, width: int = 256, height: int = 192, seed: int = 0) -> None:
        super().__init__("synthetic")
        if count < 1 or min(width, height) < 32:
            raise ValueError(f"expected count >= 1 and sides >= 32 px, got {count} of {width}x{height}")
        self.count, self.width, self.height, self.seed = count, width, height, seed

    def describe(self) -> list[ImageInfo]:
        """Names are class and index."""
        return [
            ImageInfo(f"{CLASSES[i % 6]}-{i:04d}", CLASSES[i % 6], self.width, self.height, self._digest(i))
            for i in range(self.count)
        ]

    def open(self, index: int) -> Image.Image:
        """Draw it."""
        rng = np.random.default_rng([self.seed, index])
        return Image.fromarray(_draw(CLASSES[index % 6], self.height, self.width, rng))

    def _digest(self, index: int) -> str:
        return hashlib.sha256(self.open(index).tobytes()).hexdigest()


def _draw(image_class: str, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """One ``(H, W, 3)`` uint8 picture."""
    if image_class == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if image_class == "flat":
        return np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (height, width, 3)).copy()
    if image_class == "text":
        page = Image.new("RGB", (width, height), "white")
        lines = "\n".join("".join(map(chr, rng.integers(97, 123, width // 6))) for _ in range(height // 12))
        ImageDraw.Draw(page).text((4, 4), lines, fill="black")
        return np.asarray(page)
    # Photographs have spectra that fall like 1/f: sums of blurred noise at doubling scales do too.
    layers = [(4.0, 2), (2.0, 1)] if image_class == "busy" else [(16.0, 4), (8.0, 2)]
    picture = sum(
        weight * gaussian_filter(rng.standard_normal((height, width, 3)), (sigma, sigma, 0)) * sigma
        for sigma, weight in [*layers, (32.0, 8)]
    )
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    return np.round(255 * (picture * 0.15 if image_class == "dark" else picture)).astype(np.uint8)
