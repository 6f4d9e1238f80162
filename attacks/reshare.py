"""A picture passed on from app to app."""

from PIL import Image, ImageFilter
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import codec

QUALITY = {2048: 90, 1600: 85, 1280: 80, 1080: 75, 720: 70}
"""JPEG quality by size limit. Assumed: platforms publish neither, and change both."""


class Reshare(Attack):
    """Upload and download: shrink to a limit, sharpen a little, write JPEG (4:2:0); once or several times.

    A picture smaller than the limit is not enlarged. Every further hop has a limit a tenth lower and a quality 5 lower,
    as the next app is rarely the same.

    Args:
        long_edge: limit in pixels: 2048, 1600, 1280, 1080 or 720. The profiles are assumed, not any platform's.
        hops: 1 to 3.
    """

    differentiable, geometric, harder = False, True, "lower"
    family = "compound"
    unit, together = "long edge, pixels", True  # a thread per picture
    reproduces = "re-sharing through social networks, profiles assumed; no published ladder"

    def __init__(self, long_edge: int, hops: int = 1) -> None:
        if long_edge not in QUALITY:
            raise ValueError(f"long_edge must be one of {list(QUALITY)}, got {long_edge}")
        if hops not in (1, 2, 3):
            raise ValueError(f"hops must be 1, 2 or 3, got {hops}")
        super().__init__(long_edge)
        self.hops = hops

    def moves(self, height: int, width: int) -> bool:
        """Only a picture above the lowest limit on its way is resampled."""
        return max(height, width) > self.strength * 0.9 ** (self.hops - 1)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Hop by hop, on 8-bit pictures."""
        return codec.edit(images, self._share)

    def _share(self, picture: Image.Image) -> Image.Image:
        limit, quality = self.strength, QUALITY[int(self.strength)]
        for _ in range(self.hops):
            shrink = min(1.0, limit / max(picture.size))
            width, height = (max(1, round(side * shrink)) for side in picture.size)
            if (width, height) != picture.size:
                picture = picture.resize((width, height), Image.Resampling.LANCZOS)
            picture = picture.filter(ImageFilter.UnsharpMask(radius=0.6, percent=40, threshold=0))
            picture = codec.save_and_load(picture, format="JPEG", quality=quality, subsampling=2)
            limit, quality = 0.9 * limit, quality - 5
        return picture
