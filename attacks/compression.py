"""Lossy files, through the real codecs of Pillow and OpenCV: what a picture meets on its way through the world."""

from abc import abstractmethod
from typing import ClassVar, Literal

from PIL import features
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import codec, opencv

SUBSAMPLING = ("4:4:4", "4:2:2", "4:2:0")


class _File(Attack):
    """Save as one format and load again."""

    differentiable, geometric = False, False
    family = "compression"
    harder: Literal["higher", "lower", "away"] = "lower"
    together = True  # a thread per picture

    @abstractmethod
    def save_settings(self) -> dict[str, object]:
        """What Pillow's ``save`` is told."""

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Round to 8 bits, write, read."""
        settings = self.save_settings()
        return codec.edit(images, lambda picture: codec.save_and_load(picture, **settings))


class _OfQuality(_File):
    """A format with the usual dial."""

    unit = "quality 1..100"
    settings: ClassVar[dict[str, object]]

    def __init__(self, quality: int) -> None:
        if not 1 <= quality <= 100:
            raise ValueError(f"quality must be in 1..100, got {quality}")
        super().__init__(quality)

    def save_settings(self) -> dict[str, object]:
        return {**self.settings, "quality": int(self.strength)}


class Jpeg(_OfQuality):
    """Baseline JPEG by libjpeg-turbo; the same picture as from Pillow's.

    Args:
        quality: 1 (worst) to 100, the IJG scale.
        subsampling: of the colour: ``4:2:0`` (what nearly everything writes), ``4:2:2`` or ``4:4:4``.
    """

    reproduces = "WAVES and W-Bench JPEG (Pillow, 4:2:0)"

    def __init__(self, quality: int, subsampling: str = "4:2:0") -> None:
        super().__init__(quality)
        if subsampling not in SUBSAMPLING:
            raise ValueError(f"subsampling must be one of {SUBSAMPLING}, got {subsampling!r}")
        self.subsampling = subsampling

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Round to 8 bits, write, read."""
        quality = int(self.strength)
        return codec.edit_bytes(images, lambda levels: opencv.jpeg(levels, quality, self.subsampling))


class WebP(_OfQuality):
    """Lossy WebP by libwebp, at its default effort."""

    reproduces = "conversion to WebP by a web site"
    settings: ClassVar[dict[str, object]] = {"format": "WEBP", "method": 4}


class Avif(_OfQuality):
    """AVIF (AV1 still picture), 4:2:0; a Pillow with libavif (11.3 or later) is needed."""

    reproduces = "conversion to AVIF by a content-delivery network"
    settings: ClassVar[dict[str, object]] = {"format": "AVIF", "subsampling": "4:2:0", "speed": 8, "max_threads": 1}

    def __init__(self, quality: int) -> None:
        super().__init__(quality)
        if not features.check("avif"):
            raise ValueError("expected a Pillow with AVIF (the wheels of 11.3 or later have it), got one without")


class Jpeg2000(_File):
    """JPEG 2000 by OpenJPEG, irreversible wavelet, aimed at a compression ratio.

    Args:
        ratio: uncompressed bytes to compressed bytes; 10 is mild, 100 severe.
        colour_transform: luma and chroma are coded, as nearly every program does; False: red, green and blue, which is
            3 to 7 dB worse at the same size.
    """

    harder, unit = "higher", "compression ratio"
    reproduces = "JPEG Trust watermarking benchmark, J2K ratio 10 (without the colour transform)"

    def __init__(self, ratio: float, *, colour_transform: bool = True) -> None:
        if ratio < 1:
            raise ValueError(f"ratio must be at least 1, got {ratio}")
        super().__init__(ratio)
        self.colour_transform = colour_transform

    def save_settings(self) -> dict[str, object]:
        return {
            "format": "JPEG2000",
            "quality_mode": "rates",
            "quality_layers": [self.strength],
            "irreversible": True,
            "mct": int(self.colour_transform),
        }


class JpegXl(_OfQuality):
    """JPEG XL by libjxl, at its default effort; the plug-in for Pillow is needed (extra ``formats``).

    Raises:
        ValueError: for a quality out of range, or without the plug-in.
    """

    reproduces = "conversion to JPEG XL"
    settings: ClassVar[dict[str, object]] = {"format": "JXL", "num_threads": 1}

    def __init__(self, quality: int) -> None:
        super().__init__(quality)
        try:
            import pillow_jxl  # noqa: F401 - it tells Pillow of the format
        except ImportError:
            raise ValueError("expected pillow-jxl-plugin: pip install 'robust-watermark[formats]'") from None
